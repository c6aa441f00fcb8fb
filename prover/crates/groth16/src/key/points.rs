//! Whether a key's points lie in their groups, point by point.

use ark_bn254::G2Affine;
use ark_ec::{AffineRepr, CurveGroup};
use assay_bn254::{PackedG1, PackedG2, Scalars, msm::msm_g2};
use rayon::prelude::*;

use super::{
    format::{G1_SIZE, G2_SIZE, get_g1, get_g2},
    proving::ProvingKey,
    weights::{WEIGHT, Weights},
};
use crate::{
    error::{Result, bail},
    progress::{Progress, report},
};

/// The smallest prime that divides the cofactor of G2 is 10,069, so that a combination with 16-bit weights misses a part
/// outside the subgroup with probability at most 7 / 2^16: ten of them with less than 2^-131.
const SUBGROUP_ROUNDS: usize = 10;

/// Every point lies on its curve, none is infinity, all coordinates are below the prime. G1 has no other points.
pub(super) fn check_points(key: &ProvingKey) -> Result<()> {
    let queries = [
        ("A", key.query_a().points),
        ("B1", key.query_b1().points),
        ("K", key.query_k().points),
        ("D", key.query_d().points),
        ("M", key.query_m().points),
        ("H", key.query_h()),
    ];
    for (name, points) in queries {
        let bad = PackedG1::as_bytes(points)
            .par_chunks_exact(G1_SIZE)
            .position_first(|bytes| !get_g1(bytes).is_ok_and(|p| !p.is_zero() && p.is_on_curve()));
        if let Some(i) = bad {
            bail!(
                InvalidKey,
                "point {i} of the {name} query is no point of the group"
            );
        }
    }
    let bad = PackedG2::as_bytes(key.query_b2().points)
        .par_chunks_exact(G2_SIZE)
        .position_first(|bytes| !get_g2(bytes).is_ok_and(|p| !p.is_zero() && p.is_on_curve()));
    if let Some(i) = bad {
        bail!(
            InvalidKey,
            "point {i} of the B2 query is no point of the group"
        );
    }
    Ok(())
}

/// `first` is that of the weights that nothing else uses.
pub(super) fn check_subgroup(
    points: &[PackedG2],
    sum: G2Affine,
    weights: &Weights,
    first: usize,
    progress: Progress<'_>,
) -> Result<()> {
    const IN_ONE: usize = WEIGHT / 2;
    let inside = |point: &G2Affine| point.is_in_correct_subgroup_assuming_on_curve();
    let mut fine = inside(&sum);
    let taken = points.len().div_ceil(IN_ONE);
    for round in 0..SUBGROUP_ROUNDS {
        report(progress, "subgroup", round, SUBGROUP_ROUNDS)?;
        let mut small: Vec<i64> = weights
            .take(first + round * taken, taken)
            .iter()
            .flat_map(|limbs| [limbs[0], limbs[1]])
            .flat_map(|limb| [0, 16, 32, 48].map(|shift| (limb >> shift & 0xffff).cast_signed()))
            .collect();
        small.truncate(points.len());
        let sum = msm_g2(points, &[Scalars::Small(&small)]);
        fine &= inside(&sum.into_affine());
    }
    if !fine {
        bail!(InvalidKey, "the B2 query has a point outside the group");
    }
    Ok(())
}
