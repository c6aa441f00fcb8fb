//! Words in memory to vectors and back.

use std::arch::x86_64::{
    __m256i, __m512i, _mm256_loadu_si256, _mm256_storeu_si256, _mm512_castsi256_si512,
    _mm512_castsi512_si256, _mm512_extracti64x4_epi64, _mm512_inserti64x4,
    _mm512_permutex2var_epi64, _mm512_set_epi64, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

/// Words 0 to 3 at each pointer, transposed: vector `k` holds word `k` of all lanes.
///
/// # Safety
/// Four words are readable at each pointer.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
#[inline]
pub(crate) unsafe fn load_words<P: Copy + Into<*const u64>>(
    at: [P; 8],
    offset: usize,
) -> [__m512i; 4] {
    let row = |lane: usize| -> __m256i {
        let pointer: *const u64 = at[lane].into();
        // SAFETY: readable by the caller's promise.
        unsafe { _mm256_loadu_si256(pointer.wrapping_add(offset).cast()) }
    };
    let pair =
        |lane: usize| _mm512_inserti64x4::<1>(_mm512_castsi256_si512(row(lane)), row(lane + 4));
    let (z0, z1, z2, z3) = (pair(0), pair(1), pair(2), pair(3));
    let (even01, odd01) = (_mm512_unpacklo_epi64(z0, z1), _mm512_unpackhi_epi64(z0, z1));
    let (even23, odd23) = (_mm512_unpacklo_epi64(z2, z3), _mm512_unpackhi_epi64(z2, z3));
    let low = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
    let high = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
    [
        _mm512_permutex2var_epi64(even01, low, even23),
        _mm512_permutex2var_epi64(odd01, low, odd23),
        _mm512_permutex2var_epi64(even01, high, even23),
        _mm512_permutex2var_epi64(odd01, high, odd23),
    ]
}

/// The inverse of [`load_words`].
///
/// # Safety
/// Four words are writable at each pointer.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
#[inline]
pub(crate) unsafe fn store_words(at: [*mut u64; 8], offset: usize, w: [__m512i; 4]) {
    let low = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    let high = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    let (even01, odd01) = (
        _mm512_unpacklo_epi64(w[0], w[1]),
        _mm512_unpackhi_epi64(w[0], w[1]),
    );
    let (even23, odd23) = (
        _mm512_unpacklo_epi64(w[2], w[3]),
        _mm512_unpackhi_epi64(w[2], w[3]),
    );
    for (first, rows) in [
        (0, _mm512_permutex2var_epi64(even01, low, even23)),
        (1, _mm512_permutex2var_epi64(odd01, low, odd23)),
        (4, _mm512_permutex2var_epi64(even01, high, even23)),
        (5, _mm512_permutex2var_epi64(odd01, high, odd23)),
    ] {
        // SAFETY: writable by the caller's promise.
        unsafe {
            _mm256_storeu_si256(
                at[first].wrapping_add(offset).cast(),
                _mm512_castsi512_si256(rows),
            );
            _mm256_storeu_si256(
                at[first + 2].wrapping_add(offset).cast(),
                _mm512_extracti64x4_epi64::<1>(rows),
            );
        }
    }
}
