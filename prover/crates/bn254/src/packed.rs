//! Points at rest, as the kernels read them: what a proving key's file holds and what buckets hold, so that a mapped file
//! is multiplied where it lies.

use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, BigInteger, PrimeField};

#[cfg(target_endian = "big")]
compile_error!("words of points are read from files as they lie: little-endian processors only");

/// The coordinates of an affine point in N Montgomery words (R = 2^256, least significant first), whole cache lines.
///
/// Infinity is all zeros, which is no point of either curve. Values are compared as words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Packed<const N: usize>(pub(crate) [u64; N]);

/// A point of G1: `x || y`, 64 bytes.
pub type PackedG1 = Packed<8>;

/// A point of G2: `x || y`, each `c0 || c1`, 128 bytes.
pub type PackedG2 = Packed<16>;

impl<const N: usize> Packed<N> {
    /// Infinity; as a bucket, one not yet written.
    pub const INFINITY: Self = Self([0; N]);

    /// Whether this is infinity.
    #[inline]
    #[must_use]
    pub fn is_infinity(&self) -> bool {
        self.0.iter().fold(0, |any, word| any | word) == 0
    }

    /// The bytes of points, as [`Self::from_bytes`] reads them.
    #[must_use]
    pub fn as_bytes(points: &[Self]) -> &[u8] {
        // SAFETY: a point is N words without padding (N is 8 or 16, the alignment 64), and any word is four bytes twice.
        unsafe { std::slice::from_raw_parts(points.as_ptr().cast(), size_of_val(points)) }
    }

    /// Points where they lie; `None` unless `bytes` start at a multiple of 64 and hold a whole number of points. Nothing is
    /// checked of the points: coordinates of p or more, or off the curve, give wrong sums, never undefined behaviour.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<&[Self]> {
        let start: *const Self = bytes.as_ptr().cast();
        if !start.is_aligned() || !bytes.len().is_multiple_of(size_of::<Self>()) {
            return None;
        }
        // SAFETY: the start is aligned, the length in range, and any bits are valid words.
        Some(unsafe { std::slice::from_raw_parts(start, bytes.len() / size_of::<Self>()) })
    }

    fn of_coordinates(coordinates: impl IntoIterator<Item = Fq>) -> Self {
        let mut out = Self::INFINITY;
        for (words, value) in out.0.chunks_exact_mut(4).zip(coordinates) {
            words.copy_from_slice(&value.0.0);
        }
        out
    }

    /// Coordinate `index`, canonical: sums at rest are below 2p, words of a file that nobody checked anywhere below 2^256.
    fn coordinate(&self, index: usize) -> Fq {
        let mut limbs = BigInt(std::array::from_fn(|k| self.0[4 * index + k]));
        // The top word decides for all but one in 2^60 canonical values.
        if limbs.0[3] >= Fq::MODULUS.0[3] {
            limbs = reduced(limbs);
        }
        Fq::new_unchecked(limbs)
    }
}

/// A value below 2^256 modulo p. Apart, so that the common case is short.
#[cold]
#[inline(never)]
fn reduced(mut value: BigInt<4>) -> BigInt<4> {
    while value >= Fq::MODULUS {
        value.sub_with_borrow(&Fq::MODULUS);
    }
    value
}

impl PackedG1 {
    pub(crate) fn pack(x: Fq, y: Fq) -> Self {
        Self::of_coordinates([x, y])
    }

    pub(crate) fn coordinates(&self) -> (Fq, Fq) {
        (self.coordinate(0), self.coordinate(1))
    }

    /// The point, not checked.
    pub fn unpack(&self) -> G1Affine {
        if self.is_infinity() {
            return G1Affine::identity();
        }
        let (x, y) = self.coordinates();
        G1Affine::new_unchecked(x, y)
    }
}

impl PackedG2 {
    pub(crate) fn pack(x: Fq2, y: Fq2) -> Self {
        Self::of_coordinates([x.c0, x.c1, y.c0, y.c1])
    }

    pub(crate) fn coordinates(&self) -> (Fq2, Fq2) {
        let at = |k| Fq2::new(self.coordinate(k), self.coordinate(k + 1));
        (at(0), at(2))
    }

    /// The point, not checked.
    pub fn unpack(&self) -> G2Affine {
        if self.is_infinity() {
            return G2Affine::identity();
        }
        let (x, y) = self.coordinates();
        G2Affine::new_unchecked(x, y)
    }
}

impl From<&G1Affine> for PackedG1 {
    fn from(point: &G1Affine) -> Self {
        point.xy().map_or(Self::INFINITY, |(x, y)| Self::pack(x, y))
    }
}

impl From<&G2Affine> for PackedG2 {
    fn from(point: &G2Affine) -> Self {
        point.xy().map_or(Self::INFINITY, |(x, y)| Self::pack(x, y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ec::CurveGroup;
    use ark_ff::UniformRand;

    #[test]
    fn points_survive_packing_and_bytes() {
        let mut rng = ark_std::test_rng();
        let mut g1 = vec![G1Affine::identity(), G1Affine::generator()];
        let mut g2 = vec![G2Affine::identity(), G2Affine::generator()];
        for _ in 0..7 {
            g1.push(ark_bn254::G1Projective::rand(&mut rng).into_affine());
            g2.push(ark_bn254::G2Projective::rand(&mut rng).into_affine());
        }
        let (packed1, packed2): (Vec<PackedG1>, Vec<PackedG2>) = (
            g1.iter().map(Into::into).collect(),
            g2.iter().map(Into::into).collect(),
        );
        let bytes = PackedG1::as_bytes(&packed1);
        assert_eq!(bytes.len(), 64 * g1.len());
        let back = PackedG1::from_bytes(bytes).expect("aligned");
        assert!(back.iter().map(PackedG1::unpack).eq(g1));
        let back = PackedG2::from_bytes(PackedG2::as_bytes(&packed2)).expect("aligned");
        assert!(back.iter().map(PackedG2::unpack).eq(g2));
    }

    #[test]
    fn bytes_out_of_line_or_in_part_are_refused() {
        let points = [PackedG1::INFINITY; 3];
        let bytes = PackedG1::as_bytes(&points);
        assert!(PackedG1::from_bytes(&bytes[8..72]).is_none(), "not aligned");
        assert!(
            PackedG1::from_bytes(&bytes[..100]).is_none(),
            "half a point"
        );
        assert_eq!(PackedG1::from_bytes(&bytes[..0]).map(<[_]>::len), Some(0));
    }
}
