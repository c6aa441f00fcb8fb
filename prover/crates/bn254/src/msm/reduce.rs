//! From buckets to a weighted sum, in batches.
//!
//! Writing a bucket's index as bits, `sum (b + 1) B_b = sum_j 2^j (sum of B_b with bit j set) + sum B_b`. Rows and columns
//! of the bucket array, seen as a square, are summed as trees; their sums are two arrays of half the index bits,
//! treated alike until each array holds one bit. Every round is one batch over all arrays, two additions a bucket in
//! all, and what is left for projective arithmetic is one point a bit.

use ark_ec::short_weierstrass::Projective;

use super::accumulate::Accumulator;
use crate::curve::{Curve, point_or_zero};

/// Sums of one window's buckets.
#[derive(Debug)]
pub(crate) struct WindowSums<C: Curve> {
    /// At `j`, the sum of the buckets whose index has bit `j` set.
    pub bits: Vec<Projective<C>>,
    /// The sum of all buckets.
    pub total: Projective<C>,
}

#[derive(Clone, Copy, Debug)]
struct Array {
    window: usize,
    start: usize,
    /// Index bits of the array.
    log_len: u32,
    /// Position of its lowest index bit in the bucket's index.
    shift: u32,
}

/// Sums the `windows` bucket arrays of `2^log_buckets * copies` slots each; copies of a bucket are adjacent.
pub(crate) fn window_sums<C: Curve>(
    accumulator: &mut Accumulator<C>,
    windows: usize,
    log_buckets: u32,
    copies: usize,
) -> Vec<WindowSums<C>> {
    merge_copies(accumulator, windows << log_buckets, copies);
    let mut done = Vec::new();
    let mut arrays: Vec<Array> = (0..windows)
        .map(|window| Array {
            window,
            start: window << log_buckets,
            log_len: log_buckets,
            shift: 0,
        })
        .collect();
    let mut free = windows << log_buckets;
    while !arrays.is_empty() {
        let (split, single): (Vec<Array>, Vec<Array>) =
            arrays.into_iter().partition(|a| a.log_len > 1);
        done.extend(single);
        arrays = split_arrays(accumulator, &split, &mut free);
    }
    let mut sums: Vec<WindowSums<C>> = (0..windows)
        .map(|_| WindowSums {
            bits: vec![Projective::default(); log_buckets as usize],
            total: Projective::default(),
        })
        .collect();
    for array in done {
        let sum = &mut sums[array.window];
        let high = point_or_zero::<C>(accumulator.get(array.start + 1));
        sum.bits[array.shift as usize] = high;
        if array.shift == 0 {
            sum.total = high + point_or_zero::<C>(accumulator.get(array.start));
        }
    }
    sums
}

fn merge_copies<C: Curve>(accumulator: &mut Accumulator<C>, buckets: usize, copies: usize) {
    let mut half = copies / 2;
    while half > 0 {
        for bucket in 0..buckets {
            for copy in 0..half {
                let slot = bucket * copies + copy;
                accumulator.add_slots(slot, slot + half);
            }
        }
        accumulator.run_slots();
        half /= 2;
    }
    if copies > 1 {
        for bucket in 0..buckets {
            accumulator.copy_slot(bucket, bucket * copies);
        }
    }
}

/// Splits each array into the array of its row sums (high index bits) and that of its column sums (low bits).
fn split_arrays<C: Curve>(
    accumulator: &mut Accumulator<C>,
    arrays: &[Array],
    free: &mut usize,
) -> Vec<Array> {
    let mut parts = Vec::with_capacity(2 * arrays.len());
    for array in arrays {
        let len = 1 << array.log_len;
        let low_bits = array.log_len / 2;
        let columns = *free;
        *free += len;
        accumulator.reserve_slots(*free);
        for k in 0..len {
            accumulator.copy_slot(columns + k, array.start + k);
        }
        parts.push(Array {
            log_len: array.log_len - low_bits,
            shift: array.shift + low_bits,
            ..*array
        });
        parts.push(Array {
            start: columns,
            log_len: low_bits,
            ..*array
        });
    }
    let rounds = parts.iter().map(|a| a.log_len).max().unwrap_or(0);
    for round in 1..=rounds {
        for pair in parts.chunks_exact(2) {
            let [rows, columns] = pair else {
                unreachable!()
            };
            let row_len = 1 << columns.log_len;
            if round <= columns.log_len {
                let half = row_len >> round;
                for row in 0..1 << rows.log_len {
                    let at = rows.start + row * row_len;
                    for k in at..at + half {
                        accumulator.add_slots(k, k + half);
                    }
                }
            }
            if round <= rows.log_len {
                let half = row_len << (rows.log_len - round);
                for k in columns.start..columns.start + half {
                    accumulator.add_slots(k, k + half);
                }
            }
        }
        accumulator.run_slots();
    }
    for pair in parts.chunks_exact(2) {
        let (start, row_len) = (pair[0].start, 1 << pair[1].log_len);
        for row in 1..1 << pair[0].log_len {
            accumulator.copy_slot(start + row, start + row * row_len);
        }
    }
    parts
}
