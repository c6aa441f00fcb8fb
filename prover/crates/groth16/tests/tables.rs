//! Tables of multiples change how fast a proof is made, and none of its bytes.

mod common;

use assay_bn254::Scalars;
use assay_groth16::{ModelCommitment, Proof, ProvingKey, Randomness, key::Wide, verify};
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
