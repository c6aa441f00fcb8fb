//! Verifying keys with one thing changed, and keys that must never be used.

mod common;

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use assay_groth16::{Error, VerifyingKey, verify::verify};
use common::{
    Circuit,
    baseline::{
        Baseline, FULL, PLAIN, assert_key_refused, assert_proof_refused, g1, g2,
        outside_the_subgroup,
    },
};

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
fn proofs_of_another_setup_are_refused() {
    let other = Baseline::new(false, false);
    assert_proof_refused(PLAIN.check(&other.proof), "another setup");
}
