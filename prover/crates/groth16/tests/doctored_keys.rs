//! Proving keys that are consistent in themselves and malicious: none passes the check.

mod common;

use std::{fs, sync::Arc};

use ark_bn254::{Fq, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::One;
use assay_groth16::{Error, KeyCheck, ProvingKey, Result, progress::SILENT};
use common::{
    Circuit, MODES,
    baseline::outside_the_subgroup,
    doctor::{Doctor, check, inverse, small_order},
};

const SEED: [u8; 32] = [7; 32];
/// Each with its list of wires.
const QUERIES: [(&str, &str); 5] = [
    ("index A", "A"),
    ("index B", "B1"),
    ("index K", "K"),
    ("index D", "D"),
    ("index M", "M"),
];

fn doctor(committed: bool, private: bool) -> Doctor {
    Doctor::new(Circuit::new(4, committed, private), SEED)
}

#[track_caller]
fn refused(result: Result<()>, part: &str, what: &str) {
    match result {
        Err(Error::InvalidKey(why)) => assert!(why.contains(part), "{what}: {why}"),
        other => panic!("{what}: {other:?}"),
    }
}

fn times(point: G1Affine, by: Fr) -> G1Affine {
    (point * by).into_affine()
}

#[test]
fn an_honest_key_passes_in_every_mode() {
    for (committed, private) in MODES {
        for size in [1, 2, 5, 40, 200] {
            let circuit = Circuit::new(size, committed, private);
            let keys = circuit.setup();
            check(&keys.path, &circuit).unwrap();
        }
        // The doctor writes what setup wrote.
        let doctor = doctor(committed, private);
        doctor.verdict().unwrap();
    }
}

#[test]
fn the_elements_that_blind_are_checked_whenever_a_key_is_opened() {
    // In the file's order: alpha, beta, delta, delta_1, delta_m in G1.
    let names = [
        "alpha",
        "[beta]_1",
        "[delta]_1",
        "[delta_1]_1",
        "[delta_m]_1",
    ];
    for (i, name) in names.into_iter().enumerate() {
        let honest = doctor(true, true).g1("constants", i);
        let others = [
            ("infinity", G1Affine::identity()),
            ("the generator", G1Affine::generator()),
            ("twice", times(honest, Fr::from(2u64))),
            ("negated", -honest),
            (
                "off the curve",
                G1Affine::new_unchecked(honest.x, honest.y + Fq::one()),
            ),
        ];
        for (how, point) in others {
            let mut doctor = doctor(true, true);
            doctor.put_g1("constants", i, point);
            for verify in [true, false] {
                let opened = ProvingKey::open(&doctor.write(), verify).map(|_| ());
                refused(opened, name, how);
            }
        }
    }
    for (i, name) in ["beta", "delta"].into_iter().enumerate() {
        let mut doctor = doctor(true, true);
        let at = 5 * 64 + i * 128;
        let twice = doctor.g2("constants", at) + doctor.g2("constants", at);
        doctor.put_g2("constants", at, twice.into_affine());
        refused(doctor.verdict(), name, "twice");
    }
    // Elements of modes that the key has not.
    for i in [3, 4] {
        let mut doctor = doctor(false, false);
        doctor.put_g1("constants", i, G1Affine::generator());
        refused(
            doctor.verdict(),
            names[i],
            "a mode's element without the mode",
        );
    }
}

#[test]
fn a_key_that_blinds_nothing_is_refused() {
    // Proofs of such a key verify and tell the witness: D is a sum of known points with the witness as scalars.
    let mut doctor = doctor(true, false);
    for i in [1, 2, 3] {
        doctor.put_g1("constants", i, G1Affine::identity());
    }
    doctor.section("B1").fill(0);
    refused(doctor.verdict(), "[beta]_1", "all at once");
    // With the constants as they should be, what is left of it fails in the check.
    let mut doctor = self::doctor(true, false);
    doctor.section("B1").fill(0);
    refused(
        doctor.verdict(),
        "point 0 of the B1 query",
        "B1 at infinity",
    );
}

#[test]
fn a_committed_wire_cannot_be_moved_from_d_into_k() {
    // D_i becomes a known multiple of the generator, and K_i makes up for it: all proofs verify, and D tells wire i.
    let mut doctor = doctor(true, true);
    let wire = doctor.circuit.layout.w1().start;
    let (mut d, mut k) = (
        doctor.position("index D", "D", 0),
        doctor.position("index K", "K", wire),
    );
    for (group, delta) in [
        ("D", doctor.trapdoors.delta_1),
        ("M", doctor.trapdoors.delta_m),
    ] {
        if group == "M" {
            d = doctor.position("index M", "M", 0);
            let wire = doctor.circuit.layout.model().start;
            k = doctor.position("index K", "K", wire);
        }
        let moved = doctor.g1(group, d) - G1Affine::generator();
        let old = if doctor.count("K") > k {
            doctor.g1("K", k)
        } else {
            G1Affine::identity()
        };
        let ratio = delta * inverse(doctor.trapdoors.delta);
        doctor.put_g1(group, d, G1Affine::generator());
        doctor.put_g1("K", k, (old + moved * ratio).into_affine());
        refused(doctor.verdict(), "K", group);
    }
}

#[test]
fn one_point_replaced_is_found_in_any_query_at_any_place() {
    for (committed, private) in [(true, true), (false, false)] {
        let names = QUERIES.map(|(_, name)| name);
        for name in names.into_iter().chain(["H"]) {
            let mut doctor = doctor(committed, private);
            for i in 0..doctor.count(name) {
                let honest = doctor.g1(name, i);
                for (how, point) in [
                    ("shifted", (honest + G1Affine::generator()).into_affine()),
                    ("negated", -honest),
                ] {
                    doctor.put_g1(name, i, point);
                    refused(doctor.verdict(), "quer", &format!("{name} {i} {how}"));
                }
                doctor.put_g1(name, i, honest);
            }
            if doctor.count(name) > 1 {
                let (first, second) = (doctor.g1(name, 0), doctor.g1(name, 1));
                doctor.put_g1(name, 0, second);
                doctor.put_g1(name, 1, first);
                if first != second {
                    refused(doctor.verdict(), "quer", &format!("{name}: two swapped"));
                }
            }
        }
        let mut doctor = doctor(committed, private);
        for i in 0..doctor.count("B2") {
            let honest = doctor.g2("B2", 128 * i);
            let other = (honest + G2Affine::generator()).into_affine();
            doctor.put_g2("B2", 128 * i, other);
            refused(doctor.verdict(), "B1 and B2", &format!("B2 {i}"));
            // In both, so that they agree.
            let kept = doctor.g1("B1", i);
            doctor.put_g1("B1", i, (kept + G1Affine::generator()).into_affine());
            refused(doctor.verdict(), "B1", &format!("B1 and B2 {i}"));
            doctor.put_g1("B1", i, kept);
            doctor.put_g2("B2", 128 * i, honest);
        }
        doctor.verdict().unwrap();
    }
}

#[test]
fn points_outside_the_group_are_found() {
    for name in ["A", "B1", "K", "D", "M", "H"] {
        let mut doctor = doctor(true, true);
        let last = doctor.count(name) - 1;
        let honest = doctor.g1(name, last);
        let off = G1Affine::new_unchecked(honest.x, honest.y + Fq::one());
        doctor.put_g1(name, last, off);
        refused(
            doctor.verdict(),
            &format!("of the {name} query"),
            "off the curve",
        );
        doctor.put_g1(name, last, G1Affine::identity());
        refused(
            doctor.verdict(),
            &format!("of the {name} query"),
            "infinity",
        );
        // The same point by another name: a coordinate plus the prime.
        doctor.put_g1(name, last, honest);
        doctor.section(name)[64 * last + 24..64 * last + 32].fill(0xff);
        refused(
            doctor.verdict(),
            &format!("of the {name} query"),
            "above the prime",
        );
    }
    let small = small_order();
    for (what, outside) in [
        ("large order", outside_the_subgroup()),
        ("order 10,069", small),
    ] {
        for i in [0, 3] {
            let mut doctor = doctor(true, true);
            let honest = doctor.g2("B2", 128 * i);
            doctor.put_g2("B2", 128 * i, (honest + outside).into_affine());
            refused(doctor.verdict(), "outside the group", what);
        }
        for at in [5 * 64 + 2 * 128, 5 * 64 + 3 * 128] {
            let mut doctor = doctor(true, true);
            let honest = doctor.g2("constants", at);
            doctor.put_g2("constants", at, (honest + outside).into_affine());
            refused(doctor.verdict(), "no point of the group", what);
        }
    }
}

#[test]
fn a_wire_left_out_or_put_at_anothers_place_is_found() {
    for (index, name) in QUERIES {
        let mut doctor = doctor(true, true);
        let count = doctor.count(name);
        let mut list: Vec<u32> = doctor
            .section(index)
            .chunks_exact(4)
            .map(|c| u32::from_le_bytes(c.try_into().unwrap()))
            .collect();
        if list.is_empty() {
            list = (0..count as u32).collect();
        }
        let at = count / 2;
        let removed = list.remove(at);
        let bytes: Vec<u8> = list.iter().flat_map(|i| i.to_le_bytes()).collect();
        *doctor.section(index) = bytes;
        doctor.section(name).drain(64 * at..64 * (at + 1));
        if name == "B1" {
            doctor.section("B2").drain(128 * at..128 * (at + 1));
        }
        refused(
            doctor.verdict(),
            "",
            &format!("{name} without wire {removed}"),
        );
    }
}

#[test]
fn a_query_scaled_or_shifted_by_a_trapdoor_is_found() {
    let scales = |t: &common::doctor::Trapdoors| {
        [
            t.tau,
            t.alpha,
            t.beta,
            t.delta,
            t.delta_1,
            inverse(t.delta),
            -Fr::one(),
        ]
    };
    for name in ["A", "B1", "K", "D", "M", "H"] {
        for which in 0..7 {
            let mut doctor = doctor(true, true);
            let by = scales(&doctor.trapdoors)[which];
            for i in 0..doctor.count(name) {
                let scaled = times(doctor.g1(name, i), by);
                doctor.put_g1(name, i, scaled);
            }
            refused(
                doctor.verdict(),
                "",
                &format!("{name} times trapdoor {which}"),
            );
            let mut doctor = self::doctor(true, true);
            for i in 0..doctor.count(name) {
                let shifted = doctor.g1(name, i) + times(G1Affine::generator(), by);
                doctor.put_g1(name, i, shifted.into_affine());
            }
            refused(
                doctor.verdict(),
                "",
                &format!("{name} plus trapdoor {which}"),
            );
        }
    }
}

#[test]
fn parts_of_keys_with_another_tau_do_not_mix() {
    let other = |name: &str| {
        let mut other = Doctor::new(Circuit::new(4, true, true), [8; 32]);
        other.section(name).clone()
    };
    for name in ["A", "B1", "B2", "K", "D", "M", "H"] {
        let mut doctor = doctor(true, true);
        *doctor.section(name) = other(name);
        refused(doctor.verdict(), "quer", name);
    }
    // tau and tau^n - 1 in G2.
    for (at, name) in [(5 * 64 + 2 * 128, "basis"), (5 * 64 + 3 * 128, "delta")] {
        let mut doctor = doctor(true, true);
        let (old, more) = (doctor.g2("constants", at), G2Affine::generator());
        doctor.put_g2("constants", at, (old + more).into_affine());
        refused(doctor.verdict(), name, "another element");
        doctor.put_g2("constants", at, G2Affine::identity());
        refused(doctor.verdict(), "infinity", "no element");
    }
}

#[test]
fn a_hint_that_does_not_fit_is_found() {
    let doctor = doctor(true, true);
    let honest =
        |weights: &[Fr], w: &[Fr]| -> Fr { weights.iter().zip(w).map(|(r, w)| *r * w).sum() };
    for more in [Fr::one(), -Fr::one()] {
        let path =
            doctor.write_with(|weights, w| times(G1Affine::generator(), honest(weights, w) + more));
        refused(check(&path, &doctor.circuit), "hint", "another point");
    }
    let path = doctor.write_with(|_, _| G1Affine::identity());
    refused(check(&path, &doctor.circuit), "hint", "infinity");
    // The hint of other weights: weights depend on every byte of the key.
    let mut other = self::doctor(true, true);
    other.header[12] = 1; // its origin
    let mut stale = fs::read(doctor.write()).unwrap();
    stale[12] = 1;
    let hash = *blake3::hash(&stale[..480]).as_bytes();
    stale[480..512].copy_from_slice(&hash);
    let path = other.write();
    check(&path, &other.circuit).unwrap();
    fs::write(&path, stale).unwrap();
    refused(check(&path, &other.circuit), "hint", "of another header");
}

#[test]
fn the_key_of_another_circuit_of_the_same_shape_is_refused() {
    let mut circuit = Circuit::new(4, true, true);
    circuit.matrices[0].coef[0] = 2;
    let mut other = Doctor::new(circuit.clone(), SEED);
    let honest = doctor(true, true);
    refused(
        check(&other.write(), &honest.circuit),
        "another circuit",
        "as it is",
    );
    // It claims to be of this circuit's rows.
    other.claim_rows(&honest);
    refused(
        check(&other.write(), &honest.circuit),
        "query",
        "with the rows' digest",
    );
    // Only its verifying key is another's: IC of the wire that differs.
    let mut circuit = Circuit::new(4, true, true);
    let last = circuit.matrices[0].coef.len() - 1;
    circuit.matrices[0].coef[last] = 3; // x_2's row
    let mut third = Doctor::new(circuit, SEED);
    let mut doctor = self::doctor(true, true);
    *doctor.section("vk") = third.section("vk").clone();
    refused(doctor.verdict(), "verifying key", "another IC");
}

#[test]
fn a_check_takes_the_rows_of_the_circuit_and_no_others() {
    let doctor = doctor(true, false);
    let path = doctor.write();
    let start = || KeyCheck::new(Arc::new(ProvingKey::open(&path, true).unwrap())).unwrap();
    let missing = start().finish(SILENT);
    assert!(
        matches!(missing, Err(Error::InvalidInput(_))),
        "{missing:?}"
    );
    let mut twice = start();
    twice.push(&doctor.circuit.rows()).unwrap();
    let again = twice.push(&doctor.circuit.rows());
    assert!(matches!(again, Err(Error::InvalidInput(_))), "{again:?}");
    let stop = |stage: &'static str, _: f64| stage != "G2";
    assert!(matches!(twice.finish(&stop), Err(Error::Cancelled)));
    // Weights are hashed from the file: what was not hashed has none.
    let unhashed = KeyCheck::new(Arc::new(ProvingKey::open(&path, false).unwrap()));
    assert!(matches!(unhashed, Err(Error::InvalidInput(_))));
}
