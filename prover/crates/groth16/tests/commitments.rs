//! What the challenge and the model commitment fix.

mod common;

use ark_bn254::{Fr, G1Affine};
use ark_ec::CurveGroup;
use assay_bn254::Scalars;
use assay_groth16::{Error, ModelCommitment, Proof, Randomness, verify::verify};
use common::Circuit;
use common::baseline::{Baseline, FULL, PLAIN, assert_proof_refused};

#[test]
fn the_challenge_fixes_the_commitment() {
    // Moving t [delta] from D to C keeps the equation for the old challenge, so only the hash stops it.
    let base = &*FULL;
    let t = Fr::from(5u64);
    let p = base.proof;
    let key = &base.keys.pk;
    let witness_free = |from: &G1Affine, by: G1Affine| (*from + by * t).into_affine();
    let moved = Proof {
        d: p.d.map(|d| witness_free(&d, key.delta_g1())),
        c: witness_free(&p.c, -key.delta_1_g1()),
        ..p
    };
    assert_ne!(moved.d, p.d);
    assert_proof_refused(base.check(&moved), "D moved");
}

#[test]
fn another_model_is_refused() {
    let base = &*FULL;
    let public = &base.circuit.public;
    let other = base.circuit.commit_model(&base.keys).unwrap();
    let check = |m: Option<&G1Affine>| verify(&base.keys.vk, public, &base.proof, m);
    assert_proof_refused(check(Some(&other.commitment)), "another M");
    assert_proof_refused(check(Some(&G1Affine::identity())), "M = 0");
    assert!(matches!(check(None), Err(Error::InvalidInput(_))));
    let plain = verify(
        &PLAIN.keys.vk,
        &PLAIN.circuit.public,
        &PLAIN.proof,
        Some(&other.commitment),
    );
    assert!(matches!(plain, Err(Error::InvalidInput(_))));
}

#[test]
fn changed_weights_do_not_prove_under_the_published_commitment() {
    let base = &*FULL;
    let mut circuit = base.circuit.clone();
    circuit.weights[2] += 1;
    let sum: i64 = circuit
        .values
        .iter()
        .zip(&circuit.weights)
        .map(|(v, m)| v * v + v * m)
        .sum();
    circuit.public[0] = assay_bn254::scalars::small_to_field(sum);
    let honest = circuit.commit_model(&base.keys);
    let proof = circuit.prove(&base.keys, honest.as_ref());
    let m = |model: &Option<ModelCommitment>| model.as_ref().map(|m| m.commitment);
    verify(&base.keys.vk, &circuit.public, &proof, m(&honest).as_ref()).unwrap();
    let forged = circuit.prove(&base.keys, base.model.as_ref());
    assert_proof_refused(
        verify(&base.keys.vk, &circuit.public, &forged, base.m()),
        "other weights",
    );
}

#[test]
fn committed_wires_cannot_change_after_the_challenge() {
    let base = Baseline::new(true, false);
    let mut randomness = Randomness::system();
    let w1 = [Scalars::Small(&base.circuit.values)];
    let public = base.circuit.public.clone();
    let session = base
        .keys
        .pk
        .commit(public, &w1, None, &mut randomness)
        .unwrap();
    // Negating a value keeps its square, so every constraint can be satisfied with the same challenge.
    let mut later = base.circuit.clone();
    later.values[1] = -later.values[1];
    let witness = later.witness(session.challenge());
    let forged = later
        .complete(&base.keys, session, &witness, &mut randomness)
        .unwrap();
    assert_proof_refused(base.check(&forged), "w1 changed");
}

#[test]
fn a_commitment_serves_one_statement() {
    let base = Baseline::new(true, false);
    let mut randomness = Randomness::system();
    let other = [base.circuit.public[0], (-base.circuit.public[1])];
    let w1 = [Scalars::Small(&base.circuit.values)];
    let session = base
        .keys
        .pk
        .commit(other.to_vec(), &w1, None, &mut randomness)
        .unwrap();
    let witness = base.circuit.witness(session.challenge());
    let mut circuit = base.circuit.clone();
    circuit.public = other.to_vec();
    let proof = circuit
        .complete(&base.keys, session, &witness, &mut randomness)
        .unwrap();
    verify(&base.keys.vk, &other, &proof, None).unwrap();
    assert_proof_refused(base.check(&proof), "another statement");
}

#[test]
fn the_secret_of_a_model_is_not_printed() {
    let circuit = Circuit::new(4, false, true);
    let model = circuit.commit_model(&circuit.setup()).unwrap();
    let printed = format!("{model:?}");
    assert!(printed.contains("commitment"), "{printed}");
    for secret in [model.opening.to_string(), format!("{:?}", *model.opening)] {
        assert!(!printed.contains(&secret), "{printed}");
    }
}
