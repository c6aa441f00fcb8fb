//! bellman_ce on the cases of the prover bench: `bench-bellman groth16 SCALARS LOG_SIZE INPUTS`; the protocol is that of
//! `prover/crates/bench/README.md`.

use std::{
    env,
    io::{BufRead, Write, stdin, stdout},
    time::Instant,
};

use bellman_ce::{
    Circuit, ConstraintSystem, LinearCombination, SynthesisError,
    groth16::{generate_random_parameters, prepare_prover, prepare_verifying_key, verify_proof},
    pairing::{
        bn256::{Bn256, Fr},
        ff::{Field, PrimeField},
    },
};
use rand::{Rng, SeedableRng, StdRng};

/// The bench circuit: `m_i = (m_{i-1} - k_{i-1})^2`, so that constraint i squares `x_i` and every wire is as wide as its `x_i`.
#[derive(Clone)]
struct Squares {
    x: Vec<Fr>,
}

fn square(value: &Fr) -> Fr {
    let mut out = *value;
    out.square();
    out
}

impl Circuit<Bn256> for Squares {
    fn synthesize<CS: ConstraintSystem<Bn256>>(self, cs: &mut CS) -> Result<(), SynthesisError> {
        let last = *self.x.last().expect("not empty");
        let out = cs.alloc_input(|| "out", || Ok(last))?;
        let first = cs.alloc(|| "x", || Ok(self.x[0]))?;
        let mut expression = LinearCombination::<Bn256>::zero() + first;
        for pair in self.x.windows(2) {
            let value = square(&pair[0]);
            let wire = cs.alloc(|| "m", || Ok(value))?;
            let left = expression.clone();
            cs.enforce(|| "m", |_| left, |_| expression, |lc| lc + wire);
            let mut constant = value;
            constant.sub_assign(&pair[1]);
            expression = LinearCombination::zero() + wire - (constant, CS::one());
        }
        cs.enforce(|| "out", |_| expression, |lc| lc + CS::one(), |lc| lc + out);
        Ok(())
    }
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let [_, case, kind, log_size, _] = args.as_slice() else {
        panic!("usage: bench-bellman groth16 SCALARS LOG_SIZE INPUTS");
    };
    assert_eq!(case, "groth16", "the only case");
    // Two rows less, which the prover adds for its inputs: the domain is of 2^LOG_SIZE rows.
    let n = (1usize << log_size.parse::<u32>().expect("LOG_SIZE is a number")) - 2;
    let mut rng = StdRng::from_seed(&[1]);
    let mut draw = || match kind.as_str() {
        "random" => rng.r#gen(),
        _ => Fr::from_str(&rng.gen_range(0u64, 16).to_string()).expect("small"),
    };
    let x: Vec<Fr> = (0..n).map(|_| draw()).collect();
    let public = [*x.last().expect("not empty")];
    let circuit = Squares { x };
    let key = generate_random_parameters::<Bn256, _, _>(circuit.clone(), &mut rng).expect("setup");
    let vk = prepare_verifying_key(&key.vk);
    // Synthesis is not timed.
    let mut prove = || {
        let prepared = prepare_prover::<Bn256, _>(circuit.clone()).expect("synthesis");
        let (r, s) = (
            rng.r#gen(),
            rng.r#gen::<<Bn256 as bellman_ce::pairing::ff::ScalarEngine>::Fr>(),
        );
        let start = Instant::now();
        let proof = prepared.create_proof(&key, r, s).expect("prove");
        (proof, start.elapsed().as_secs_f64())
    };
    assert!(verify_proof(&vk, &prove().0, &public).expect("verify"));
    println!("{{\"result\": \"\"}}");
    stdout().flush().expect("a reader");
    for line in stdin().lock().lines() {
        line.expect("a line");
        println!("{{\"seconds\": {}}}", prove().1);
        stdout().flush().expect("a reader");
    }
}
