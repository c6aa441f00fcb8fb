//! halo2curves: its best multi-scalar multiplication and transform.

use std::path::Path;

use ark_ff::{BigInteger, FftField, PrimeField as _};
use halo2curves::{
    bn256::{Fq, Fr, G1Affine},
    ff::{Field, PrimeField},
    fft::best_fft,
    group::Curve,
    msm::msm_best,
};
use rayon::prelude::*;

use crate::{hex, read, serve};

fn values<F: PrimeField<Repr: From<[u8; 32]>>>(folder: &Path, name: &str, count: usize) -> Vec<F> {
    let value = |bytes: [u8; 32]| F::from_repr(bytes.into()).expect("canonical");
    read(folder, name, count).into_iter().map(value).collect()
}

/// The root of unity of order `n` that the other engines use; this crate's own has another generator.
fn root_of_unity(n: usize) -> Fr {
    let root = ark_bn254::Fr::get_root_of_unity(n as u64).expect("small enough");
    let bytes: [u8; 32] = root
        .into_bigint()
        .to_bytes_le()
        .try_into()
        .expect("32 bytes");
    Fr::from_repr(bytes.into()).expect("canonical")
}

pub fn bench(case: &str, kind: &str, n: usize, inputs: &Path) {
    match case {
        "msm_g1" => {
            let xy: Vec<Fq> = values(inputs, "bases.g1", 2 * n);
            let bases: Vec<G1Affine> = xy
                .chunks_exact(2)
                .map(|c| G1Affine { x: c[0], y: c[1] })
                .collect();
            let scalars: Vec<Fr> = values(inputs, &format!("scalars.{kind}"), n);
            serve(|| {
                let sum = msm_best(&scalars, &bases).to_affine();
                hex(sum.x.to_repr().as_ref()) + &hex(sum.y.to_repr().as_ref())
            });
        }
        "ntt" => {
            let (omega, shift) = (root_of_unity(n), root_of_unity(2 * n));
            let inverse = omega.invert().expect("not zero");
            let scale = Fr::from(n as u64).invert().expect("not zero");
            let shifts: Vec<Fr> = std::iter::successors(Some(scale), |s| Some(s * shift))
                .take(n)
                .collect();
            let mut values: Vec<Fr> = values(inputs, "scalars.random", n);
            let mut first = true;
            serve(|| {
                best_fft(&mut values, inverse, n.ilog2());
                values
                    .par_iter_mut()
                    .zip(&shifts)
                    .for_each(|(v, s)| *v *= s);
                best_fft(&mut values, omega, n.ilog2());
                if !std::mem::take(&mut first) {
                    return String::new();
                }
                let seven = Fr::from(7u64);
                let sum = values.iter().rev().fold(Fr::ZERO, |sum, v| sum * seven + v);
                hex(sum.to_repr().as_ref())
            });
        }
        _ => panic!("no case {case}"),
    }
}
