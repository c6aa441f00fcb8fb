//! Batches with a false claim among the true.

mod common;

use ark_bn254::{Fr, G1Affine};
use ark_ec::{AffineRepr, CurveGroup};
use assay_groth16::{Error, Proof, Randomness, verify::verify_batch};
use common::baseline::{FULL, PLAIN, assert_proof_refused, g1};

#[test]
fn a_batch_names_its_first_false_claim() {
    for base in [&*PLAIN, &*FULL] {
        let proofs: Vec<Proof> = (0..4)
            .map(|_| base.circuit.prove(&base.keys, base.model.as_ref()))
            .collect();
        let public = base.circuit.public.as_slice();
        let run = |claims: &[(&[Fr], &Proof)]| {
            verify_batch(&base.keys.vk, claims, base.m(), &mut Randomness::system())
        };
        let claims: Vec<_> = proofs.iter().map(|p| (public, p)).collect();
        run(&claims).unwrap();
        run(&claims[..1]).unwrap();
        run(&[]).unwrap();
        let mut other = public.to_vec();
        other[1] += Fr::from(1u64);
        let mut tampered = claims.clone();
        tampered[2].0 = &other;
        let result = run(&tampered);
        assert!(matches!(result, Err(Error::InvalidProof(ref why)) if why.starts_with("claim 2")));
    }
}

#[test]
fn errors_that_cancel_do_not_pass_a_batch() {
    let base = &*PLAIN;
    let public = base.circuit.public.as_slice();
    let p = base.proof;
    let up = Proof { c: g1(&p.c), ..p };
    let down = Proof {
        c: (p.c - G1Affine::generator()).into_affine(),
        ..p
    };
    let claims = [(public, &up), (public, &down)];
    let result = verify_batch(&base.keys.vk, &claims, None, &mut Randomness::system());
    assert_proof_refused(result, "C + G and C - G");
}
