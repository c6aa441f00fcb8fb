//! The quotient with four transforms; `docs/quotient.md` says why this is sound.
//!
//! On the odd coset `X^n = -1`, so `Z = -2` and `H = (AB - C) / Z = (C - AB) / 2`. C's half is linear in the witness and
//! merged into the K query at setup, so that only A and B are transformed, twice each.

use ark_bn254::Fr;
use ark_ff::Zero;
use assay_bn254::{Scalars, ntt::Domain};
use rayon::prelude::*;

use crate::field::{Limbs, limbs};

/// Values of `A * B` on the odd coset, canonical, in the order of the H query.
///
/// `a` and `b` are the constraints' row evaluations; `inputs` are the values of `x_1..x_n, c`, whose input rows (and that of
/// the wire 1) follow them in A, beside zeros in B.
pub(crate) fn odd_coset_products(
    domain: &Domain,
    a: &[Scalars<'_>],
    b: &[Scalars<'_>],
    inputs: &[Fr],
) -> Vec<Limbs> {
    let extend = |segments: &[Scalars<'_>], tail: &[Fr]| {
        let mut out = Vec::with_capacity(domain.size());
        for segment in segments {
            out.par_extend((0..segment.len()).into_par_iter().map(|i| segment.get(i)));
        }
        out.extend_from_slice(tail);
        out.resize(domain.size(), Fr::zero());
        domain.to_odd_coset(&mut out);
        out
    };
    let mut input_rows = vec![Fr::from(1u64)];
    input_rows.extend_from_slice(inputs);
    let a = extend(a, &input_rows);
    let b = extend(b, &[]);
    a.into_par_iter()
        .zip(b)
        .map(|(a, b)| limbs(a * b))
        .collect()
}
