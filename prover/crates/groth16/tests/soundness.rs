//! Each test changes one thing about a proof that passes.

mod common;

use ark_bn254::{Fq, Fr, G1Affine, G2Affine};
use ark_ec::CurveGroup;
use ark_ff::{BigInteger, Field, PrimeField};
use assay_groth16::{
    Error, Proof, Randomness,
    encoding::{fr_word, g1_bytes, g2_bytes},
    verify::{statement_from_words, verify},
};
use common::baseline::{FULL, PLAIN, assert_proof_refused, g1, g2, outside_the_subgroup};

#[test]
fn every_proof_element_matters() {
    for base in [&*PLAIN, &*FULL] {
        let p = base.proof;
        assert_proof_refused(base.check(&Proof { a: g1(&p.a), ..p }), "A");
        assert_proof_refused(base.check(&Proof { b: g2(&p.b), ..p }), "B");
        assert_proof_refused(base.check(&Proof { c: g1(&p.c), ..p }), "C");
        assert_proof_refused(base.check(&Proof { a: -p.a, ..p }), "-A");
        let zero = G1Affine::identity();
        assert_proof_refused(base.check(&Proof { a: zero, ..p }), "A = 0");
        assert_proof_refused(base.check(&Proof { c: zero, ..p }), "C = 0");
        assert_proof_refused(
            base.check(&Proof {
                b: G2Affine::identity(),
                ..p
            }),
            "B = 0",
        );
        if let Some(d) = p.d {
            assert_proof_refused(
                base.check(&Proof {
                    d: Some(g1(&d)),
                    ..p
                }),
                "D",
            );
            assert_proof_refused(base.check(&Proof { d: Some(zero), ..p }), "D = 0");
            assert_proof_refused(base.check(&Proof { d: None, ..p }), "no D");
            assert_proof_refused(
                base.check(&Proof {
                    c: d,
                    d: Some(p.c),
                    ..p
                }),
                "C and D swapped",
            );
        } else {
            assert_proof_refused(
                base.check(&Proof { d: Some(zero), ..p }),
                "a D nobody asked for",
            );
        }
    }
}

#[test]
fn every_byte_of_a_proof_matters() {
    let base = &*FULL;
    let bytes = base.proof.to_bytes();
    for position in 0..bytes.len() {
        let mut tampered = bytes.clone();
        tampered[position] ^= 1 << (position % 8);
        let result = Proof::from_bytes(&tampered, true).and_then(|proof| base.check(&proof));
        assert_proof_refused(result, &format!("byte {position}"));
    }
}

#[test]
fn proofs_of_another_length_are_refused() {
    let bytes = FULL.proof.to_bytes();
    for length in [0, 1, 64, 255, 256, 319] {
        assert!(matches!(
            Proof::from_bytes(&bytes[..length], true),
            Err(Error::InvalidProof(_))
        ));
    }
    let mut long = bytes.clone();
    long.push(0);
    assert!(matches!(
        Proof::from_bytes(&long, true),
        Err(Error::InvalidProof(_))
    ));
    assert!(matches!(
        Proof::from_bytes(&bytes, false),
        Err(Error::InvalidProof(_))
    ));
}

#[test]
fn coordinates_above_p_are_refused() {
    let base = &*PLAIN;
    for word in 0..8 {
        let mut bytes = base.proof.to_bytes();
        let slot = &mut bytes[32 * word..32 * (word + 1)];
        let mut value = ark_ff::BigInt::<4>::default();
        for (limb, chunk) in value.0.iter_mut().rev().zip(slot.chunks_exact(8)) {
            *limb = u64::from_be_bytes(chunk.try_into().unwrap());
        }
        assert!(
            !value.add_with_carry(&Fq::MODULUS),
            "p fits twice into a word"
        );
        slot.copy_from_slice(&value.to_bytes_be());
        let result = Proof::from_bytes(&bytes, false);
        assert!(matches!(result, Err(Error::InvalidProof(ref why)) if why.contains("below p")));
    }
}

#[test]
fn a_b_outside_the_subgroup_is_refused() {
    let proof = Proof {
        b: outside_the_subgroup(),
        ..PLAIN.proof
    };
    let result = Proof::from_bytes(&proof.to_bytes(), false);
    assert!(matches!(result, Err(Error::InvalidProof(ref why)) if why.contains("subgroup")));
}

#[test]
fn every_public_input_matters() {
    for base in [&*PLAIN, &*FULL] {
        for i in 0..base.circuit.public.len() {
            let mut public = base.circuit.public.clone();
            public[i] += Fr::from(1u64);
            assert_proof_refused(
                verify(&base.keys.vk, &public, &base.proof, base.m()),
                "x + 1",
            );
        }
        let mut swapped = base.circuit.public.clone();
        swapped.swap(0, 1);
        assert_proof_refused(
            verify(&base.keys.vk, &swapped, &base.proof, base.m()),
            "swapped",
        );
        for length in [0, 1, 3] {
            let public = vec![Fr::from(0u64); length];
            let result = verify(&base.keys.vk, &public, &base.proof, base.m());
            assert!(matches!(result, Err(Error::InvalidInput(_))));
        }
    }
}

#[test]
fn a_public_input_above_r_is_refused() {
    let x = PLAIN.circuit.public[0];
    let mut above = x.into_bigint();
    above.add_with_carry(&Fr::MODULUS);
    let above: [u8; 32] = above.to_bytes_be().try_into().unwrap();
    assert_eq!(statement_from_words(&[fr_word(x)]).unwrap(), [x]);
    let result = statement_from_words(&[fr_word(x), above]);
    assert!(matches!(result, Err(Error::InvalidInput(ref why)) if why.contains("public input 1")));
}

#[test]
fn a_false_witness_does_not_verify() {
    for i in 0..3 {
        let base = &*PLAIN;
        let mut randomness = Randomness::system();
        let session = base
            .keys
            .pk
            .commit(base.circuit.public.clone(), &[], None, &mut randomness)
            .unwrap();
        let mut witness = base.circuit.witness(None);
        let position = [0, 7, witness.small.len() - 1][i];
        witness.small[position] += 1;
        let proof = base
            .circuit
            .complete(&base.keys, session, &witness, &mut randomness)
            .unwrap();
        assert_proof_refused(base.check(&proof), "false witness");
    }
}

#[test]
fn proofs_can_be_rerandomised_so_bytes_are_no_identity() {
    let base = &*PLAIN;
    let t = Fr::from(3u64);
    let p = base.proof;
    let other = Proof {
        a: (p.a * t).into_affine(),
        b: (p.b * t.inverse().unwrap()).into_affine(),
        ..p
    };
    assert_ne!(other.to_bytes(), p.to_bytes());
    base.check(&other).unwrap();
}

#[test]
fn points_survive_their_encoding() {
    let p = FULL.proof;
    assert_eq!(g1_bytes(&G1Affine::identity()), [0; 64]);
    assert_eq!(g2_bytes(&G2Affine::identity()), [0; 128]);
    assert_eq!(
        assay_groth16::encoding::g1_from_bytes(&g1_bytes(&p.a)),
        Ok(p.a)
    );
    assert_eq!(
        assay_groth16::encoding::g2_from_bytes(&g2_bytes(&p.b)),
        Ok(p.b)
    );
}
