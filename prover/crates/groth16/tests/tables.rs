//! Tables of multiples change how fast a proof is made, and none of its bytes.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use assay_bn254::{Scalars, msm::TableG1};
use assay_groth16::{
    Assignment, Error, Job, ModelCommitment, Proof, ProvingKey, Randomness, Result,
    field::{Limbs, limbs},
    key::Wide,
    matrix::{dense, evaluate_rows},
    progress::{Progress, SILENT},
    verify,
};
use common::{Circuit, Keys, MODES};

fn prove(circuit: &Circuit, keys: &Keys, model: Option<&ModelCommitment>) -> Proof {
    let mut randomness = Randomness::insecure_from_seed([5; 32]);
    let w1 = [Scalars::Small(circuit.w1())];
    let session = keys
        .pk
        .commit(circuit.public.clone(), &w1, model.cloned(), &mut randomness)
        .unwrap();
    let witness = circuit.witness(session.challenge());
    circuit
        .complete(keys, session, &witness, &mut randomness)
        .unwrap()
}

#[test]
fn proofs_are_the_same_with_tables() {
    for (committed, private) in MODES {
        for wide in [Wide::Quotient, Wide::Wires] {
            let circuit = Circuit::new(100, committed, private);
            let keys = circuit.setup();
            let model = circuit.commit_model(&keys);
            let without = prove(&circuit, &keys, model.as_ref());
            let bytes = keys.pk.prepare_tables(wide, ProvingKey::TABLES_BUDGET);
            assert!(bytes > 64 * keys.pk.domain().size());
            let with = prove(&circuit, &keys, model.as_ref());
            assert_eq!(with.to_bytes(), without.to_bytes());
            let m = model.as_ref().map(|m| &m.commitment);
            verify::verify(&keys.vk, &circuit.public, &with, m).unwrap();
            let again = keys.pk.prepare_tables(wide, 0);
            assert_eq!(again, bytes, "tables that are there are kept");
        }
    }
}

#[test]
fn tables_stay_within_their_budget() {
    let circuit = Circuit::new(100, true, true);
    let size = |wide, budget| circuit.setup().pk.prepare_tables(wide, budget);
    assert_eq!(size(Wide::Wires, 0), 0);
    let quotient = size(Wide::Quotient, ProvingKey::TABLES_BUDGET);
    assert_eq!(size(Wide::Wires, quotient), quotient);
    assert_eq!(size(Wide::Quotient, quotient - 1), 0);
    assert!(size(Wide::Wires, ProvingKey::TABLES_BUDGET) > 2 * quotient);
}

/// `count` proofs of one statement in one batch.
fn batch(
    circuit: &Circuit,
    keys: &Keys,
    count: usize,
    progress: Progress<'_>,
) -> Result<Vec<Proof>> {
    let witness = circuit.witness(None);
    let w2 = witness.segments();
    let inputs: Vec<Limbs> = circuit.public.iter().copied().map(limbs).collect();
    let mut z = vec![Scalars::Small(&[1]), Scalars::Full(&inputs)];
    z.extend(&w2);
    let z = dense(&z, circuit.layout.n_wires()).unwrap();
    let (a, b) = evaluate_rows(&[circuit.rows()], &z);
    let [a, b]: [Vec<Limbs>; 2] = [a, b].map(|rows| rows.into_iter().map(limbs).collect());
    let (a, b) = ([Scalars::Full(&a)], [Scalars::Full(&b)]);
    let jobs = (0..count).map(|_| {
        let mut randomness = Randomness::system();
        Job {
            session: keys
                .pk
                .commit(circuit.public.clone(), &[], None, &mut randomness)
                .unwrap(),
            assignment: Assignment {
                model: &[],
                w1: &[],
                w2: &w2,
                a: &a,
                b: &b,
            },
            randomness,
        }
    });
    keys.pk.finish_batch(jobs.collect(), progress)
}

#[test]
fn batches_make_tables_once_they_pay() {
    let circuit = Circuit::new(30, false, false);
    let keys = circuit.setup();
    let pays = TableG1::pays_after(keys.pk.domain().size()).unwrap();
    let prove = |keys: &Keys, count| {
        let proofs = batch(&circuit, keys, count, SILENT).unwrap();
        assert_eq!(proofs.len(), count);
        for proof in &proofs {
            verify::verify(&keys.vk, &circuit.public, proof, None).unwrap();
        }
    };
    prove(&keys, pays / 2);
    prove(&keys, pays - 1 - pays / 2);
    assert_eq!(keys.pk.tables_bytes(), 0);
    prove(&keys, 1);
    assert_eq!(
        keys.pk.tables_bytes(),
        TableG1::bytes(keys.pk.domain().size()),
        "wires are small, the quotient's alone is made"
    );
    prove(&keys, 3);
    let without = circuit.setup();
    without.pk.prepare_tables(Wide::Wires, 0);
    prove(&without, pays);
    assert_eq!(without.pk.tables_bytes(), 0, "none was asked for");
}

#[test]
fn a_proof_and_a_batch_stop_inside_a_multiplication() {
    let circuit = Circuit::new(30, false, false);
    let keys = circuit.setup();
    let after = AtomicUsize::new(0);
    let progress = |stage: &'static str, fraction: f64| {
        if stage == "G1" && fraction > 0.0 {
            after.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        true
    };
    let session = keys
        .pk
        .commit(circuit.public.clone(), &[], None, &mut Randomness::system())
        .unwrap();
    let rows = [Scalars::Small(&vec![1; circuit.n_constraints])];
    let wires = [Scalars::Small(&vec![1; circuit.layout.n_w2 as usize])];
    let assignment = Assignment {
        model: &[],
        w1: &[],
        w2: &wires,
        a: &rows,
        b: &rows,
    };
    let result = keys
        .pk
        .finish(session, &assignment, &mut Randomness::system(), &progress);
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    assert!((1..=rayon::current_num_threads()).contains(&after.into_inner()));

    // A batch asks at its own stage, more often than there are proofs.
    let asked = AtomicUsize::new(0);
    let result = batch(&circuit, &keys, 2, &|stage, fraction| {
        assert_eq!((stage, fraction), ("batch", 0.0));
        asked.fetch_add(1, Ordering::Relaxed) < 8
    });
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
}
