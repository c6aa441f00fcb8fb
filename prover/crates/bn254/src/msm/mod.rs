//! Multi-scalar multiplication: signed windows, batch-affine buckets that stay in L2, bases read in order.
//!
//! Scalars are cut into digits once ([`digits`]); each window's digits send the bases to buckets, whose additions share
//! inversions ([`accumulate`]); buckets are summed in batches ([`reduce`]). Windows of all multiplications asked for
//! together are tasks of one queue ([`schedule`]). Time depends on the scalars.

pub(crate) mod accumulate;
pub(crate) mod digits;
mod reduce;
mod schedule;
pub(crate) mod table;

use ark_bn254::{G1Projective, G2Projective};

use crate::kernel::Kernel;
use crate::packed::{PackedG1, PackedG2};
use crate::scalars::Scalars;
use schedule::Job;

pub use table::{TableG1, TableG2};

/// `sum scalars_i * bases_i`; the segments' total length equals `bases.len()`.
///
/// # Panics
/// When the lengths differ, when there are 2^31 bases or more, or when a full-width scalar is not below r.
pub fn msm_g1(bases: &[PackedG1], scalars: &[Scalars<'_>]) -> G1Projective {
    msm_g1_with(Kernel::active(), bases, scalars)
}

/// [`msm_g1`] on a chosen code path.
pub fn msm_g1_with(kernel: Kernel, bases: &[PackedG1], scalars: &[Scalars<'_>]) -> G1Projective {
    let table = None;
    schedule::run(
        kernel,
        &[Job {
            bases,
            scalars,
            table,
        }],
    )[0]
}

/// `sum scalars_i * bases_i` in G2; the segments' total length equals `bases.len()`.
///
/// # Panics
/// As [`msm_g1`].
pub fn msm_g2(bases: &[PackedG2], scalars: &[Scalars<'_>]) -> G2Projective {
    msm_g2_with(Kernel::active(), bases, scalars)
}

/// [`msm_g2`] on a chosen code path.
pub fn msm_g2_with(kernel: Kernel, bases: &[PackedG2], scalars: &[Scalars<'_>]) -> G2Projective {
    let table = None;
    schedule::run(
        kernel,
        &[Job {
            bases,
            scalars,
            table,
        }],
    )[0]
}

/// [`msm_g2_with`] and a table of these bases, if there is one.
///
/// # Panics
/// As [`msm_g1`], and when the table is of another number of bases.
pub fn msm_g2_table(
    kernel: Kernel,
    bases: &[PackedG2],
    table: Option<&TableG2>,
    scalars: &[Scalars<'_>],
) -> G2Projective {
    let table = table.map(|table| &table.0);
    schedule::run(
        kernel,
        &[Job {
            bases,
            scalars,
            table,
        }],
    )[0]
}

/// One multi-scalar multiplication of a batch: bases and the segments that multiply them.
#[derive(Clone, Copy, Debug)]
pub struct MsmG1<'a> {
    /// The points.
    pub bases: &'a [PackedG1],
    /// The scalars, as many as points.
    pub scalars: &'a [Scalars<'a>],
    /// Multiples of these bases, which full-width scalars use where that is faster.
    pub table: Option<&'a TableG1>,
}

/// Several multi-scalar multiplications whose windows share one task queue, so that no core idles between them.
///
/// # Panics
/// As [`msm_g1`], and when a table is of another number of bases.
#[must_use]
pub fn msm_g1_many(jobs: &[MsmG1<'_>]) -> Vec<G1Projective> {
    msm_g1_many_with(Kernel::active(), jobs)
}

/// [`msm_g1_many`] on a chosen code path.
#[must_use]
pub fn msm_g1_many_with(kernel: Kernel, jobs: &[MsmG1<'_>]) -> Vec<G1Projective> {
    let jobs: Vec<_> = jobs
        .iter()
        .map(|job| Job {
            bases: job.bases,
            scalars: job.scalars,
            table: job.table.map(|table| &table.0),
        })
        .collect();
    schedule::run(kernel, &jobs)
}
