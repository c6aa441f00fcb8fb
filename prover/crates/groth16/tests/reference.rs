//! The same secrets, the same randomness: the same proof as arkworks', bit for bit.

mod common;

use ark_bn254::{Bn254, Fr, G1Projective, G2Projective};
use ark_ec::PrimeGroup;
use ark_ff::UniformRand;
use ark_groth16::Groth16;
use ark_relations::{
    lc,
    r1cs::{
        ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, SynthesisError, Variable,
    },
};
use assay_bn254::scalars::small_to_field;
use assay_groth16::{
    Proof, ProvingKey, Randomness, SetupBuilder,
    field::{Limbs, element},
    progress::SILENT,
};
use common::{Circuit, Keys, Matrix, Term};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const SECRETS: [u8; 32] = [3; 32];
const BLINDING: [u8; 32] = [4; 32];

/// Our rows, stated to arkworks one by one.
#[derive(Clone)]
struct Theirs<'a> {
    circuit: &'a Circuit,
    /// Values of `w2`.
    wires: Vec<Fr>,
}

impl Theirs<'_> {
    fn terms(&self, matrix: &Matrix, row: usize) -> Vec<Term> {
        let range = matrix.ptr[row] as usize..matrix.ptr[row + 1] as usize;
        range
            .map(|at| (matrix.col[at] as usize, matrix.coef[at]))
            .collect()
    }
}

impl ConstraintSynthesizer<Fr> for Theirs<'_> {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let mut wires = vec![Variable::One];
        for &value in &self.circuit.public {
            wires.push(cs.new_input_variable(|| Ok(value))?);
        }
        for &value in &self.wires {
            wires.push(cs.new_witness_variable(|| Ok(value))?);
        }
        for row in 0..self.circuit.n_constraints {
            let [a, b, c] = [0, 1, 2].map(|m| {
                self.terms(&self.circuit.matrices[m], row).into_iter().fold(
                    lc!(),
                    |sum: LinearCombination<Fr>, (wire, value)| {
                        sum + (small_to_field(value), wires[wire])
                    },
                )
            });
            cs.enforce_constraint(a, b, c)?;
        }
        Ok(())
    }
}

fn ours(circuit: &Circuit) -> (Keys, Proof) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pk");
    let mut secrets = Randomness::insecure_from_seed(SECRETS);
    let mut builder =
        SetupBuilder::new(circuit.layout, circuit.n_constraints, &mut secrets).unwrap();
    builder.push(&circuit.rows()).unwrap();
    let vk = builder.finish(&path, SILENT).unwrap();
    let pk = ProvingKey::open(&path, true).unwrap();
    let keys = Keys {
        folder,
        path,
        vk,
        pk,
    };
    let mut blinding = Randomness::insecure_from_seed(BLINDING);
    let public = circuit.public.clone();
    let session = keys.pk.commit(public, &[], None, &mut blinding).unwrap();
    let witness = circuit.witness(None);
    let proof = circuit
        .complete(&keys, session, &witness, &mut blinding)
        .unwrap();
    (keys, proof)
}

#[test]
fn a_proof_with_given_randomness_is_arkworks_proof() {
    // size + 2 constraints and three input rows: at a power of two or so little below that the domain is that, as arkworks' is.
    for size in [2, 3, 8, 11, 45, 59] {
        let circuit = Circuit::new(size, false, false);
        let (keys, proof) = ours(&circuit);
        assert!(keys.pk.domain().size().is_power_of_two(), "size {size}");

        // The draws of setup, in its order: tau, alpha, beta, gamma, delta.
        let mut secrets = ChaCha20Rng::from_seed(SECRETS);
        let [_tau, alpha, beta, gamma, delta] = std::array::from_fn(|_| Fr::rand(&mut secrets));
        let witness = circuit.witness(None);
        let full =
            |values: &[Limbs]| -> Vec<Fr> { values.iter().map(|v| element(*v).unwrap()).collect() };
        let mut wires = full(&witness.full);
        wires.extend(witness.small.iter().map(|&v| small_to_field(v)));
        wires.extend(full(&witness.last));
        let statement = Theirs {
            circuit: &circuit,
            wires,
        };
        let key = Groth16::<Bn254>::generate_parameters_with_qap(
            statement.clone(),
            alpha,
            beta,
            gamma,
            delta,
            G1Projective::generator(),
            G2Projective::generator(),
            &mut ChaCha20Rng::from_seed(SECRETS),
        )
        .unwrap();
        assert_eq!(key.vk.gamma_abc_g1, keys.vk.ic, "size {size}");
        assert_eq!(key.vk.delta_g2, keys.vk.delta, "size {size}");

        let mut blinding = ChaCha20Rng::from_seed(BLINDING);
        let [r, s] = std::array::from_fn(|_| Fr::rand(&mut blinding));
        let theirs = Groth16::<Bn254>::create_proof_with_reduction(statement, &key, r, s).unwrap();
        let expected = Proof {
            a: theirs.a,
            b: theirs.b,
            c: theirs.c,
            d: None,
        };
        assert_eq!(proof.to_bytes(), expected.to_bytes(), "size {size}");
    }
}
