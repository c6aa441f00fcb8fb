//! Completeness in every mode, and agreement with arkworks' verifier in plain mode.

mod common;

use ark_bn254::Bn254;
use assay_bn254::Scalars;
use assay_groth16::{Error, Proof, Randomness, VerifyingKey, matrix, verify};
use common::{Circuit, MODES};

#[test]
fn proofs_verify_in_every_mode() {
    for (committed, private) in MODES {
        for size in [1, 7, 40] {
            let circuit = Circuit::new(size, committed, private);
            let keys = circuit.setup();
            let model = circuit.commit_model(&keys);
            let proof = circuit.prove(&keys, model.as_ref());
            let m = model.as_ref().map(|m| &m.commitment);
            verify::verify(&keys.vk, &circuit.public, &proof, m)
                .unwrap_or_else(|e| panic!("{committed} {private} {size}: {e}"));
            let bytes = proof.to_bytes();
            assert_eq!(bytes.len(), if committed { 320 } else { 256 });
            assert_eq!(Proof::from_bytes(&bytes, committed).unwrap(), proof);
            let key = keys.vk.to_bytes();
            assert_eq!(VerifyingKey::from_bytes(&key).unwrap(), keys.vk);
        }
    }
}

#[test]
fn arkworks_verifies_plain_proofs() {
    // 45 rows: a domain of 48, which arkworks' own setup would not choose.
    let circuit = Circuit::new(40, false, false);
    let keys = circuit.setup();
    assert_eq!(keys.pk.domain().size(), 48);
    let proof = circuit.prove(&keys, None);
    let theirs = ark_groth16::VerifyingKey::<Bn254> {
        alpha_g1: keys.vk.alpha,
        beta_g2: keys.vk.beta,
        gamma_g2: keys.vk.gamma,
        delta_g2: keys.vk.delta,
        gamma_abc_g1: keys.vk.ic.clone(),
    };
    let prepared = ark_groth16::prepare_verifying_key(&theirs);
    let proof = ark_groth16::Proof {
        a: proof.a,
        b: proof.b,
        c: proof.c,
    };
    let check =
        |public: &[_]| ark_groth16::Groth16::<Bn254>::verify_proof(&prepared, &proof, public);
    assert!(check(&circuit.public).unwrap());
    let mut other = circuit.public.clone();
    other[1] += ark_bn254::Fr::from(1u64);
    assert!(!check(&other).unwrap());
}

#[test]
fn proofs_of_one_witness_differ() {
    let circuit = Circuit::new(5, true, false);
    let keys = circuit.setup();
    let (one, two) = (circuit.prove(&keys, None), circuit.prove(&keys, None));
    assert_ne!(one.a, two.a);
    assert_ne!(one.b, two.b);
    assert_ne!(one.c, two.c);
    assert_ne!(one.d, two.d, "the commitment must hide");
}

#[test]
fn a_second_model_needs_no_second_key() {
    let circuit = Circuit::new(9, true, true);
    let keys = circuit.setup();
    let first = circuit.commit_model(&keys).unwrap();
    let proof = circuit.prove(&keys, Some(&first));
    let second = circuit.commit_model(&keys).unwrap();
    assert_ne!(
        first.commitment, second.commitment,
        "M must hide the weights"
    );
    let check = |m| verify::verify(&keys.vk, &circuit.public, &proof, Some(m));
    check(&first.commitment).unwrap();
    assert!(matches!(
        check(&second.commitment),
        Err(Error::InvalidProof(_))
    ));
}

#[test]
fn the_circuit_checker_names_the_first_failing_row() {
    let circuit = Circuit::new(6, false, false);
    let witness = circuit.witness(None);
    let inputs: Vec<_> = circuit
        .public
        .iter()
        .copied()
        .map(assay_groth16::field::limbs)
        .collect();
    let mut z = vec![Scalars::Small(&[1]), Scalars::Full(&inputs)];
    z.extend(witness.segments());
    let mut z = matrix::dense(&z, circuit.layout.n_wires()).unwrap();
    let rows = circuit.rows();
    assert_eq!(matrix::first_unsatisfied(&[rows], &z).unwrap(), None);
    assert_eq!(matrix::first_unsatisfied(&[rows, rows], &z).unwrap(), None);
    let square = circuit.layout.w2().start + 6;
    z[square + 3] += ark_bn254::Fr::from(1u64);
    assert_eq!(matrix::first_unsatisfied(&[rows], &z).unwrap(), Some(3));
}

#[test]
fn seeded_setups_and_proofs_are_reproducible() {
    let circuit = Circuit::new(3, true, false);
    let folder = tempfile::tempdir().unwrap();
    let keys: Vec<_> = ["a", "b"]
        .map(|name| {
            let mut randomness = Randomness::insecure_from_seed([7; 32]);
            let mut builder = assay_groth16::SetupBuilder::new(
                circuit.layout,
                circuit.n_constraints,
                &mut randomness,
            )
            .unwrap();
            builder.push(&circuit.rows()).unwrap();
            let path = folder.path().join(name);
            builder
                .finish(&path, assay_groth16::progress::SILENT)
                .unwrap();
            std::fs::read(path).unwrap()
        })
        .into();
    assert_eq!(keys[0], keys[1]);
}
