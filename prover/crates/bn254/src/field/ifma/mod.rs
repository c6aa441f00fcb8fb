//! Eight field elements at a time: five limbs of 52 bits, Montgomery products with R = 2^260, AVX-512 IFMA.
//!
//! A product of values below `a p` and `b p` is below `(a b / 84.6 + 1) p`, since 2^260 / p > 84.6 for both fields of
//! BN254; so sums and differences of a few values are multiplied as they are, and reduced only before they are
//! stored. What a function needs of its inputs, and promises, is stated as such multiples of p. *Carried* means that every
//! limb is in [0, 2^52) (the multiplier reads no more); limbs of other values are signed 64-bit words.
//!
//! Words in memory hold X 2^256. The product of two such is X Y 2^252: callers count the exponents.

mod reduce;
#[cfg(test)]
mod tests;
mod words;

use std::arch::x86_64::{
    __m512i, __mmask8, _mm512_add_epi64, _mm512_and_si512, _mm512_madd52hi_epu64,
    _mm512_madd52lo_epu64, _mm512_mask_sub_epi64, _mm512_or_si512, _mm512_set1_epi64,
    _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srai_epi64, _mm512_srli_epi64,
    _mm512_sub_epi64, _mm512_ternarylogic_epi64,
};
use std::marker::PhantomData;

pub(crate) use words::{load_lines, load_words, store_lines, store_words};

/// Bits of a limb.
const MASK: u64 = (1 << 52) - 1;

/// A prime of the curve, in 64-bit words.
pub(crate) trait Modulus: Copy {
    /// The prime, least significant word first.
    const WORDS: [u64; 4];
}

/// Base field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FqModulus;

/// Scalar field, of the transforms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrModulus;

impl Modulus for FqModulus {
    const WORDS: [u64; 4] = <ark_bn254::Fq as ark_ff::PrimeField>::MODULUS.0;
}

impl Modulus for FrModulus {
    const WORDS: [u64; 4] = <ark_bn254::Fr as ark_ff::PrimeField>::MODULUS.0;
}

/// Constants derived from a modulus.
struct Constants<M>(PhantomData<M>);

impl<M: Modulus> Constants<M> {
    /// Multiples 0 to 63 of p in limbs, the last limb as wide as it needs to be.
    const MULTIPLES: [[u64; 5]; 64] = {
        let mut out = [[0; 5]; 64];
        let mut k = 0;
        while k < 64 {
            out[k] = limbs_of_multiple(&M::WORDS, k as u64);
            k += 1;
        }
        out
    };

    /// -1/p modulo 2^52, by Newton's iteration.
    const NEGATED_INVERSE: u64 = {
        let p = M::WORDS[0];
        let mut inverse = 1u64;
        let mut k = 0;
        while k < 6 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(p.wrapping_mul(inverse)));
            k += 1;
        }
        inverse.wrapping_neg() & MASK
    };

    /// At `k`, the multiple of p below `k * 2^253`: what a value whose bits 253 to 255 are `k` can lose.
    const QUOTIENTS: [u64; 8] = {
        let top = (M::WORDS[3] >> 16) + 1;
        let mut out = [0; 8];
        let mut k = 0;
        while k < 8 {
            out[k] = ((k as u64) << 45) / top;
            k += 1;
        }
        out
    };
}

const fn limbs_of_multiple(words: &[u64; 4], factor: u64) -> [u64; 5] {
    let mut wide = [0u64; 5];
    let mut carry = 0u128;
    let mut k = 0;
    while k < 4 {
        carry += words[k] as u128 * factor as u128;
        wide[k] = carry as u64;
        carry >>= 64;
        k += 1;
    }
    wide[4] = carry as u64;
    limbs(wide)
}

/// 52-bit limbs of a value below 2^260.
pub(crate) const fn limbs(wide: [u64; 5]) -> [u64; 5] {
    [
        wide[0] & MASK,
        (wide[0] >> 52 | wide[1] << 12) & MASK,
        (wide[1] >> 40 | wide[2] << 24) & MASK,
        (wide[2] >> 28 | wide[3] << 36) & MASK,
        wide[3] >> 16 | wide[4] << 48,
    ]
}

/// Eight values of five limbs: limb `j` of all lanes is vector `j`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Lanes<M> {
    pub limbs: [__m512i; 5],
    modulus: PhantomData<M>,
}

impl<M: Modulus> Lanes<M> {
    #[inline]
    pub fn new(limbs: [__m512i; 5]) -> Self {
        Self {
            limbs,
            modulus: PhantomData,
        }
    }

    /// The same value in all lanes.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn splat(limbs: [u64; 5]) -> Self {
        Self::new(limbs.map(|limb| _mm512_set1_epi64(limb.cast_signed())))
    }

    /// Limbs of words in memory order; each below 2^256.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn from_words(w: [__m512i; 4]) -> Self {
        let mask = _mm512_set1_epi64(MASK.cast_signed());
        Self::new([
            _mm512_and_si512(w[0], mask),
            or_and(
                _mm512_srli_epi64::<52>(w[0]),
                _mm512_slli_epi64::<12>(w[1]),
                mask,
            ),
            or_and(
                _mm512_srli_epi64::<40>(w[1]),
                _mm512_slli_epi64::<24>(w[2]),
                mask,
            ),
            or_and(
                _mm512_srli_epi64::<28>(w[2]),
                _mm512_slli_epi64::<36>(w[3]),
                mask,
            ),
            _mm512_srli_epi64::<16>(w[3]),
        ])
    }

    /// Words of carried values below 2^256.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn to_words(self) -> [__m512i; 4] {
        let l = self.limbs;
        [
            _mm512_or_si512(l[0], _mm512_slli_epi64::<52>(l[1])),
            _mm512_or_si512(_mm512_srli_epi64::<12>(l[1]), _mm512_slli_epi64::<40>(l[2])),
            _mm512_or_si512(_mm512_srli_epi64::<24>(l[2]), _mm512_slli_epi64::<28>(l[3])),
            _mm512_or_si512(_mm512_srli_epi64::<36>(l[3]), _mm512_slli_epi64::<16>(l[4])),
        ]
    }

    /// `self + other`, not carried.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn plus(self, other: Self) -> Self {
        let mut out = self.limbs;
        for (x, y) in out.iter_mut().zip(other.limbs) {
            *x = _mm512_add_epi64(*x, y);
        }
        Self::new(out)
    }

    /// `self - other`, not carried.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn minus(self, other: Self) -> Self {
        let mut out = self.limbs;
        for (x, y) in out.iter_mut().zip(other.limbs) {
            *x = _mm512_sub_epi64(*x, y);
        }
        Self::new(out)
    }

    /// The negatives of the lanes in `mask`, the others as they are, not carried.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn negated_where(self, mask: __mmask8) -> Self {
        let zero = _mm512_setzero_si512();
        Self::new(self.limbs.map(|l| _mm512_mask_sub_epi64(l, mask, zero, l)))
    }

    /// `self + K p`, not carried.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn plus_multiple<const K: usize>(self) -> Self {
        self.plus(Self::splat(const { Constants::<M>::MULTIPLES[K] }))
    }

    /// `self * 2^S`, not carried; limbs of magnitude up to 2^(63-S).
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn shifted<const S: u32>(self) -> Self {
        Self::new(self.limbs.map(|l| _mm512_slli_epi64::<S>(l)))
    }

    /// The same values, carried; they must lie in [0, 2^260).
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn carried(self) -> Self {
        let mask = _mm512_set1_epi64(MASK.cast_signed());
        let mut l = self.limbs;
        for j in 0..4 {
            l[j + 1] = _mm512_add_epi64(l[j + 1], _mm512_srai_epi64::<52>(l[j]));
            l[j] = _mm512_and_si512(l[j], mask);
        }
        Self::new(l)
    }

    /// `self * other / 2^260`, not carried, limbs in [0, 2^57); carried inputs.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn times_raw(self, other: Self) -> Self {
        let (a, b) = (self.limbs, other.limbs);
        let p = const { Constants::<M>::MULTIPLES[1] }.map(|l| _mm512_set1_epi64(l.cast_signed()));
        let inverse = _mm512_set1_epi64(const { Constants::<M>::NEGATED_INVERSE }.cast_signed());
        let zero = _mm512_setzero_si512();
        let mut acc = [zero; 6];
        for x in a {
            for j in 0..5 {
                acc[j] = _mm512_madd52lo_epu64(acc[j], x, b[j]);
            }
            let m = _mm512_madd52lo_epu64(zero, acc[0], inverse);
            for j in 0..5 {
                acc[j + 1] = _mm512_madd52hi_epu64(acc[j + 1], x, b[j]);
            }
            for j in 0..5 {
                acc[j] = _mm512_madd52lo_epu64(acc[j], m, p[j]);
            }
            for j in 0..5 {
                acc[j + 1] = _mm512_madd52hi_epu64(acc[j + 1], m, p[j]);
            }
            acc[1] = _mm512_add_epi64(acc[1], _mm512_srli_epi64::<52>(acc[0]));
            acc = [acc[1], acc[2], acc[3], acc[4], acc[5], zero];
        }
        Self::new([acc[0], acc[1], acc[2], acc[3], acc[4]])
    }

    /// Two products as [`Self::times_raw`] gives them, their steps interleaved: one alone leaves the multipliers waiting for
    /// its own carries a fifth of the time, and two in a row overlap only as far as the schedulers see.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn times_raw_pair(left: [Self; 2], right: [Self; 2]) -> [Self; 2] {
        let p = const { Constants::<M>::MULTIPLES[1] }.map(|l| _mm512_set1_epi64(l.cast_signed()));
        let inverse = _mm512_set1_epi64(const { Constants::<M>::NEGATED_INVERSE }.cast_signed());
        let zero = _mm512_setzero_si512();
        let mut acc = [[zero; 6]; 2];
        for i in 0..5 {
            let mut m = [zero; 2];
            for k in 0..2 {
                for (sum, limb) in acc[k].iter_mut().zip(right[k].limbs) {
                    *sum = _mm512_madd52lo_epu64(*sum, left[k].limbs[i], limb);
                }
                m[k] = _mm512_madd52lo_epu64(zero, acc[k][0], inverse);
            }
            for k in 0..2 {
                for j in 0..5 {
                    acc[k][j + 1] =
                        _mm512_madd52hi_epu64(acc[k][j + 1], left[k].limbs[i], right[k].limbs[j]);
                }
            }
            for k in 0..2 {
                for j in 0..5 {
                    acc[k][j] = _mm512_madd52lo_epu64(acc[k][j], m[k], p[j]);
                }
                for j in 0..5 {
                    acc[k][j + 1] = _mm512_madd52hi_epu64(acc[k][j + 1], m[k], p[j]);
                }
                let carry = _mm512_srli_epi64::<52>(acc[k][0]);
                acc[k] = [
                    _mm512_add_epi64(acc[k][1], carry),
                    acc[k][2],
                    acc[k][3],
                    acc[k][4],
                    acc[k][5],
                    zero,
                ];
            }
        }
        acc.map(|[a, b, c, d, e, _]| Self::new([a, b, c, d, e]))
    }

    /// `self * other / 2^260`, carried; carried inputs.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn times(self, other: Self) -> Self {
        self.times_raw(other).carried()
    }

    /// `self^2`, limbs in [0, 2^57); carried input. Fifteen partial products instead of 25.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    fn square_wide(self) -> Wide<M> {
        let a = self.limbs;
        let mut wide = [_mm512_setzero_si512(); 10];
        for i in 0..5 {
            for j in i + 1..5 {
                wide[i + j] = _mm512_madd52lo_epu64(wide[i + j], a[i], a[j]);
                wide[i + j + 1] = _mm512_madd52hi_epu64(wide[i + j + 1], a[i], a[j]);
            }
        }
        for limb in &mut wide {
            *limb = _mm512_add_epi64(*limb, *limb);
        }
        for i in 0..5 {
            wide[2 * i] = _mm512_madd52lo_epu64(wide[2 * i], a[i], a[i]);
            wide[2 * i + 1] = _mm512_madd52hi_epu64(wide[2 * i + 1], a[i], a[i]);
        }
        Wide {
            limbs: wide,
            modulus: PhantomData,
        }
    }

    /// Two squares over 2^260, not carried; carried inputs.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn square_raw_pair([a, b]: [Self; 2]) -> [Self; 2] {
        Wide::redc_pair([a.square_wide(), b.square_wide()])
    }

    /// The product, carried inputs, limbs in [0, 2^56).
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn times_wide(self, other: Self) -> Wide<M> {
        let (a, b) = (self.limbs, other.limbs);
        let mut wide = [_mm512_setzero_si512(); 10];
        for i in 0..5 {
            for j in 0..5 {
                wide[i + j] = _mm512_madd52lo_epu64(wide[i + j], a[i], b[j]);
                wide[i + j + 1] = _mm512_madd52hi_epu64(wide[i + j + 1], a[i], b[j]);
            }
        }
        Wide {
            limbs: wide,
            modulus: PhantomData,
        }
    }
}

/// Eight values of ten limbs, signed and not carried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wide<M> {
    limbs: [__m512i; 10],
    modulus: PhantomData<M>,
}

impl<M: Modulus> Wide<M> {
    /// `self - other`.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn minus(self, other: Self) -> Self {
        let mut out = self;
        for (x, y) in out.limbs.iter_mut().zip(other.limbs) {
            *x = _mm512_sub_epi64(*x, y);
        }
        out
    }

    /// Montgomery reduction of two values, their steps interleaved: `x / 2^260` modulo p, not carried; limbs of magnitude
    /// below 2^60. A value in [-a p 2^260, b p 2^260) gives one in [-a p, (b + 1) p).
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn redc_pair(values: [Self; 2]) -> [Lanes<M>; 2] {
        let p = const { Constants::<M>::MULTIPLES[1] }.map(|l| _mm512_set1_epi64(l.cast_signed()));
        let inverse = _mm512_set1_epi64(const { Constants::<M>::NEGATED_INVERSE }.cast_signed());
        let zero = _mm512_setzero_si512();
        let mut wide = values.map(|value| value.limbs);
        for i in 0..5 {
            let m = [0, 1].map(|k| _mm512_madd52lo_epu64(zero, wide[k][i], inverse));
            for k in 0..2 {
                for j in 0..5 {
                    wide[k][i + j] = _mm512_madd52lo_epu64(wide[k][i + j], m[k], p[j]);
                }
                for j in 0..5 {
                    wide[k][i + j + 1] = _mm512_madd52hi_epu64(wide[k][i + j + 1], m[k], p[j]);
                }
                let carry = _mm512_srai_epi64::<52>(wide[k][i]);
                wide[k][i + 1] = _mm512_add_epi64(wide[k][i + 1], carry);
            }
        }
        wide.map(|w| Lanes::new([w[5], w[6], w[7], w[8], w[9]]))
    }
}

/// `(a | b) & mask`.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
#[inline]
fn or_and(a: __m512i, b: __m512i, mask: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64::<0xA8>(a, b, mask)
}
