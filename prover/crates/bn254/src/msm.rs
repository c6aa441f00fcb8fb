//! Multi-scalar multiplication.

use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::VariableBaseMSM;

use crate::scalars::Scalars;

fn collect(scalars: &[Scalars<'_>]) -> Vec<Fr> {
    scalars
        .iter()
        .flat_map(|s| (0..s.len()).map(move |i| s.get(i)))
        .collect()
}

/// `sum scalars_i * bases_i`; the segments' total length equals `bases.len()`.
#[must_use]
pub fn msm_g1(bases: &[G1Affine], scalars: &[Scalars<'_>]) -> G1Projective {
    G1Projective::msm(bases, &collect(scalars)).expect("as many scalars as bases")
}

/// `sum scalars_i * bases_i` in G2; the segments' total length equals `bases.len()`.
#[must_use]
pub fn msm_g2(bases: &[G2Affine], scalars: &[Scalars<'_>]) -> G2Projective {
    G2Projective::msm(bases, &collect(scalars)).expect("as many scalars as bases")
}

/// One multi-scalar multiplication of a batch: bases and the segments that multiply them.
#[derive(Clone, Copy, Debug)]
pub struct MsmG1<'a> {
    /// The points.
    pub bases: &'a [G1Affine],
    /// The scalars, as many as points.
    pub scalars: &'a [Scalars<'a>],
}

/// Several multi-scalar multiplications scheduled together.
#[must_use]
pub fn msm_g1_many(jobs: &[MsmG1<'_>]) -> Vec<G1Projective> {
    jobs.iter().map(|j| msm_g1(j.bases, j.scalars)).collect()
}
