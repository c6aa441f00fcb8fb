//! Known answers of circomlib and agreement with an independent implementation.

use ark_bn254::Fr;
use ark_ff::{Field, MontFp};
use assay_poseidon::{hash, parameters, trace};
use light_poseidon::{Poseidon, PoseidonHasher};

#[test]
fn known_answers_of_circomlib() {
    let one = Fr::from(1u64);
    let two = Fr::from(2u64);
    assert_eq!(
        hash(&[one]),
        Some(MontFp!(
            "18586133768512220936620570745912940619677854269274689475585506675881198879027"
        ))
    );
    assert_eq!(
        hash(&[one, two]),
        Some(MontFp!(
            "7853200120776062878684798364095072458815029376092732009249414926327459813530"
        ))
    );
}

#[test]
fn agrees_with_light_poseidon_at_every_width_it_has() {
    for count in 1..=12usize {
        let inputs: Vec<Fr> = (0..count)
            .map(|i| Fr::from(7u64).pow([300 + i as u64]))
            .collect();
        let expected = Poseidon::<Fr>::new_circom(count)
            .unwrap()
            .hash(&inputs)
            .unwrap();
        assert_eq!(hash(&inputs), Some(expected), "{count} inputs");
    }
}

#[test]
fn widths_outside_the_tables_are_refused() {
    assert!(hash(&[]).is_none());
    assert!(hash(&[Fr::from(1u64); 17]).is_none());
    assert!(hash(&[Fr::from(1u64); 16]).is_some());
    assert!(parameters(0).is_none() && parameters(1).is_none() && parameters(18).is_none());
}

#[test]
fn trace_holds_the_powers_of_each_sbox() {
    let inputs = [Fr::from(3u64), Fr::from(5u64)];
    let (wires, result) = trace(&inputs).unwrap();
    let parameters = parameters(3).unwrap();
    assert_eq!(wires.len(), 3 * parameters.sboxes());
    assert_eq!(Some(result), hash(&inputs));
    // The first round's inputs are known: constants plus the initial state.
    for (sbox, input) in [Fr::from(0u64), inputs[0], inputs[1]].iter().enumerate() {
        let x = *input + parameters.round_constants[sbox];
        assert_eq!(
            wires[3 * sbox..3 * sbox + 3],
            [x.square(), x.pow([4]), x.pow([5])]
        );
    }
    assert!(wires.chunks(3).all(|w| w[0].square() == w[1]));
}
