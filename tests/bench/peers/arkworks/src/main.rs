//! Times arkworks (and halo2curves' multi-scalar multiplication) on the cases of the prover bench.
//!
//! Usage: `bench-arkworks PEER CASE SCALARS LOG_SIZE RUNS`, where PEER is arkworks or halo2curves, CASE is `msm_g1`, `msm_g2`, ntt,
//! groth16, setup or verify and SCALARS is random, 8-bit or mixed. One warm-up run is not counted.

use std::{env, process::exit, time::Instant};

use ark_bn254::{Bn254, Fr, G1Projective, G2Projective};
use ark_ec::{CurveGroup, PrimeGroup, ScalarMul, VariableBaseMSM};
use ark_ff::{Field, UniformRand};
use ark_groth16::Groth16;
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use ark_relations::{
    lc,
    r1cs::{ConstraintSynthesizer, ConstraintSystemRef, SynthesisError, Variable},
};
use ark_snark::SNARK;
use ark_std::rand::{Rng, SeedableRng, rngs::StdRng};

fn median(runs: usize, mut work: impl FnMut()) -> f64 {
    work();
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[runs / 2]
}

fn scalar_vector(kind: &str, n: usize, rng: &mut StdRng) -> Vec<Fr> {
    (0..n)
        .map(|i| match kind {
            "random" => Fr::rand(rng),
            "mixed" if i % 4 == 0 => Fr::rand(rng),
            _ => Fr::from(rng.gen_range(0..256u64)),
        })
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

fn arkworks(case: &str, kind: &str, n: usize, runs: usize) -> f64 {
    let mut rng = StdRng::seed_from_u64(1);
    match case {
        "msm_g1" => {
            let bases = G1Projective::generator().batch_mul(&scalar_vector("random", n, &mut rng));
            let scalars = scalar_vector(kind, n, &mut rng);
            return median(runs, || {
                G1Projective::msm(&bases, &scalars)
                    .expect("same length")
                    .into_affine();
            });
        }
        "msm_g2" => {
            let bases = G2Projective::generator().batch_mul(&scalar_vector("random", n, &mut rng));
            let scalars = scalar_vector(kind, n, &mut rng);
            return median(runs, || {
                G2Projective::msm(&bases, &scalars)
                    .expect("same length")
                    .into_affine();
            });
        }
        "ntt" => {
            let domain = Radix2EvaluationDomain::<Fr>::new(n).expect("a power of two");
            let mut values = scalar_vector("random", n, &mut rng);
            return median(runs, || domain.fft_in_place(&mut values));
        }
        _ => {}
    }
    let x: Vec<Fr> = (0..n)
        .map(|_| {
            if kind == "random" {
                Fr::rand(&mut rng)
            } else {
                Fr::from(rng.gen_range(0..16u64))
            }
        })
        .collect();
    let public = [*x.last().expect("not empty")];
    let circuit = Squares { x };
    if case == "setup" {
        return median(runs, || {
            Groth16::<Bn254>::circuit_specific_setup(circuit.clone(), &mut rng.clone())
                .expect("setup");
        });
    }
    let (pk, vk) =
        Groth16::<Bn254>::circuit_specific_setup(circuit.clone(), &mut rng).expect("setup");
    if case == "groth16" {
        return median(runs, || {
            drop(Groth16::<Bn254>::prove(&pk, circuit.clone(), &mut rng.clone()).expect("prove"))
        });
    }
    let proof = Groth16::<Bn254>::prove(&pk, circuit, &mut rng).expect("prove");
    let vk = Groth16::<Bn254>::process_vk(&vk).expect("key");
    median(runs, || {
        assert!(Groth16::<Bn254>::verify_with_processed_vk(&vk, &public, &proof).expect("verify"))
    })
}

fn halo2curves_msm(kind: &str, n: usize, runs: usize) -> f64 {
    use halo2curves::{
        bn256::{Fr, G1, G1Affine},
        ff::Field,
        group::{Curve, Group},
        msm::msm_best,
    };
    let mut rng = StdRng::seed_from_u64(1);
    let scalars: Vec<Fr> = (0..n)
        .map(|i| match kind {
            "random" => Fr::random(&mut rng),
            "mixed" if i % 4 == 0 => Fr::random(&mut rng),
            _ => Fr::from(rng.gen_range(0..256u64)),
        })
        .collect();
    // Successive doublings and additions give distinct points at one addition each; their discrete logarithms do not matter here.
    let step = G1::random(&mut rng);
    let mut point = G1::random(&mut rng);
    let points: Vec<G1> = (0..n)
        .map(|_| {
            point += step;
            point
        })
        .collect();
    let mut bases = vec![G1Affine::generator(); n];
    G1::batch_normalize(&points, &mut bases);
    median(runs, || {
        msm_best(&scalars, &bases).to_affine();
    })
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let [_, peer, case, kind, log_size, runs] = args.as_slice() else {
        eprintln!("usage: bench-arkworks arkworks|halo2curves CASE SCALARS LOG_SIZE RUNS");
        exit(2);
    };
    let n = 1usize << log_size.parse::<u32>().expect("LOG_SIZE is a number");
    let runs = runs.parse().expect("RUNS is a number");
    let seconds = match (peer.as_str(), case.as_str()) {
        ("arkworks", _) => arkworks(case, kind, n, runs),
        ("halo2curves", "msm_g1") => halo2curves_msm(kind, n, runs),
        _ => {
            eprintln!("{peer} has no case {case}");
            exit(2);
        }
    };
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage writes one rusage struct to the pointer, which is valid and aligned.
    let peak = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init().ru_maxrss
    };
    println!(
        "{{\"seconds\": {seconds}, \"peak_rss_mb\": {}}}",
        peak as f64 / 1024.0
    );
}
