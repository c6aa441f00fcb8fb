//! Scalars cut into signed digits, the window width chosen for their number and their sizes.
//!
//! A digit of `c` bits lies in [-2^(c-1), 2^(c-1)). Adding the constant with 2^(c-1) at every window makes the digits plain
//! bit fields of the sum, so no carry runs from window to window.

use ark_bn254::Fr;
use ark_ff::{BigInteger, PrimeField};
use rayon::prelude::*;

use super::table::Table;
use crate::curve::Curve;
use crate::scalars::Scalars;

/// Points whose digits are cut and stored together; one window's digits of a block are 8 KiB.
pub(crate) const BLOCK: usize = 4096;

/// Digits of a cache line.
const LINE: usize = 32;

/// Widest digit: it must fit an `i16`, and 2^15 buckets of 64 bytes are already twice a megabyte of L2.
const MAX_WIDTH: u32 = 16;

/// Additions that reducing one bucket costs.
pub(crate) const REDUCTION_PER_BUCKET: f64 = 2.3;

/// Cost of looking at a zero digit, in additions.
const SCAN: f64 = 0.05;

/// Digits of consecutive points.
#[derive(Debug)]
pub(crate) struct Block {
    /// Index of the first point among the bases.
    pub start: usize,
    /// Number of points.
    pub len: usize,
    /// Window-major digits: `digits[window * stride + point]`.
    digits: Vec<i16>,
    stride: usize,
    /// Number of non-zero digits of each window.
    pub nonzero: Vec<u32>,
}

impl Block {
    /// Digits of one window.
    pub fn row(&self, window: usize) -> &[i16] {
        &self.digits[window * self.stride..][..self.len]
    }
}

/// Digits of all scalars of one kind.
#[derive(Debug)]
pub(crate) struct Digits {
    /// Bits a digit.
    pub width: u32,
    /// Digits a scalar.
    pub windows: usize,
    /// Whether each window has bases of its own, in a table, so that all share one array of buckets.
    pub shared: bool,
    /// The points, in order.
    pub blocks: Vec<Block>,
}

/// Histogram of signed bit lengths: at `k`, the scalars that need `k` bits in two's complement, zeros at 0.
type Lengths = [usize; 256];

fn signed_length(value: i64) -> usize {
    if value == 0 {
        return 0;
    }
    (65 - (value ^ (value >> 63)).leading_zeros()) as usize
}

/// Number of windows that hold every scalar of at most `length` signed bits.
pub(crate) fn windows_for(length: usize, width: u32) -> usize {
    let width = width as usize;
    if length <= width {
        1
    } else {
        // With several digits the largest sum is a little below 2^(c W - 1), hence the spare bit.
        (length + 1).div_ceil(width)
    }
}

/// Cost, in additions, of scalars of these lengths in digits of `width` bits that fill `arrays` arrays of buckets.
fn cost(lengths: &Lengths, width: u32, windows: usize, arrays: usize) -> f64 {
    let count: usize = lengths.iter().sum();
    let buckets = arrays as f64 * f64::from(1u32 << (width - 1));
    let additions: usize = lengths
        .iter()
        .enumerate()
        .map(|(length, n)| n * length.div_ceil(width as usize))
        .sum();
    additions as f64 + buckets * REDUCTION_PER_BUCKET + SCAN * (windows * count) as f64
}

/// The cheapest width for scalars of these lengths, with its windows and its cost.
fn choose_width(lengths: &Lengths) -> (u32, usize, f64) {
    let longest = lengths.iter().rposition(|&n| n > 0).unwrap_or(0);
    (2..=MAX_WIDTH)
        .map(|width| {
            let windows = windows_for(longest, width);
            (width, windows, cost(lengths, width, windows, windows))
        })
        .min_by(|a, b| a.2.total_cmp(&b.2))
        .expect("at least one width")
}

/// Costs, in additions, of `count` random scalars: without a table and with one of this shape.
pub(crate) fn costs_of_random(count: usize, width: u32, windows: usize) -> [f64; 2] {
    let mut lengths = [0; 256];
    lengths[254] = count;
    [choose_width(&lengths).2, cost(&lengths, width, windows, 1)]
}

/// Words holding 2^(c-1) at each of the windows.
pub(crate) fn bias(width: u32, windows: usize) -> [u64; 5] {
    let mut words = [0u64; 5];
    for window in 0..windows as u32 {
        let bit = window * width + width - 1;
        words[(bit / 64) as usize] |= 1 << (bit % 64);
    }
    words
}

/// Digits of the small segments of `scalars`, or `None` if there is none.
pub(crate) fn small_digits<C: Curve>(bases: &[C::Slot], scalars: &[Scalars<'_>]) -> Option<Digits> {
    let segments = pieces(scalars, |s| match *s {
        Scalars::Small(values) => Some(values),
        Scalars::Full(_) => None,
    });
    if segments.is_empty() {
        return None;
    }
    let lengths = segments
        .par_iter()
        .map(|(_, values)| {
            let mut lengths = [0; 256];
            for &value in *values {
                lengths[signed_length(value)] += 1;
            }
            lengths
        })
        .reduce(|| [0; 256], add_lengths);
    let (width, windows, _) = choose_width(&lengths);
    let bias = bias(width, windows);
    let bias = i128::from(bias[0]) | i128::from(bias[1]) << 64;
    let blocks = segments
        .par_iter()
        .map(|&(start, values)| {
            cut_block::<C, _>(start, &bases[start..], values, width, windows, |&value| {
                let words = (i128::from(value) + bias).cast_unsigned();
                [words as u64, (words >> 64) as u64, 0, 0, 0]
            })
        })
        .collect();
    Some(Digits {
        width,
        windows,
        shared: false,
        blocks,
    })
}

/// Digits of the full-width segments of `scalars`, or `None` if there is none. A scalar above r/2 is taken as the negative
/// of r less itself, so that small negative values have few digits. A `table` of the bases is used where that is cheaper.
///
/// # Panics
/// When a scalar is not below r.
pub(crate) fn full_digits<C: Curve>(
    bases: &[C::Slot],
    scalars: &[Scalars<'_>],
    table: Option<&Table<C>>,
) -> Option<Digits> {
    let segments = pieces(scalars, |s| match *s {
        Scalars::Full(values) => Some(values),
        Scalars::Small(_) => None,
    });
    if segments.is_empty() {
        return None;
    }
    let lengths = segments
        .par_iter()
        .map(|(_, values)| {
            let mut lengths = [0; 256];
            for value in *values {
                let (magnitude, _) = balance(value);
                let bits = (0..4)
                    .rev()
                    .find(|&k| magnitude[k] != 0)
                    .map_or(0, |k| 64 * k + 64 - magnitude[k].leading_zeros() as usize);
                lengths[if bits == 0 { 0 } else { bits + 1 }] += 1;
            }
            lengths
        })
        .reduce(|| [0; 256], add_lengths);
    let (mut width, mut windows, least) = choose_width(&lengths);
    let mut shared = false;
    if let Some(table) = table.filter(|t| cost(&lengths, t.width, t.windows, 1) < least) {
        (width, windows, shared) = (table.width, table.windows, true);
    }
    let bias = bias(width, windows);
    let blocks = segments
        .par_iter()
        .map(|&(start, values)| {
            cut_block::<C, _>(start, &bases[start..], values, width, windows, |value| {
                let (magnitude, negative) = balance(value);
                let mut words = [0u64; 5];
                let mut carry = 0i128;
                for k in 0..5 {
                    let word = i128::from(magnitude.get(k).copied().unwrap_or(0));
                    carry += i128::from(bias[k]) + if negative { -word } else { word };
                    words[k] = carry as u64;
                    carry >>= 64;
                }
                words
            })
        })
        .collect();
    Some(Digits {
        width,
        windows,
        shared,
        blocks,
    })
}

/// The segments that `select` takes, cut into blocks with the index of their first point.
fn pieces<'a, T>(
    scalars: &[Scalars<'a>],
    select: impl Fn(&Scalars<'a>) -> Option<&'a [T]>,
) -> Vec<(usize, &'a [T])> {
    let mut out = Vec::new();
    let mut start = 0;
    for segment in scalars {
        if let Some(values) = select(segment) {
            out.extend(
                values
                    .chunks(BLOCK)
                    .enumerate()
                    .map(|(k, chunk)| (start + k * BLOCK, chunk)),
            );
        }
        start += segment.len();
    }
    out
}

fn add_lengths(mut a: Lengths, b: Lengths) -> Lengths {
    for (x, y) in a.iter_mut().zip(b) {
        *x += y;
    }
    a
}

/// The smaller of `value` and r less `value`, and whether it is the latter.
fn balance(value: &[u64; 4]) -> ([u64; 4], bool) {
    let mut negated = Fr::MODULUS;
    let borrow = negated.sub_with_borrow(&ark_ff::BigInt(*value));
    assert!(
        !borrow && !negated.is_zero(),
        "a scalar of a multi-scalar multiplication must be below r"
    );
    // The value is above r/2 < 2^253 exactly when its negative is the smaller.
    if negated.0.iter().rev().lt(value.iter().rev()) {
        (negated.0, true)
    } else {
        (*value, false)
    }
}

/// The digit of a window of biased words.
#[inline]
pub(crate) fn digit(words: &[u64; 5], window: u32, width: u32) -> i16 {
    let bit = window * width;
    let (word, offset) = ((bit / 64) as usize, bit % 64);
    let mut field = words[word] >> offset;
    if offset + width > 64 {
        field |= words[word + 1] << (64 - offset);
    }
    ((field & ((1 << width) - 1)) as i32 - (1 << (width - 1))) as i16
}

/// `value + bias`.
pub(crate) fn biased(value: &[u64; 4], bias: &[u64; 5]) -> [u64; 5] {
    let mut carry = 0u128;
    std::array::from_fn(|k| {
        carry += u128::from(bias[k]) + u128::from(value.get(k).copied().unwrap_or(0));
        let word = carry as u64;
        carry >>= 64;
        word
    })
}

/// Digits of one block from each scalar's biased words. Points at infinity get zero digits.
fn cut_block<C: Curve, T>(
    start: usize,
    bases: &[C::Slot],
    values: &[T],
    width: u32,
    windows: usize,
    biased: impl Fn(&T) -> [u64; 5],
) -> Block {
    let len = values.len();
    // A cache line more than a block: rows a multiple of 4 KiB apart would share one set of L1.
    let stride = len.next_multiple_of(LINE) + LINE;
    let mut digits = vec![0i16; windows * stride];
    for (point, (value, base)) in values.iter().zip(bases).enumerate() {
        if C::is_infinity(base) {
            continue;
        }
        let words = biased(value);
        for window in 0..windows {
            digits[window * stride + point] = digit(&words, window as u32, width);
        }
    }
    let nonzero = (0..windows)
        .map(|w| {
            digits[w * stride..][..len]
                .iter()
                .map(|&d| u32::from(d != 0))
                .sum()
        })
        .collect();
    Block {
        start,
        len,
        digits,
        stride,
        nonzero,
    }
}
