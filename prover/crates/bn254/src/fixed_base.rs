//! Many multiples of one point.

use std::fmt;

use ark_bn254::{Fr, G1Affine, G2Affine, g1, g2};
use ark_ec::short_weierstrass::{Affine, Projective};
use ark_ec::{AdditiveGroup, AffineRepr, CurveGroup};
use ark_ff::PrimeField;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::curve::{Curve, NEGATE};
use crate::kernel::Kernel;
use crate::msm::accumulate::Accumulator;
use crate::msm::digits::{bias, biased, digit};
use crate::packed::{PackedG1, PackedG2};

/// Multiples computed together: their partial sums and one window of the table stay in L2.
const CHUNK: usize = 4096;

/// Scalars have 254 bits; two spare ones hold the highest signed digit.
const SCALAR_BITS: u32 = 256;

/// What an entry of the table costs, in additions: a mixed addition and its part of the normalisation.
const ENTRY_COST: usize = 20;

/// Multiples 1 to 2^(c-1) of `2^(c k) * base` for every window k of c bits.
struct Table<C: Curve> {
    width: u32,
    windows: u32,
    /// Window-major; empty for a base at infinity.
    entries: Vec<C::Slot>,
}

impl<C: Curve> fmt::Debug for Table<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("width", &self.width)
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

impl<C: Curve> Table<C> {
    fn new(base: Affine<C>, count: usize) -> Self {
        let width = (4..=14u32)
            .min_by_key(|&width| {
                let windows = SCALAR_BITS.div_ceil(width) as usize;
                windows * (count + (ENTRY_COST << (width - 1)))
            })
            .expect("widths to choose from");
        let windows = SCALAR_BITS.div_ceil(width);
        let mut entries = Vec::new();
        if !base.is_zero() {
            let mut power = base.into_group();
            let mut powers = Vec::with_capacity(windows as usize);
            for _ in 0..windows {
                powers.push(power);
                for _ in 0..width {
                    power.double_in_place();
                }
            }
            entries = Projective::normalize_batch(&powers)
                .into_par_iter()
                .flat_map_iter(|step| {
                    let mut multiple = Projective::<C>::default();
                    let multiples: Vec<_> = (0..1usize << (width - 1))
                        .map(|_| {
                            multiple += step;
                            multiple
                        })
                        .collect();
                    let points = Projective::normalize_batch(&multiples);
                    points.into_iter().map(|point| C::pack(point.x, point.y))
                })
                .collect();
        }
        Self {
            width,
            windows,
            entries,
        }
    }

    fn mul_many(&self, kernel: Kernel, scalars: &[Fr]) -> Vec<C::Slot> {
        if self.entries.is_empty() {
            return vec![C::BLANK; scalars.len()];
        }
        scalars
            .par_chunks(CHUNK)
            .flat_map_iter(|chunk| self.mul_chunk(kernel, chunk))
            .collect()
    }

    fn mul_chunk(&self, kernel: Kernel, scalars: &[Fr]) -> Vec<C::Slot> {
        let bias = bias(self.width, self.windows as usize);
        // Setup multiplies by functions of its secrets: what they were must not stay in memory.
        let words: Zeroizing<Vec<[u64; 5]>> = Zeroizing::new(
            scalars
                .iter()
                .map(|scalar| biased(&scalar.into_bigint().0, &bias))
                .collect(),
        );
        let mut sums = Accumulator::<C>::new(kernel, scalars.len());
        for window in 0..self.windows {
            let first = window << (self.width - 1);
            for (dst, words) in words.iter().enumerate() {
                let digit = digit(words, window, self.width);
                if digit != 0 {
                    let entry = first + u32::from(digit.unsigned_abs()) - 1;
                    let sign = if digit < 0 { NEGATE } else { 0 };
                    sums.push(&self.entries, dst as u32, entry | sign);
                }
            }
        }
        sums.finish(&self.entries);
        (0..scalars.len())
            .map(|k| {
                sums.get(k).map_or(C::BLANK, |slot| {
                    let (x, y) = C::unpack(slot);
                    C::pack(x, y)
                })
            })
            .collect()
    }
}

/// Table of multiples of a G1 point.
#[derive(Debug)]
pub struct FixedBaseG1(Table<g1::Config>);

impl FixedBaseG1 {
    /// A table for `base`, sized for about `count` multiplications.
    #[must_use]
    pub fn new(base: G1Affine, count: usize) -> Self {
        Self(Table::new(base, count))
    }

    /// `scalars_i * base`, canonical, on all threads of the current pool.
    #[must_use]
    pub fn mul_many(&self, scalars: &[Fr]) -> Vec<PackedG1> {
        self.mul_many_with(Kernel::active(), scalars)
    }

    /// [`Self::mul_many`] on a chosen code path.
    #[must_use]
    pub fn mul_many_with(&self, kernel: Kernel, scalars: &[Fr]) -> Vec<PackedG1> {
        self.0.mul_many(kernel, scalars)
    }
}

/// Table of multiples of a G2 point.
#[derive(Debug)]
pub struct FixedBaseG2(Table<g2::Config>);

impl FixedBaseG2 {
    /// A table for `base`, sized for about `count` multiplications.
    #[must_use]
    pub fn new(base: G2Affine, count: usize) -> Self {
        Self(Table::new(base, count))
    }

    /// `scalars_i * base`, canonical, on all threads of the current pool.
    #[must_use]
    pub fn mul_many(&self, scalars: &[Fr]) -> Vec<PackedG2> {
        self.mul_many_with(Kernel::active(), scalars)
    }

    /// [`Self::mul_many`] on a chosen code path.
    #[must_use]
    pub fn mul_many_with(&self, kernel: Kernel, scalars: &[Fr]) -> Vec<PackedG2> {
        self.0.mul_many(kernel, scalars)
    }
}
