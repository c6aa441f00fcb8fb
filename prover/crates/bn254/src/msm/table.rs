//! Tables of multiples for bases that are multiplied over and over.
//!
//! Beside each base B the table holds `2^(c w) B` for every window w, so that the digits of all windows go to one array of buckets:
//! it is reduced once, which makes wider windows, hence fewer of them, worth their buckets.

use std::fmt;

use ark_bn254::{g1, g2};
use rayon::prelude::*;

use super::digits::{REDUCTION_PER_BUCKET, costs_of_random, windows_for};
use crate::curve::Curve;
use crate::kernel::Kernel;
use crate::packed::{PackedG1, PackedG2};

/// Bases whose multiples are one task.
const CHUNK: usize = 256;

/// Signed bits of a balanced scalar: its magnitude is at most (r - 1) / 2 < 2^253.
const SCALAR_LENGTH: usize = 254;

/// Widest digit: its 2^14 buckets are a megabyte of L2.
const MAX_WIDTH: u32 = 15;

/// Bucket arrays that a multiplication is expected to fill: one a thread, and a proof of a batch runs on one.
const ARRAYS: f64 = 1.0;

/// Cost of a doubling and of bringing a multiple to its place, in additions of a multiplication.
const DOUBLING: f64 = 0.6;
const MULTIPLE: f64 = 0.5;

/// Multiples `2^(c w) B_i` of bases.
#[derive(PartialEq)]
pub(crate) struct Table<C: Curve> {
    pub width: u32,
    pub windows: usize,
    /// Window-major: `points[w * bases + i]`; infinity stays infinity.
    pub points: Vec<C::Slot>,
    pub bases: usize,
}

impl<C: Curve> fmt::Debug for Table<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("width", &self.width)
            .field("bases", &self.bases)
            .finish_non_exhaustive()
    }
}

/// Bits a digit and windows of a table for `count` bases.
fn shape(count: usize) -> (u32, usize) {
    let cost = |width: u32| {
        let additions = count * windows_for(SCALAR_LENGTH, width);
        additions as f64 + ARRAYS * REDUCTION_PER_BUCKET * f64::from(1u32 << (width - 1))
    };
    let width = (4..=MAX_WIDTH)
        .min_by(|&a, &b| cost(a).total_cmp(&cost(b)))
        .expect("widths to choose from");
    (width, windows_for(SCALAR_LENGTH, width))
}

/// Multiplications by random scalars that save as much time as a table of `count` bases takes to make; `None` if none do.
fn pays_after(count: usize) -> Option<usize> {
    let (width, windows) = shape(count);
    let [without, with] = costs_of_random(count, width, windows);
    let making = (count * windows) as f64 * (DOUBLING * f64::from(width) + MULTIPLE);
    (with < without).then(|| (making / (without - with)).ceil() as usize)
}

impl<C: Curve> Table<C> {
    pub fn new(kernel: Kernel, bases: &[C::Slot]) -> Self {
        let (width, windows) = shape(bases.len());
        // Blank in parallel: first touches of so much memory take as long as a tenth of the work.
        let mut points = Vec::new();
        points.par_extend(rayon::iter::repeat_n(C::BLANK, windows * bases.len()));
        let mut chunks: Vec<Vec<&mut [C::Slot]>> = Vec::new();
        chunks.resize_with(bases.len().div_ceil(CHUNK), Vec::new);
        for row in points.chunks_exact_mut(bases.len().max(1)) {
            for (chunk, part) in chunks.iter_mut().zip(row.chunks_mut(CHUNK)) {
                chunk.push(part);
            }
        }
        bases
            .par_chunks(CHUNK)
            .zip(chunks)
            .for_each(|(bases, mut rows)| C::multiples(kernel, bases, width, &mut rows));
        Self {
            width,
            windows,
            points,
            bases: bases.len(),
        }
    }
}

/// Multiples of bases in G1, for [`super::MsmG1::table`].
#[derive(Debug, PartialEq)]
pub struct TableG1(pub(super) Table<g1::Config>);

impl TableG1 {
    /// The table of these bases, on all threads of the current pool.
    #[must_use]
    pub fn new(bases: &[PackedG1]) -> Self {
        Self::new_with(Kernel::active(), bases)
    }

    /// [`Self::new`] on a chosen code path.
    #[must_use]
    pub fn new_with(kernel: Kernel, bases: &[PackedG1]) -> Self {
        Self(Table::new(kernel, bases))
    }

    /// Memory that a table of `count` bases takes.
    #[must_use]
    pub fn bytes(count: usize) -> usize {
        shape(count).1 * count * size_of::<PackedG1>()
    }

    /// Multiplications of `count` bases by random scalars after which a table has paid for itself, or `None` if it never
    /// does. In G2 as many.
    #[must_use]
    pub fn pays_after(count: usize) -> Option<usize> {
        pays_after(count)
    }
}

/// Multiples of bases in G2, for [`super::msm_g2_watched`].
#[derive(Debug, PartialEq)]
pub struct TableG2(pub(super) Table<g2::Config>);

impl TableG2 {
    /// As [`TableG1::new`].
    #[must_use]
    pub fn new(bases: &[PackedG2]) -> Self {
        Self::new_with(Kernel::active(), bases)
    }

    /// As [`TableG1::new_with`].
    #[must_use]
    pub fn new_with(kernel: Kernel, bases: &[PackedG2]) -> Self {
        Self(Table::new(kernel, bases))
    }

    /// As [`TableG1::bytes`].
    #[must_use]
    pub fn bytes(count: usize) -> usize {
        shape(count).1 * count * size_of::<PackedG2>()
    }
}
