//! The quotient with four transforms; `docs/quotient.md` says why this is sound.
//!
//! On the odd coset `X^n = -1`, so `Z = -2` and `H = (AB - C) / Z = (C - AB) / 2`. C's half is linear in the witness and
//! merged into the K query at setup, so that only A and B are transformed, twice each.

use ark_bn254::Fr;
use ark_ff::{One, Zero};
use assay_bn254::{Scalars, ntt::Domain};
use rayon::prelude::*;

use crate::field::{Limbs, limbs};

/// Values of `A * B` on the odd coset, canonical, in the order of the H query.
///
/// `a` and `b` are the constraints' row evaluations; `inputs` are the values of `x_1..x_n, c`, whose input rows (and that of
/// the wire 1) follow them in A, beside zeros in B.
///
/// With a key whose K query is not `merged`, C's values are subtracted, at the price of two more transforms.
pub(crate) fn odd_coset_products(
    domain: &Domain,
    a: &[Scalars<'_>],
    b: &[Scalars<'_>],
    inputs: &[Fr],
    merged: bool,
) -> Vec<Limbs> {
    let spread = |segments: &[Scalars<'_>], tail: &[Fr]| {
        let mut out = Vec::with_capacity(domain.size());
        for segment in segments {
            out.par_extend((0..segment.len()).into_par_iter().map(|i| segment.get(i)));
        }
        out.extend_from_slice(tail);
        out.resize(domain.size(), Fr::zero());
        out
    };
    let mut input_rows = vec![Fr::one()];
    input_rows.extend_from_slice(inputs);
    let mut a = spread(a, &input_rows);
    let mut b = spread(b, &[]);
    let c = (!merged).then(|| {
        let mut c: Vec<Fr> = a.par_iter().zip(&b).map(|(a, b)| *a * b).collect();
        domain.to_odd_coset(&mut c);
        c
    });
    domain.to_odd_coset(&mut a);
    domain.to_odd_coset(&mut b);
    let products = a.into_par_iter().zip(b).map(|(a, b)| a * b);
    match c {
        None => products.map(limbs).collect(),
        Some(c) => products.zip(c).map(|(ab, c)| limbs(ab - c)).collect(),
    }
}
