//! Multiples `2^(width w) B` of bases, eight at a time: chains of doublings in Jacobian coordinates, which never leave the
//! registers, then one inversion for the affine points of many chains.
//!
//! Values carry 2^260 from the first to the last product.

use super::{Fp, FqModulus, from_scalars, g2::Fp2, invert_all, load_line, store_line, to_scalars};
use crate::field::ifma::{Modulus, limbs};
use crate::packed::Packed;

/// Chains that share an inversion; their points stay in L2.
const CHAINS: usize = 8;

/// 2^256, 2^260, 2^262 and 2^264 mod p in limbs.
const R256: [u64; 5] = shifted_one(0);
const R260: [u64; 5] = shifted_one(4);
const R262: [u64; 5] = shifted_one(6);
const R264: [u64; 5] = shifted_one(8);

/// 2^(256 + bits) mod p, for `bits` <= 8.
const fn shifted_one(bits: u32) -> [u64; 5] {
    let mut value = <ark_bn254::FqConfig as ark_ff::MontConfig<4>>::R.0;
    let mut k = 0;
    while k < bits {
        value = twice(value);
        k += 1;
    }
    limbs([value[0], value[1], value[2], value[3], 0])
}

/// `2 value` mod p.
const fn twice(value: [u64; 4]) -> [u64; 4] {
    let p = FqModulus::WORDS;
    let mut twice = [0; 4];
    let mut less = [0; 4];
    let (mut carry, mut borrow) = (0, false);
    let mut k = 0;
    while k < 4 {
        twice[k] = value[k] << 1 | carry;
        carry = value[k] >> 63;
        let (a, first) = twice[k].overflowing_sub(p[k]);
        let (b, second) = a.overflowing_sub(borrow as u64);
        less[k] = b;
        borrow = first | second;
        k += 1;
    }
    if borrow { twice } else { less }
}

/// A coordinate of eight points and what the affine points are made with: values of a size that products, `Coordinate::times`,
/// keep; the size is that of the implementation.
///
/// # Safety
/// The processor has AVX-512 F, DQ, VL and IFMA, of every function.
trait Coordinate: Copy {
    /// Words of a point.
    const WORDS: usize;

    /// One in all lanes.
    unsafe fn one() -> Self;

    /// x and y at eight places that are readable and aligned to cache lines.
    unsafe fn load(at: [*const u64; 8]) -> [Self; 2];

    /// The inverse of [`Self::load`], canonical.
    unsafe fn store(at: [*mut u64; 8], point: [Self; 2]);

    unsafe fn times(self, other: Self) -> Self;

    /// Inverses, or `None` when a lane is zero.
    unsafe fn inverted(self) -> Option<Self>;

    /// Twice the points `(X / Z^2, Y / Z^3)`.
    unsafe fn doubled(point: [Self; 3]) -> [Self; 3];
}

impl Coordinate for Fp {
    const WORDS: usize = 8;

    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    unsafe fn one() -> Self {
        Fp::splat(R260)
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    unsafe fn load(at: [*const u64; 8]) -> [Self; 2] {
        // SAFETY: by the caller's promise.
        let halves = unsafe { load_line(at, 0) };
        halves.map(|half| Fp::times(half, Fp::splat(R264)))
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    unsafe fn store(at: [*mut u64; 8], point: [Self; 2]) {
        let halves = point.map(|half| Fp::times(half, Fp::splat(R256)).canonical());
        // SAFETY: by the caller's promise.
        unsafe { store_line(at, 0, halves) };
    }

    /// Below 1.1 p where the bounds of the factors are below 8 together.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    unsafe fn times(self, other: Self) -> Self {
        self.times_raw(other).carried()
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    unsafe fn inverted(self) -> Option<Self> {
        // Of t 2^260 the inverse has 2^258 / t.
        let inverses = invert_all(to_scalars(self))?;
        Some(Fp::times(from_scalars(inverses), Fp::splat(R262)))
    }

    /// X and Z below 14.3 p and 2.9 p, Y below 12.6 p, before and after: 3M + 4S, and no reduction besides the products'.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    unsafe fn doubled([x, y, z]: [Self; 3]) -> [Self; 3] {
        // A = X^2 < 3.42 p, B = Y^2 < 2.88 p.
        let [a, b] = Fp::square_raw_pair([x, y]);
        let (b, e) = (b.carried(), a.shifted::<1>().plus(a).carried());
        // X B < 1.49 p, Y Z < 1.44 p; C = B^2 < 1.1 p, F = E^2 with E = 3 A < 10.3 p, below 2.25 p.
        let [xb, yz] = Fp::times_raw_pair([x, y], [b, z]);
        let [c, f] = Fp::square_raw_pair([b, e]);
        // X3 = F - 8 X B.
        let x3 = f.minus(xb.shifted::<3>()).plus_multiple::<12>().carried();
        // Y3 = E (4 X B - X3) - 8 C; the factor is in (0.7 p, 21 p), the product below 3.6 p.
        let run = xb.shifted::<2>().minus(x3).plus_multiple::<15>().carried();
        let y3 = e.times_raw(run).minus(c.shifted::<3>());
        [
            x3,
            y3.plus_multiple::<9>().carried(),
            yz.shifted::<1>().carried(),
        ]
    }
}

impl Coordinate for Fp2 {
    const WORDS: usize = 16;

    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    unsafe fn one() -> Self {
        Fp2::of(Fp::splat(R260))
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    unsafe fn load(at: [*const u64; 8]) -> [Self; 2] {
        let factor = Fp::splat(R264);
        // SAFETY: by the caller's promise.
        let point = unsafe { [Fp2::load(at, 0), Fp2::load(at, 1)] };
        point.map(|half| half.scaled(factor))
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    unsafe fn store(at: [*mut u64; 8], point: [Self; 2]) {
        for (line, half) in point.into_iter().enumerate() {
            let scaled = half.scaled(Fp::splat(R256));
            let canonical = scaled.map2(scaled, |a, _| a.canonical());
            // SAFETY: by the caller's promise.
            unsafe { canonical.store(at, line) };
        }
    }

    /// Below 2.15 p where the bounds of the factors are below 12 together.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    unsafe fn times(self, other: Self) -> Self {
        Fp2::times(self, other)
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    unsafe fn inverted(self) -> Option<Self> {
        Some(Fp2::inverted(self)?.scaled(Fp::splat(R262)))
    }

    /// X and Y below 1.1 p, Z below 3.2 p, before and after.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    unsafe fn doubled([x, y, z]: [Self; 3]) -> [Self; 3] {
        // A and B below 1.2 p; E = 3 A < 3.6 p.
        let a = x.square_raw::<3>();
        let b = y.square_raw::<3>().map2(y, |b, _| b.carried());
        let e = a.map2(a, |a, _| a.shifted::<1>().plus(a).carried());
        // Parts of X B and Y Z are in (-0.05 p, 1.1 p), C = B^2 is below 1.2 p, F = E^2 below 1.8 p.
        let xb = x.times_raw(b);
        let yz = y.times_raw(z);
        let c = b.square_raw::<3>();
        let f = e.square_raw::<4>();
        let x3 = f.map2(xb, |f, xb| {
            let x3 = f.minus(xb.shifted::<3>()).plus_multiple::<10>();
            x3.carried().reduced_any()
        });
        // The factor is in (0.7 p, 6.5 p), so the product's parts are above -0.3 p.
        let run = xb.map2(x3, |xb, x3| {
            xb.shifted::<2>().minus(x3).plus_multiple::<2>().carried()
        });
        let y3 = e.times_raw(run).map2(c, |product, c| {
            let y3 = product.minus(c.shifted::<3>()).plus_multiple::<11>();
            y3.carried().reduced_any()
        });
        let z3 = yz.map2(yz, |yz, _| yz.shifted::<1>().plus_multiple::<1>().carried());
        [x3, y3, z3]
    }
}

/// `rows[w][i] = 2^(width w) bases[i]` for bases that are not infinity, or nothing of use and `false` when a multiple is
/// infinity, which takes points off the curve.
///
/// # Safety
/// The processor has AVX-512 F, DQ, VL and IFMA.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
unsafe fn fill<F: Coordinate, const N: usize>(
    bases: &[Packed<N>],
    width: u32,
    rows: &mut [&mut [Packed<N>]],
) -> bool {
    const { assert!(F::WORDS == N) };
    assert!(rows.iter().all(|row| row.len() == bases.len()));
    let mut spare = [Packed::INFINITY; 8];
    let windows = rows.len();
    let (mut points, mut prefixes) = (Vec::<[F; 3]>::new(), Vec::<F>::new());
    for start in (0..bases.len()).step_by(8 * CHAINS) {
        let end = (start + 8 * CHAINS).min(bases.len());
        points.clear();
        prefixes.clear();
        // SAFETY: the processor has the instructions, here and below.
        let mut product = unsafe { F::one() };
        for first in (start..end).step_by(8) {
            // Lanes beyond the last base repeat it.
            let at = std::array::from_fn(|lane| bases[(first + lane).min(end - 1)].0.as_ptr());
            // SAFETY: points are aligned to cache lines.
            let mut point = unsafe {
                let [x, y] = F::load(at);
                [x, y, F::one()]
            };
            for window in 0..windows {
                for _ in 0..if window == 0 { 0 } else { width } {
                    // SAFETY: as above.
                    point = unsafe { F::doubled(point) };
                }
                points.push(point);
                prefixes.push(product);
                // SAFETY: as above.
                product = unsafe { product.times(point[2]) };
            }
        }
        // SAFETY: as above.
        let Some(mut inverse) = (unsafe { product.inverted() }) else {
            return false;
        };
        for (k, ([x, y, z], prefix)) in points.iter().zip(&prefixes).enumerate().rev() {
            let (first, window) = (start + k / windows * 8, k % windows);
            let (row, spare) = (rows[window].as_mut_ptr(), spare.as_mut_ptr());
            let at = std::array::from_fn(|lane| {
                let place = if first + lane < end {
                    row.wrapping_add(first + lane)
                } else {
                    spare.wrapping_add(lane)
                };
                place.cast()
            });
            // SAFETY: as above; places are distinct, and in rows of as many points as there are bases.
            unsafe {
                let inverted = inverse.times(*prefix);
                inverse = inverse.times(*z);
                let square = inverted.times(inverted);
                F::store(at, [x.times(square), y.times(square.times(inverted))]);
            }
        }
    }
    true
}

/// [`fill`] in G1.
///
/// # Safety
/// As [`fill`].
pub(crate) unsafe fn multiples_g1(
    bases: &[Packed<8>],
    width: u32,
    rows: &mut [&mut [Packed<8>]],
) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { fill::<Fp, 8>(bases, width, rows) }
}

/// [`fill`] in G2.
///
/// # Safety
/// As [`fill`].
pub(crate) unsafe fn multiples_g2(
    bases: &[Packed<16>],
    width: u32,
    rows: &mut [&mut [Packed<16>]],
) -> bool {
    // SAFETY: by the caller's promise.
    unsafe { fill::<Fp2, 16>(bases, width, rows) }
}
