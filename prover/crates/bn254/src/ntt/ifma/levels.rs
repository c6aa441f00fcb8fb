//! Levels of butterflies on a tile.

use ark_bn254::Fr;

use super::F;
use crate::field::ifma::load_words;

/// Blocks below this are transformed level by level, in L1: 64 vectors of 320 bytes.
const SMALL_BLOCK: usize = 64;

/// `(x + w y, x - w y)`, carried; `w` below r, `y` below 84 r.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
#[inline]
fn butterfly(x: F, y: F, twiddle: F) -> (F, F) {
    let product = y.times_raw(twiddle);
    (
        x.plus(product).carried(),
        x.minus(product).plus_multiple::<2>().carried(),
    )
}

/// Block `index` of its level and all levels below it; twiddles are the same in all lanes.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub(super) fn split_rows(block: &mut [F], index: usize, twiddles: &[[u64; 5]]) {
    if block.len() > SMALL_BLOCK {
        let (low, high) = block.split_at_mut(block.len() / 2);
        pair_with(low, high, F::splat(twiddles[index]));
        split_rows(low, 2 * index, twiddles);
        split_rows(high, 2 * index + 1, twiddles);
        return;
    }
    let (mut length, mut first) = (block.len(), index);
    while length > 1 {
        for (k, part) in block.chunks_exact_mut(length).enumerate() {
            let (low, high) = part.split_at_mut(length / 2);
            pair_with(low, high, F::splat(twiddles[first + k]));
        }
        length /= 2;
        first *= 2;
    }
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
#[inline]
fn pair_with(low: &mut [F], high: &mut [F], twiddle: F) {
    for (x, y) in low.iter_mut().zip(high) {
        (*x, *y) = butterfly(*x, *y, twiddle);
    }
}

/// One block of each of eight rows, and all levels below; lane `l` takes twiddles from `index + l * spread` on.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub(super) fn split_columns(block: &mut [F], index: usize, spread: usize, twiddles: &[Fr]) {
    if block.len() > SMALL_BLOCK {
        let (low, high) = block.split_at_mut(block.len() / 2);
        pair_with(low, high, gather(twiddles, index, spread));
        split_columns(low, 2 * index, 2 * spread, twiddles);
        split_columns(high, 2 * index + 1, 2 * spread, twiddles);
        return;
    }
    let (mut length, mut first, mut spread) = (block.len(), index, spread);
    while length > 1 {
        for (k, part) in block.chunks_exact_mut(length).enumerate() {
            let (low, high) = part.split_at_mut(length / 2);
            pair_with(low, high, gather(twiddles, first + k, spread));
        }
        length /= 2;
        first *= 2;
        spread *= 2;
    }
}

/// Lanes `table[index + lane * stride]`.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
#[inline]
pub(super) fn gather(table: &[Fr], index: usize, stride: usize) -> F {
    assert!(index + 7 * stride < table.len(), "twiddles of the domain");
    let at: [*const u64; 8] =
        std::array::from_fn(|lane| table[index + lane * stride..].as_ptr().cast());
    // SAFETY: each pointer is to an element of the table, which is four words.
    F::from_words(unsafe { load_words(at, 0) })
}

/// All levels of the transform back within a block of eight rows, bottom up.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub(super) fn merge_columns(block: &mut [F], twiddles: &[[u64; 5]]) {
    if block.len() > SMALL_BLOCK {
        let (low, high) = block.split_at_mut(block.len() / 2);
        merge_columns(low, twiddles);
        merge_columns(high, twiddles);
        merge_pair(low, high, twiddles);
        return;
    }
    let mut length = 2;
    while length <= block.len() {
        for part in block.chunks_exact_mut(length) {
            let (low, high) = part.split_at_mut(length / 2);
            merge_pair(low, high, twiddles);
        }
        length *= 2;
    }
}

#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
#[inline]
fn merge_pair(low: &mut [F], high: &mut [F], twiddles: &[[u64; 5]]) {
    let half = low.len();
    for ((x, y), twiddle) in low.iter_mut().zip(high).zip(&twiddles[half..]) {
        (*x, *y) = butterfly(*x, *y, F::splat(*twiddle));
    }
}

/// All levels of the transform back that pair the rows of a tile, on columns `first..first + 8` of `columns`.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub(super) fn merge_rows(tile: &mut [F], columns: usize, first: usize, twiddles: &[Fr]) {
    let mut length = 2;
    while length <= tile.len() {
        let half = length / 2;
        for row in 0..half {
            // Row `row` of a block of `length` rows, columns `first..`: i = row * columns + first + lane.
            let index = half * columns + row * columns + first;
            let twiddle = gather(twiddles, index, 1);
            for start in (0..tile.len()).step_by(length) {
                let (x, y) = (start + row, start + row + half);
                (tile[x], tile[y]) = butterfly(tile[x], tile[y], twiddle);
            }
        }
        length *= 2;
    }
}
