//! Many multiples of one point.

use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, CurveGroup, scalar_mul::BatchMulPreprocessing};

/// Table of multiples of a G1 point.
#[allow(missing_debug_implementations)]
pub struct FixedBaseG1(BatchMulPreprocessing<G1Projective>);

impl FixedBaseG1 {
    /// A table for `base`, sized for about `count` multiplications.
    #[must_use]
    pub fn new(base: G1Affine, count: usize) -> Self {
        Self(BatchMulPreprocessing::new(base.into_group(), count.max(1)))
    }

    /// `scalars_i * base`, in affine form.
    #[must_use]
    pub fn mul_many(&self, scalars: &[Fr]) -> Vec<G1Affine> {
        self.0.batch_mul(scalars)
    }
}

/// Table of multiples of a G2 point.
#[allow(missing_debug_implementations)]
pub struct FixedBaseG2(BatchMulPreprocessing<G2Projective>);

impl FixedBaseG2 {
    /// A table for `base`, sized for about `count` multiplications.
    #[must_use]
    pub fn new(base: G2Affine, count: usize) -> Self {
        Self(BatchMulPreprocessing::new(base.into_group(), count.max(1)))
    }

    /// `scalars_i * base`, in affine form.
    #[must_use]
    pub fn mul_many(&self, scalars: &[Fr]) -> Vec<G2Affine> {
        self.0.batch_mul(scalars)
    }
}

/// Affine form of many points with one inversion.
#[must_use]
pub fn normalise(points: &[G1Projective]) -> Vec<G1Affine> {
    G1Projective::normalize_batch(points)
}
