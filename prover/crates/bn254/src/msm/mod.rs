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
use ark_ec::short_weierstrass::Projective;

use crate::curve::Curve;
use crate::kernel::Kernel;
use crate::packed::{PackedG1, PackedG2};
use crate::scalars::Scalars;
use schedule::{Job, run};

pub use schedule::Watch;
pub use table::{TableG1, TableG2};

/// For multiplications that run to their end.
const UNWATCHED: Watch<'static> = &|_, _| true;

/// The sum of one job that runs to its end.
fn one<C: Curve>(kernel: Kernel, bases: &[C::Slot], scalars: &[Scalars<'_>]) -> Projective<C> {
    let table = None;
    let job = Job {
        bases,
        scalars,
        table,
    };
    run(kernel, &[job], UNWATCHED).expect("not stopped")[0]
}

/// `sum scalars_i * bases_i`; the segments' total length equals `bases.len()`.
///
/// # Panics
/// When the lengths differ, when there are 2^31 bases or more, or when a full-width scalar is not below r.
pub fn msm_g1(bases: &[PackedG1], scalars: &[Scalars<'_>]) -> G1Projective {
    one(Kernel::active(), bases, scalars)
}

/// [`msm_g1`] on a chosen code path.
pub fn msm_g1_with(kernel: Kernel, bases: &[PackedG1], scalars: &[Scalars<'_>]) -> G1Projective {
    one(kernel, bases, scalars)
}

/// `sum scalars_i * bases_i` in G2; the segments' total length equals `bases.len()`.
///
/// # Panics
/// As [`msm_g1`].
pub fn msm_g2(bases: &[PackedG2], scalars: &[Scalars<'_>]) -> G2Projective {
    one(Kernel::active(), bases, scalars)
}

/// [`msm_g2`] on a chosen code path.
pub fn msm_g2_with(kernel: Kernel, bases: &[PackedG2], scalars: &[Scalars<'_>]) -> G2Projective {
    one(kernel, bases, scalars)
}

/// [`msm_g2_with`] and a table of these bases, if there is one; `None` when `watch` said no.
///
/// # Panics
/// As [`msm_g1`], and when the table is of another number of bases.
pub fn msm_g2_watched(
    kernel: Kernel,
    bases: &[PackedG2],
    table: Option<&TableG2>,
    scalars: &[Scalars<'_>],
    watch: Watch<'_>,
) -> Option<G2Projective> {
    let table = table.map(|table| &table.0);
    let job = Job {
        bases,
        scalars,
        table,
    };
    run(kernel, &[job], watch).map(|sums| sums[0])
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
    msm_g1_many_watched(Kernel::active(), jobs, UNWATCHED).expect("not stopped")
}

/// [`msm_g1_many`] on a chosen code path; `None` when `watch` said no.
///
/// # Panics
/// As [`msm_g1_many`].
#[must_use]
pub fn msm_g1_many_watched(
    kernel: Kernel,
    jobs: &[MsmG1<'_>],
    watch: Watch<'_>,
) -> Option<Vec<G1Projective>> {
    let jobs: Vec<_> = jobs
        .iter()
        .map(|job| Job {
            bases: job.bases,
            scalars: job.scalars,
            table: job.table.map(|table| &table.0),
        })
        .collect();
    run(kernel, &jobs, watch)
}
