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

/// Two butterflies whose products are interleaved.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
#[inline]
fn butterfly_pair(x: &mut [F], y: &mut [F], twiddles: [F; 2]) {
    let products = F::times_raw_pair([y[0], y[1]], twiddles);
    for k in 0..2 {
        let sum = x[k].plus(products[k]).carried();
        y[k] = x[k].minus(products[k]).plus_multiple::<2>().carried();
        x[k] = sum;
    }
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
    if let ([x], [y]) = (&mut *low, &mut *high) {
        (*x, *y) = butterfly(*x, *y, twiddle);
        return;
    }
    for (x, y) in low.chunks_exact_mut(2).zip(high.chunks_exact_mut(2)) {
        butterfly_pair(x, y, [twiddle; 2]);
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
    let twiddles = &twiddles[low.len()..2 * low.len()];
    if let ([x], [y], [twiddle]) = (&mut *low, &mut *high, twiddles) {
        (*x, *y) = butterfly(*x, *y, F::splat(*twiddle));
        return;
    }
    let pairs = low.chunks_exact_mut(2).zip(high.chunks_exact_mut(2));
    for ((x, y), twiddles) in pairs.zip(twiddles.chunks_exact(2)) {
        butterfly_pair(x, y, [F::splat(twiddles[0]), F::splat(twiddles[1])]);
    }
}

/// All levels of the transform back that pair the rows of a tile, on columns `first..first + 8` of `columns`.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub(super) fn merge_rows(tile: &mut [F], columns: usize, first: usize, twiddles: &[Fr]) {
    for pair in tile.chunks_exact_mut(2) {
        let (x, y) = (pair[0], pair[1]);
        let (low, high) = butterfly(x, y, gather(twiddles, columns + first, 1));
        pair.copy_from_slice(&[low, high]);
    }
    let mut length = 4;
    while length <= tile.len() {
        let half = length / 2;
        for row in (0..half).step_by(2) {
            // Rows `row` and `row + 1` of a block of `length` rows, columns `first..`: i = row * columns + first + lane.
            let index = (half + row) * columns + first;
            let pair = [
                gather(twiddles, index, 1),
                gather(twiddles, index + columns, 1),
            ];
            for block in tile.chunks_exact_mut(length) {
                let (low, high) = block.split_at_mut(half);
                butterfly_pair(&mut low[row..row + 2], &mut high[row..row + 2], pair);
            }
        }
        length *= 2;
    }
}
