//! Words in memory to vectors and back.

use std::arch::x86_64::{
    __m256i, __m512i, _mm256_loadu_si256, _mm256_storeu_si256, _mm512_castsi256_si512,
    _mm512_castsi512_si256, _mm512_extracti64x4_epi64, _mm512_inserti64x4, _mm512_load_si512,
    _mm512_permutex2var_epi64, _mm512_set_epi64, _mm512_shuffle_i64x2, _mm512_store_si512,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
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

/// Eight cache lines of eight words, transposed: vector `k` holds word `k` of all lines. Its own inverse.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
#[inline]
fn transposed(r: [__m512i; 8]) -> [__m512i; 8] {
    let (e01, o01) = (
        _mm512_unpacklo_epi64(r[0], r[1]),
        _mm512_unpackhi_epi64(r[0], r[1]),
    );
    let (e23, o23) = (
        _mm512_unpacklo_epi64(r[2], r[3]),
        _mm512_unpackhi_epi64(r[2], r[3]),
    );
    let (e45, o45) = (
        _mm512_unpacklo_epi64(r[4], r[5]),
        _mm512_unpackhi_epi64(r[4], r[5]),
    );
    let (e67, o67) = (
        _mm512_unpacklo_epi64(r[6], r[7]),
        _mm512_unpackhi_epi64(r[6], r[7]),
    );
    // Of four quarters, `even` takes the first and third of both arguments, `odd` the second and fourth.
    let even = |a, b| _mm512_shuffle_i64x2::<0x88>(a, b);
    let odd = |a, b| _mm512_shuffle_i64x2::<0xDD>(a, b);
    let (e04, e26) = (
        (even(e01, e23), even(e45, e67)),
        (odd(e01, e23), odd(e45, e67)),
    );
    let (o15, o37) = (
        (even(o01, o23), even(o45, o67)),
        (odd(o01, o23), odd(o45, o67)),
    );
    [
        even(e04.0, e04.1),
        even(o15.0, o15.1),
        even(e26.0, e26.1),
        even(o37.0, o37.1),
        odd(e04.0, e04.1),
        odd(o15.0, o15.1),
        odd(e26.0, e26.1),
        odd(o37.0, o37.1),
    ]
}

/// The words of eight cache lines: vectors of words 0 to 3 and of words 4 to 7.
///
/// # Safety
/// Each pointer is to eight readable words and a multiple of 64.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
#[inline]
pub(crate) unsafe fn load_lines(at: [*const u64; 8]) -> [[__m512i; 4]; 2] {
    // SAFETY: readable and aligned by the caller's promise.
    let rows = at.map(|p| unsafe { _mm512_load_si512(p.cast()) });
    let [a, b, c, d, e, f, g, h] = transposed(rows);
    [[a, b, c, d], [e, f, g, h]]
}

/// The inverse of [`load_lines`].
///
/// # Safety
/// As [`load_lines`], writable.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
#[inline]
pub(crate) unsafe fn store_lines(at: [*mut u64; 8], [low, high]: [[__m512i; 4]; 2]) {
    let rows = transposed([
        low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3],
    ]);
    for (p, row) in at.into_iter().zip(rows) {
        // SAFETY: writable and aligned by the caller's promise.
        unsafe { _mm512_store_si512(p.cast(), row) };
    }
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
