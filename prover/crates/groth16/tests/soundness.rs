//! Each test changes one thing about a proof that passes.

mod common;

use std::sync::LazyLock;

use ark_bn254::{Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInteger, Field, PrimeField};
use assay_bn254::Scalars;
use assay_groth16::{
    Error, ModelCommitment, Proof, Randomness, Result, VerifyingKey,
    encoding::{fr_word, g1_bytes, g2_bytes},
    verify::{statement_from_words, verify, verify_batch},
};
use common::{Circuit, Keys};

struct Baseline {
    circuit: Circuit,
    keys: Keys,
    model: Option<ModelCommitment>,
    proof: Proof,
}

impl Baseline {
    fn new(committed: bool, private: bool) -> Self {
        let circuit = Circuit::new(6, committed, private);
        let keys = circuit.setup();
        let model = circuit.commit_model(&keys);
        let proof = circuit.prove(&keys, model.as_ref());
        let baseline = Self {
            circuit,
            keys,
            model,
            proof,
        };
        baseline
            .check(&baseline.proof)
            .expect("the baseline passes");
        baseline
    }

    fn m(&self) -> Option<&G1Affine> {
        self.model.as_ref().map(|m| &m.commitment)
    }

    fn check(&self, proof: &Proof) -> Result<()> {
        verify(&self.keys.vk, &self.circuit.public, proof, self.m())
    }
}

static PLAIN: LazyLock<Baseline> = LazyLock::new(|| Baseline::new(false, false));
static FULL: LazyLock<Baseline> = LazyLock::new(|| Baseline::new(true, true));

fn g1(point: &G1Affine) -> G1Affine {
    (*point + G1Affine::generator()).into_affine()
}

fn g2(point: &G2Affine) -> G2Affine {
    (*point + G2Affine::generator()).into_affine()
}

fn assert_proof_refused(result: Result<()>, what: &str) {
    assert!(
        matches!(result, Err(Error::InvalidProof(_))),
        "{what}: {result:?}"
    );
}

fn assert_key_refused(key: &VerifyingKey, what: &str) {
    let result = VerifyingKey::from_bytes(&key.to_bytes());
    assert!(
        matches!(result, Err(Error::InvalidKey(_))),
        "{what}: {result:?}"
    );
}

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

/// A point of the twist outside the subgroup of order r (the cofactor is about 2^254).
fn outside_the_subgroup() -> G2Affine {
    (1u64..)
        .filter_map(|x| G2Affine::get_point_from_x_unchecked(Fq2::new(x.into(), 1u64.into()), true))
        .find(|p| p.is_on_curve() && !p.is_in_correct_subgroup_assuming_on_curve())
        .unwrap()
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
fn a_public_input_without_a_constraint_is_bound() {
    // x_2's only constraint is dropped: what binds it then is its input row.
    let mut circuit = Circuit::new(3, false, false);
    for matrix in &mut circuit.matrices {
        matrix.ptr.pop();
        let entries = *matrix.ptr.last().unwrap() as usize;
        matrix.col.truncate(entries);
        matrix.coef.truncate(entries);
    }
    circuit.n_constraints -= 1;
    let keys = circuit.setup();
    let proof = circuit.prove(&keys, None);
    verify(&keys.vk, &circuit.public, &proof, None).unwrap();
    let mut public = circuit.public.clone();
    public[1] += Fr::from(1u64);
    assert_proof_refused(verify(&keys.vk, &public, &proof, None), "unused input");
}

#[test]
fn every_key_element_matters() {
    for base in [&*PLAIN, &*FULL] {
        let vk = &base.keys.vk;
        let check = |vk: VerifyingKey, what: &str| {
            vk.check().unwrap();
            assert_proof_refused(
                verify(&vk, &base.circuit.public, &base.proof, base.m()),
                what,
            );
        };
        check(
            VerifyingKey {
                alpha: g1(&vk.alpha),
                ..vk.clone()
            },
            "alpha",
        );
        check(
            VerifyingKey {
                beta: g2(&vk.beta),
                ..vk.clone()
            },
            "beta",
        );
        check(
            VerifyingKey {
                gamma: g2(&vk.gamma),
                ..vk.clone()
            },
            "gamma",
        );
        check(
            VerifyingKey {
                delta: g2(&vk.delta),
                ..vk.clone()
            },
            "delta",
        );
        if let (Some(one), Some(m)) = (vk.delta_1, vk.delta_m) {
            check(
                VerifyingKey {
                    delta_1: Some(g2(&one)),
                    ..vk.clone()
                },
                "delta_1",
            );
            check(
                VerifyingKey {
                    delta_m: Some(g2(&m)),
                    ..vk.clone()
                },
                "delta_m",
            );
            check(
                VerifyingKey {
                    delta_1: Some(m),
                    delta_m: Some(one),
                    ..vk.clone()
                },
                "swapped",
            );
        }
        for i in 0..vk.ic.len() {
            let mut other = vk.clone();
            other.ic[i] = g1(&vk.ic[i]);
            check(other, "IC");
        }
    }
}

#[test]
fn unsafe_keys_are_refused() {
    let vk = &FULL.keys.vk;
    let (g, zero_1, zero_2) = (
        G2Affine::generator(),
        G1Affine::identity(),
        G2Affine::identity(),
    );
    assert_key_refused(
        &VerifyingKey {
            alpha: zero_1,
            ..vk.clone()
        },
        "alpha = 0",
    );
    assert_key_refused(
        &VerifyingKey {
            beta: zero_2,
            ..vk.clone()
        },
        "beta = 0",
    );
    for (what, bad) in [
        ("0", zero_2),
        ("G", g),
        ("-G", -g),
        ("gamma", vk.gamma),
        ("-gamma", -vk.gamma),
    ] {
        assert_key_refused(
            &VerifyingKey {
                delta: bad,
                ..vk.clone()
            },
            what,
        );
        assert_key_refused(
            &VerifyingKey {
                delta_1: Some(bad),
                ..vk.clone()
            },
            what,
        );
        assert_key_refused(
            &VerifyingKey {
                delta_m: Some(bad),
                ..vk.clone()
            },
            what,
        );
    }
    assert_key_refused(
        &VerifyingKey {
            gamma: zero_2,
            ..vk.clone()
        },
        "gamma = 0",
    );
    assert_key_refused(
        &VerifyingKey {
            delta_1: Some(vk.delta),
            ..vk.clone()
        },
        "delta_1 = delta",
    );
    assert_key_refused(
        &VerifyingKey {
            delta_m: vk.delta_1,
            ..vk.clone()
        },
        "delta_m = delta_1",
    );
    for i in 1..vk.ic.len() {
        let mut other = vk.clone();
        other.ic[i] = zero_1;
        assert_key_refused(&other, "IC = 0");
    }
    let outside = VerifyingKey {
        beta: outside_the_subgroup(),
        ..vk.clone()
    };
    assert_key_refused(&outside, "beta outside the subgroup");
    // snarkjs leaves gamma at the generator, which is harmless.
    VerifyingKey {
        gamma: g,
        ..vk.clone()
    }
    .check()
    .unwrap();
}

#[test]
fn a_key_is_exactly_what_its_header_says() {
    let bytes = FULL.keys.vk.to_bytes();
    let refused = |bytes: &[u8], what: &str| {
        let result = VerifyingKey::from_bytes(bytes);
        assert!(matches!(result, Err(Error::InvalidKey(_))), "{what}");
    };
    for length in [0, 31, 32, 95, bytes.len() - 64, bytes.len() - 1] {
        refused(&bytes[..length], "truncated");
    }
    refused(&[bytes.as_slice(), &[0]].concat(), "oversized");
    for position in 0..32 {
        let mut tampered = bytes.clone();
        tampered[position] ^= 1;
        refused(&tampered, "header bit");
    }
    // A length prefix far beyond the data must not allocate (CVE-2024-50354).
    let mut huge = bytes.clone();
    huge[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
    refused(&huge, "huge n");
}

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

#[test]
fn proofs_of_another_setup_are_refused() {
    let other = Baseline::new(false, false);
    assert_proof_refused(PLAIN.check(&other.proof), "another setup");
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
