//! Batch-affine addition on eight lanes of 52-bit limbs, for both groups.
//!
//! Coordinates of slots are below 1.65 p before and after, those of bases below p. Exponents of two: words in memory carry
//! 2^256, and a product of factors that carry 2^a and 2^b carries 2^(a + b - 260). The k-th prefix product of differences
//! carries 2^(260 - 4k); the inverse of all N carries 2^(258 + 4N), so that every single inverse carries 2^262. Slopes
//! then carry 2^258, their squares 2^256, and y3 = slope * 4 (x1 - x3) - y1 carries 2^256 again.

mod g1;
mod g2;
mod multiples;

use std::arch::x86_64::{__m512i, __mmask8};

use ark_bn254::Fq;
use ark_ff::{BigInt, BigInteger, PrimeField};

use super::{Addition, Curve, NEGATE, Source};
use crate::field::ifma::{FqModulus, Lanes, load_lines, load_words, store_lines};
use crate::field::inverse::Invert;
use crate::packed::Packed;

pub(crate) use g1::{BuffersG1, add_batch_g1};
pub(crate) use g2::{BuffersG2, add_batch_g2};
pub(crate) use multiples::{multiples_g1, multiples_g2};

type Fp = Lanes<FqModulus>;

/// Addresses of the points of eight additions.
struct Pointers {
    dst: [*mut u64; 8],
    src: [*const u64; 8],
    negate: __mmask8,
}

impl Pointers {
    /// Words `offset..offset + 4` of the sources, each below 2^256.
    ///
    /// # Safety
    /// The processor has the instructions; `offset + 4` words are readable at each source.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    unsafe fn load_src(&self, offset: usize) -> Fp {
        // SAFETY: by the caller's promise.
        Fp::from_words(unsafe { load_words(self.src, offset) })
    }

    /// As [`Self::load_src`], of destinations.
    ///
    /// # Safety
    /// As [`Self::load_src`].
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    unsafe fn load_dst(&self, offset: usize) -> Fp {
        // SAFETY: by the caller's promise.
        Fp::from_words(unsafe { load_words(self.dst.map(|p| p.cast_const()), offset) })
    }
}

/// Both halves of cache line `line` at each pointer.
///
/// # Safety
/// The processor has the instructions; the lines are readable, the pointers multiples of 64.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
#[inline]
unsafe fn load_line(at: [*const u64; 8], line: usize) -> [Fp; 2] {
    // SAFETY: by the caller's promise.
    unsafe { load_lines(at.map(|p| p.wrapping_add(8 * line))) }.map(|words| Fp::from_words(words))
}

/// The inverse of [`load_line`], of carried values below 2^256.
///
/// # Safety
/// As [`load_line`], writable.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
#[inline]
unsafe fn store_line(at: [*mut u64; 8], line: usize, halves: [Fp; 2]) {
    let words = halves.map(|half| half.to_words());
    // SAFETY: by the caller's promise.
    unsafe { store_lines(at.map(|p| p.wrapping_add(8 * line)), words) };
}

/// Where an addition's points lie.
struct Places<const N: usize> {
    slots: *mut u64,
    sources: *const u64,
}

impl<const N: usize> Places<N> {
    fn new<C: Curve<Slot = Packed<N>>>(slots: &mut [Packed<N>], source: &Source<'_, C>) -> Self {
        let slots: *mut u64 = slots.as_mut_ptr().cast();
        let sources = match source {
            Source::Bases(bases) => bases.as_ptr().cast(),
            Source::Slots => slots.cast_const(),
        };
        Self { slots, sources }
    }

    /// Lanes without an addition work on `spare`, two points with different x.
    #[inline(always)]
    fn of(&self, additions: &[Addition], spare: &mut [Packed<N>; 2]) -> Pointers {
        if let Ok(eight) = <&[Addition; 8]>::try_from(additions) {
            return Pointers {
                dst: eight.map(|a| self.destination(a)),
                src: eight.map(|a| self.source(a)),
                negate: eight
                    .iter()
                    .rev()
                    .fold(0, |mask, a| mask << 1 | (a.src >> 31) as u8),
            };
        }
        let [first, second] = spare;
        let mut out = Pointers {
            dst: [first.0.as_mut_ptr(); 8],
            src: [second.0.as_ptr(); 8],
            negate: 0,
        };
        for (lane, &addition) in additions.iter().enumerate() {
            out.dst[lane] = self.destination(addition);
            out.src[lane] = self.source(addition);
            out.negate |= u8::from(addition.src & NEGATE != 0) << lane;
        }
        out
    }

    /// Sixteen additions as two times eight; the second eight may be spare lanes altogether.
    #[inline(always)]
    fn of_pair(&self, additions: &[Addition], spare: &mut [Packed<N>; 2]) -> [Pointers; 2] {
        let (first, second) = additions.split_at(additions.len().min(8));
        [self.of(first, spare), self.of(second, spare)]
    }

    #[inline]
    fn destination(&self, addition: Addition) -> *mut u64 {
        self.slots.wrapping_add(addition.dst as usize * N)
    }

    #[inline]
    fn source(&self, addition: Addition) -> *const u64 {
        let index = (addition.src & !NEGATE) as usize;
        self.sources.wrapping_add(index * N)
    }
}

/// What lanes without an addition add: two points with different x.
const fn spare<const N: usize>() -> [Packed<N>; 2] {
    let mut points = [Packed::INFINITY; 2];
    points[1].0[0] = 1;
    points
}

/// The Fq elements whose Montgomery words are the lanes, which lie below 2^256.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
fn to_scalars(lanes: Fp) -> [Fq; 8] {
    // SAFETY: four vectors and four arrays of eight words have the same size, and any bits are valid words.
    let words: [[u64; 8]; 4] = unsafe { std::mem::transmute(lanes.to_words()) };
    std::array::from_fn(|lane| {
        let mut limbs = BigInt(std::array::from_fn(|k| words[k][lane]));
        while limbs >= Fq::MODULUS {
            limbs.sub_with_borrow(&Fq::MODULUS);
        }
        Fq::new_unchecked(limbs)
    })
}

/// The lanes that hold the Montgomery words of `values`.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
fn from_scalars(values: [Fq; 8]) -> Fp {
    let words: [[u64; 8]; 4] =
        std::array::from_fn(|k| std::array::from_fn(|lane| values[lane].0.0[k]));
    // SAFETY: as in `to_scalars`.
    Fp::from_words(unsafe { std::mem::transmute::<[[u64; 8]; 4], [__m512i; 4]>(words) })
}

/// For each value with words t 2^e, the one with words 2^(518 - e) / t; `None` when one is zero.
fn invert_all<F: Invert>(values: [F; 8]) -> Option<[F; 8]> {
    // As Montgomery words with R = 2^256 they stand for t 2^(e - 256), and 2^(262 - e) / t is 2^6 over that.
    let mut out = [F::ZERO; 8];
    let mut product = F::ONE;
    for (prefix, value) in out.iter_mut().zip(&values) {
        *prefix = product;
        product *= value;
    }
    let mut inverse = product.inverted()? * F::from(1u64 << 6);
    for (prefix, value) in out.iter_mut().zip(&values).rev() {
        *prefix *= inverse;
        inverse *= value;
    }
    Some(out)
}

/// 2^260 mod p in limbs.
const ONE: [u64; 5] = {
    // 2^260 = 16 * 2^256, and 2^256 mod p is Montgomery's one.
    let one = <ark_bn254::FqConfig as ark_ff::MontConfig<4>>::R.0;
    let shifted = [
        one[0] << 4,
        one[0] >> 60 | one[1] << 4,
        one[1] >> 60 | one[2] << 4,
        one[2] >> 60 | one[3] << 4,
        one[3] >> 60,
    ];
    crate::field::ifma::limbs(shifted)
};
