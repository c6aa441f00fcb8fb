//! Words and points as bytes: big-endian words, G2 in EIP-197 order, infinity all zeros.

use ark_bn254::{Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, PrimeField};

/// Bytes of a word.
pub const WORD: usize = 32;
/// Bytes of a G1 point.
pub const G1_BYTES: usize = 2 * WORD;
/// Bytes of a G2 point.
pub const G2_BYTES: usize = 4 * WORD;

/// Why bytes are no element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A coordinate is p or more.
    #[error("a coordinate is not below p")]
    Coordinate,
    /// A scalar is r or more.
    #[error("a word is not below r")]
    Scalar,
    /// The coordinates satisfy no curve equation.
    #[error("a point is not on the curve")]
    Curve,
    /// A G2 point outside the subgroup of order r.
    #[error("a G2 point is not in the subgroup")]
    Subgroup,
}

fn limbs(word: &[u8]) -> BigInt<4> {
    let mut limbs = [0u64; 4];
    for (limb, chunk) in limbs.iter_mut().rev().zip(word.chunks_exact(8)) {
        *limb = u64::from_be_bytes(chunk.try_into().expect("eight bytes"));
    }
    BigInt(limbs)
}

fn word(value: BigInt<4>) -> [u8; WORD] {
    let mut out = [0u8; WORD];
    for (chunk, limb) in out.chunks_exact_mut(8).zip(value.0.iter().rev()) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
    out
}

/// The word of a scalar.
#[must_use]
pub fn fr_word(value: Fr) -> [u8; WORD] {
    word(value.into_bigint())
}

/// The scalar of a 32-byte word.
///
/// # Errors
/// `Malformed::Scalar` for r or more.
pub fn fr_from_word(bytes: &[u8; WORD]) -> Result<Fr, Malformed> {
    Fr::from_bigint(limbs(bytes)).ok_or(Malformed::Scalar)
}

/// Any word reduced modulo r.
#[must_use]
pub fn fr_reduce(bytes: &[u8; WORD]) -> Fr {
    Fr::from_be_bytes_mod_order(bytes)
}

fn fq(bytes: &[u8]) -> Result<Fq, Malformed> {
    Fq::from_bigint(limbs(bytes)).ok_or(Malformed::Coordinate)
}

/// `x || y`.
#[must_use]
pub fn g1_bytes(point: &G1Affine) -> [u8; G1_BYTES] {
    let mut out = [0u8; G1_BYTES];
    if let Some((x, y)) = point.xy() {
        out[..WORD].copy_from_slice(&word(x.into_bigint()));
        out[WORD..].copy_from_slice(&word(y.into_bigint()));
    }
    out
}

/// `x.c1 || x.c0 || y.c1 || y.c0`.
#[must_use]
pub fn g2_bytes(point: &G2Affine) -> [u8; G2_BYTES] {
    let mut out = [0u8; G2_BYTES];
    if let Some((x, y)) = point.xy() {
        for (chunk, value) in out.chunks_exact_mut(WORD).zip([x.c1, x.c0, y.c1, y.c0]) {
            chunk.copy_from_slice(&word(value.into_bigint()));
        }
    }
    out
}

/// A G1 point; the group is the whole curve, so that no further check is needed.
///
/// # Errors
/// `Malformed` unless both coordinates are below p and on the curve, or all bytes are zero.
pub fn g1_from_bytes(bytes: &[u8; G1_BYTES]) -> Result<G1Affine, Malformed> {
    let (x, y) = (fq(&bytes[..WORD])?, fq(&bytes[WORD..])?);
    if bytes.iter().all(|&b| b == 0) {
        return Ok(G1Affine::identity());
    }
    let point = G1Affine::new_unchecked(x, y);
    if !point.is_on_curve() {
        return Err(Malformed::Curve);
    }
    Ok(point)
}

/// A G2 point of order r.
///
/// # Errors
/// `Malformed` unless the coordinates are below p, on the twist and in the subgroup, or all bytes are zero.
pub fn g2_from_bytes(bytes: &[u8; G2_BYTES]) -> Result<G2Affine, Malformed> {
    let mut coordinates = [Fq::default(); 4];
    for (value, chunk) in coordinates.iter_mut().zip(bytes.chunks_exact(WORD)) {
        *value = fq(chunk)?;
    }
    if bytes.iter().all(|&b| b == 0) {
        return Ok(G2Affine::identity());
    }
    let [x1, x0, y1, y0] = coordinates;
    let point = G2Affine::new_unchecked(Fq2::new(x0, x1), Fq2::new(y0, y1));
    if !point.is_on_curve() {
        return Err(Malformed::Curve);
    }
    if !point.is_in_correct_subgroup_assuming_on_curve() {
        return Err(Malformed::Subgroup);
    }
    Ok(point)
}

/// Reads fields one after the other from bytes whose length was checked before.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take<const N: usize>(&mut self) -> &'a [u8; N] {
        let (head, rest) = self.0.split_first_chunk().expect("length checked before");
        self.0 = rest;
        head
    }

    pub(crate) fn g1(&mut self) -> Result<G1Affine, Malformed> {
        g1_from_bytes(self.take())
    }

    pub(crate) fn g2(&mut self) -> Result<G2Affine, Malformed> {
        g2_from_bytes(self.take())
    }
}
