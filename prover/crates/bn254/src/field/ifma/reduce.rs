//! Reductions short of a product.

use std::arch::x86_64::{
    _mm_cvtsi64_si128, _mm512_add_epi64, _mm512_and_si512, _mm512_cmplt_epi64_mask,
    _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_mov_epi64, _mm512_permutexvar_epi64,
    _mm512_set_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_sll_epi64, _mm512_srl_epi64,
    _mm512_srli_epi64, _mm512_sub_epi64,
};

use super::{Constants, Lanes, MASK, Modulus, or_and};

impl<M: Modulus> Lanes<M> {
    /// Values in [p/4, 5.29 p) brought below 1.65 p and carried; limbs of magnitude below 2^60.
    ///
    /// The top limb alone decides which multiple of p is subtracted; what the limbs below would carry into it is less
    /// than 2^-37 of p, and no multiple of 2^253 lies that near above a multiple of p.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn reduced(self) -> Self {
        let index = _mm512_srli_epi64::<45>(self.limbs[4]);
        let mut l = self.limbs;
        for (j, limb) in l.iter_mut().enumerate() {
            let q = |k: usize| {
                let (m, q) = (Constants::<M>::MULTIPLES, Constants::<M>::QUOTIENTS);
                m[q[k] as usize][j].cast_signed()
            };
            let table = _mm512_set_epi64(q(7), q(6), q(5), q(4), q(3), q(2), q(1), q(0));
            *limb = _mm512_sub_epi64(*limb, _mm512_permutexvar_epi64(index, table));
        }
        Self::new(l).carried()
    }

    /// Carried values below 84 p brought below 1.01 p, carried.
    ///
    /// The quotient by p, estimated from the top limb in fixed point, is never too large, and one too small only where the
    /// value exceeds a multiple of p by less than 2^-36 p.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn reduced_any(self) -> Self {
        let reciprocal = const { (1u128 << 97) / (Constants::<M>::MULTIPLES[1][4] as u128 + 1) };
        let reciprocal = _mm512_set1_epi64((reciprocal as u64).cast_signed());
        let p = const { Constants::<M>::MULTIPLES[1] }.map(|l| _mm512_set1_epi64(l.cast_signed()));
        let zero = _mm512_setzero_si512();
        let quotient =
            _mm512_srli_epi64::<45>(_mm512_madd52hi_epu64(zero, self.limbs[4], reciprocal));
        let mut product = [zero; 6];
        for j in 0..5 {
            product[j] = _mm512_madd52lo_epu64(product[j], quotient, p[j]);
            product[j + 1] = _mm512_madd52hi_epu64(product[j + 1], quotient, p[j]);
        }
        let [a, b, c, d, e, _] = product;
        self.minus(Self::new([a, b, c, d, e])).carried()
    }

    /// Carried values below 2 p brought below p, carried.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn canonical(self) -> Self {
        let less = self
            .minus(Self::splat(const { Constants::<M>::MULTIPLES[1] }))
            .carried();
        let negative = _mm512_cmplt_epi64_mask(less.limbs[4], _mm512_setzero_si512());
        let mut out = less.limbs;
        for (x, y) in out.iter_mut().zip(self.limbs) {
            *x = _mm512_mask_mov_epi64(*x, negative, y);
        }
        Self::new(out)
    }

    /// `self / 2^bits` modulo p for `bits` <= 51, carried and below p more than the input over `2^bits`; carried input.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn halved(self, bits: u32) -> Self {
        let p = const { Constants::<M>::MULTIPLES[1] }.map(|l| _mm512_set1_epi64(l.cast_signed()));
        let factor = _mm512_set1_epi64(const { Constants::<M>::NEGATED_INVERSE }.cast_signed());
        let low = _mm512_set1_epi64((1i64 << bits) - 1);
        let mask = _mm512_set1_epi64(MASK.cast_signed());
        let m = _mm512_madd52lo_epu64(_mm512_setzero_si512(), self.limbs[0], factor);
        let m = _mm512_and_si512(m, low);
        let mut sum = self.limbs;
        for j in 0..5 {
            sum[j] = _mm512_madd52lo_epu64(sum[j], m, p[j]);
        }
        for j in 0..4 {
            sum[j + 1] = _mm512_madd52hi_epu64(sum[j + 1], m, p[j]);
        }
        // hi(m p[4]) is zero or falls on limb 5, which the division brings back into limb 4.
        let top = _mm512_madd52hi_epu64(_mm512_setzero_si512(), m, p[4]);
        let l = Self::new(sum).carried().limbs;
        let high = _mm512_add_epi64(top, _mm512_srli_epi64::<52>(l[4]));
        let l = [l[0], l[1], l[2], l[3], _mm512_and_si512(l[4], mask), high];
        let (down, up) = (
            _mm_cvtsi64_si128(i64::from(bits)),
            _mm_cvtsi64_si128(i64::from(52 - bits)),
        );
        let mut out = [_mm512_setzero_si512(); 5];
        for j in 0..5 {
            out[j] = or_and(
                _mm512_srl_epi64(l[j], down),
                _mm512_sll_epi64(l[j + 1], up),
                mask,
            );
        }
        Self::new(out)
    }
}
