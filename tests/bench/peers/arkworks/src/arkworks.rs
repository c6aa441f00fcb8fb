//! arkworks.

use std::path::Path;

use ark_bn254::{Bn254, Fq, Fq2, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{CurveGroup, VariableBaseMSM};
use ark_ff::{AdditiveGroup, BigInteger, FftField, Field, PrimeField, UniformRand};
use ark_groth16::{Groth16, r1cs_to_qap::LibsnarkReduction};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use ark_relations::{
    lc,
    r1cs::{
        ConstraintSynthesizer, ConstraintSystem, ConstraintSystemRef, OptimizationGoal,
        SynthesisError, Variable,
    },
};
use ark_snark::SNARK;
use ark_std::rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{hex, read, serve};

fn values<F: PrimeField>(folder: &Path, name: &str, count: usize) -> Vec<F> {
    read(folder, name, count)
        .iter()
        .map(|v| F::from_le_bytes_mod_order(v))
        .collect()
}

fn hex_all<F: PrimeField>(values: &[F]) -> String {
    values
        .iter()
        .map(|v| hex(&v.into_bigint().to_bytes_le()))
        .collect()
}

/// The bench circuit: `m_i = (m_{i-1} - k_{i-1})^2`, so that constraint i squares `x_i` and every wire is as wide as its `x_i`.
#[derive(Clone)]
struct Squares {
    x: Vec<Fr>,
}

impl ConstraintSynthesizer<Fr> for Squares {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let out = cs.new_input_variable(|| Ok(*self.x.last().expect("not empty")))?;
        let mut expression = lc!() + cs.new_witness_variable(|| Ok(self.x[0]))?;
        for pair in self.x.windows(2) {
            let square = cs.new_witness_variable(|| Ok(pair[0].square()))?;
            cs.enforce_constraint(expression.clone(), expression, lc!() + square)?;
            let constant = pair[0].square() - pair[1];
            expression = lc!() + square - (constant, Variable::One);
        }
        cs.enforce_constraint(expression, lc!() + Variable::One, lc!() + out)
    }
}

pub fn bench(case: &str, kind: &str, n: usize, inputs: &Path) {
    match case {
        "msm_g1" => {
            let xy: Vec<Fq> = values(inputs, "bases.g1", 2 * n);
            let bases: Vec<G1Affine> = xy
                .chunks_exact(2)
                .map(|c| G1Affine::new_unchecked(c[0], c[1]))
                .collect();
            let scalars: Vec<Fr> = values(inputs, &format!("scalars.{kind}"), n);
            serve(|| {
                let sum = G1Projective::msm(&bases, &scalars).expect("same length");
                let sum = sum.into_affine();
                hex_all(&[sum.x, sum.y])
            });
        }
        "msm_g2" => {
            let xy: Vec<Fq> = values(inputs, "bases.g2", 4 * n);
            let bases: Vec<G2Affine> = xy
                .chunks_exact(4)
                .map(|c| G2Affine::new_unchecked(Fq2::new(c[0], c[1]), Fq2::new(c[2], c[3])))
                .collect();
            let scalars: Vec<Fr> = values(inputs, &format!("scalars.{kind}"), n);
            serve(|| {
                let sum = G2Projective::msm(&bases, &scalars).expect("same length");
                let sum = sum.into_affine();
                hex_all(&[sum.x.c0, sum.x.c1, sum.y.c0, sum.y.c1])
            });
        }
        "ntt" => {
            let even = Radix2EvaluationDomain::<Fr>::new(n).expect("a power of two");
            let shift = Fr::get_root_of_unity(2 * n as u64).expect("small enough");
            let odd = even.get_coset(shift).expect("not zero");
            let mut values: Vec<Fr> = values(inputs, "scalars.random", n);
            let mut first = true;
            serve(|| {
                even.ifft_in_place(&mut values);
                odd.fft_in_place(&mut values);
                if !std::mem::take(&mut first) {
                    return String::new();
                }
                let seven = Fr::from(7u64);
                let sum = values.iter().rev().fold(Fr::ZERO, |sum, v| sum * seven + v);
                hex_all(&[sum])
            });
        }
        _ => groth16(case, kind, n),
    }
}

fn groth16(case: &str, kind: &str, n: usize) {
    let mut rng = StdRng::seed_from_u64(1);
    let mut draw = || match kind {
        "random" => Fr::rand(&mut rng),
        _ => Fr::from(rng.gen_range(0..16u64)),
    };
    // Two rows less, which the prover adds for its inputs: the domain is of n rows.
    let x: Vec<Fr> = (0..n - 2).map(|_| draw()).collect();
    let public = [*x.last().expect("not empty")];
    let circuit = Squares { x };
    let setup = |rng: &mut StdRng| {
        Groth16::<Bn254>::circuit_specific_setup(circuit.clone(), rng).expect("setup")
    };
    if case == "setup" {
        return serve(|| {
            drop(setup(&mut rng));
            String::new()
        });
    }
    let (pk, vk) = setup(&mut rng);
    // From the assignment on, with the matrices at hand: synthesis is not timed.
    let cs = ConstraintSystem::new_ref();
    cs.set_optimization_goal(OptimizationGoal::Constraints);
    circuit.generate_constraints(cs.clone()).expect("synthesis");
    cs.finalize();
    let matrices = cs.to_matrices().expect("matrices");
    let cs = cs.into_inner().expect("the only owner");
    let assignment = [&cs.instance_assignment[..], &cs.witness_assignment].concat();
    let mut prove = || {
        let (r, s) = (Fr::rand(&mut rng), Fr::rand(&mut rng));
        Groth16::<Bn254, LibsnarkReduction>::create_proof_with_reduction_and_matrices(
            &pk,
            r,
            s,
            &matrices,
            cs.instance_assignment.len(),
            cs.num_constraints,
            &assignment,
        )
        .expect("prove")
    };
    let proof = prove();
    let vk = Groth16::<Bn254>::process_vk(&vk).expect("key");
    let verify = || {
        assert!(Groth16::<Bn254>::verify_with_processed_vk(&vk, &public, &proof).expect("verify"));
        String::new()
    };
    verify();
    match case {
        "groth16" => serve(|| {
            std::hint::black_box(prove());
            String::new()
        }),
        "verify" => serve(verify),
        _ => panic!("no case {case}"),
    }
}
