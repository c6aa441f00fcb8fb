//! Tables of multiples for bases that are multiplied over and over.
//!
//! Beside each base B the table holds `2^(c w) B` for every window w, so that the digits of all windows go to one array of buckets:
//! it is reduced once, which makes wider windows, hence fewer of them, worth their buckets.

use std::fmt;

use ark_bn254::{g1, g2};
use ark_ec::{AffineRepr, short_weierstrass::Affine};
use rayon::prelude::*;

use super::digits::{REDUCTION_PER_BUCKET, windows_for};
use crate::curve::Curve;
use crate::kernel::Kernel;
use crate::msm::accumulate::Accumulator;
use crate::packed::{PackedG1, PackedG2};

/// Bases doubled together; they and their shifted twins stay in L2.
const CHUNK: usize = 2048;

/// Signed bits of a balanced scalar: its magnitude is at most (r - 1) / 2 < 2^253.
const SCALAR_LENGTH: usize = 254;

/// Widest digit: its 2^14 buckets are a megabyte of L2.
const MAX_WIDTH: u32 = 15;

/// Bucket arrays that a multiplication is expected to fill: one a thread, and a proof of a batch runs on one.
const ARRAYS: f64 = 1.0;

/// Multiples `2^(c w) B_i` of bases.
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

impl<C: Curve> Table<C> {
    pub fn new(kernel: Kernel, bases: &[C::Slot]) -> Self {
        let (width, windows) = shape(bases.len());
        let chunks: Vec<Vec<C::Slot>> = bases
            .par_chunks(CHUNK)
            .map(|chunk| multiples::<C>(kernel, chunk, width, windows))
            .collect();
        let mut points = Vec::with_capacity(windows * bases.len());
        for window in 0..windows {
            for chunk in &chunks {
                let len = chunk.len() / windows;
                points.extend_from_slice(&chunk[window * len..][..len]);
            }
        }
        Self {
            width,
            windows,
            points,
            bases: bases.len(),
        }
    }
}

/// Window-major multiples of a few bases.
///
/// The vector path adds, but does not double. With S = 2^k B and U = S + R for any point R, `U' = S + U` is `2 S + R` and
/// `U' - R` is `2 S`: two additions that are doublings or cancel only by accident, which costs time alone.
fn multiples<C: Curve>(
    kernel: Kernel,
    bases: &[C::Slot],
    width: u32,
    windows: usize,
) -> Vec<C::Slot> {
    let len = bases.len();
    let shift = Affine::<C>::generator();
    let back = -shift;
    // Slots: S of each base, U of each, R, -R.
    let (r, minus_r) = (2 * len, 2 * len + 1);
    let mut slots = Accumulator::<C>::new(kernel, 2 * len + 2);
    slots.set_slot(r, C::pack(shift.x, shift.y));
    slots.set_slot(minus_r, C::pack(back.x, back.y));
    for (i, base) in bases.iter().enumerate() {
        if !C::is_infinity(base) {
            slots.set_slot(i, *base);
        }
        slots.copy_slot(len + i, i);
        slots.add_slots(len + i, r);
    }
    slots.run_slots();
    let mut out = Vec::with_capacity(windows * len);
    out.extend_from_slice(bases);
    for _ in 1..windows {
        for _ in 0..width {
            for i in 0..len {
                slots.add_slots(len + i, i);
            }
            slots.run_slots();
            for i in 0..len {
                slots.copy_slot(i, len + i);
                slots.add_slots(i, minus_r);
            }
            slots.run_slots();
        }
        out.extend((0..len).map(|i| {
            slots.get(i).map_or(C::BLANK, |slot| {
                let (x, y) = C::unpack(slot);
                C::pack(x, y)
            })
        }));
    }
    out
}

/// Multiples of bases in G1, for [`super::MsmG1::table`].
#[derive(Debug)]
pub struct TableG1(pub(super) Table<g1::Config>);

impl TableG1 {
    /// The table of these bases, on all threads of the current pool: about 500 additions a base.
    #[must_use]
    pub fn new(bases: &[PackedG1]) -> Self {
        Self(Table::new(Kernel::active(), bases))
    }

    /// Memory that a table of `count` bases takes.
    #[must_use]
    pub fn bytes(count: usize) -> usize {
        shape(count).1 * count * size_of::<PackedG1>()
    }
}

/// Multiples of bases in G2, for [`super::msm_g2_table`].
#[derive(Debug)]
pub struct TableG2(pub(super) Table<g2::Config>);

impl TableG2 {
    /// As [`TableG1::new`].
    #[must_use]
    pub fn new(bases: &[PackedG2]) -> Self {
        Self(Table::new(Kernel::active(), bases))
    }

    /// As [`TableG1::bytes`].
    #[must_use]
    pub fn bytes(count: usize) -> usize {
        shape(count).1 * count * size_of::<PackedG2>()
    }
}
