//! Times this engine on one case of the prover bench.
//!
//! Usage: `assay-bench [--sequential] CASE SCALARS LOG_SIZE RUNS`, where CASE is `msm_g1`, `msm_g2`, ntt, groth16, setup, verify or batch
//! and SCALARS is random, 8-bit or mixed. One warm-up run is not counted. With `--sequential` a batch is proven one at a time.

mod squares;

use std::{env, hint::black_box, process::exit, time::Instant};

use ark_bn254::{Fr, G1Projective, G2Projective};
use ark_ec::{CurveGroup, PrimeGroup};
use ark_ff::{PrimeField, UniformRand};
use ark_std::rand::{Rng, SeedableRng, rngs::StdRng};
use assay_bn254::{
    Scalars,
    fixed_base::{FixedBaseG1, FixedBaseG2},
    msm::{msm_g1, msm_g2},
    ntt::Domain,
};
use assay_groth16::{key::ProvingKey, random::Randomness, verify::verify};

use squares::Squares;

/// Proofs of a batch.
const BATCH: usize = 16;

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

/// Runs `work` on a vector of scalars of one kind, as few segments as there are kinds of scalars.
fn with_scalars<T>(
    kind: &str,
    n: usize,
    rng: &mut StdRng,
    mut work: impl FnMut(&[Scalars<'_>]) -> T,
) -> T {
    let full = |count: usize, rng: &mut StdRng| -> Vec<[u64; 4]> {
        (0..count).map(|_| Fr::rand(rng).into_bigint().0).collect()
    };
    match kind {
        "random" => work(&[Scalars::Full(&full(n, rng))]),
        "mixed" => {
            // The same interleaving as the peers get, in one full-width vector: width grouping is the engine's work.
            let values: Vec<[u64; 4]> = (0..n)
                .map(|i| {
                    if i % 4 == 0 {
                        Fr::rand(rng).into_bigint().0
                    } else {
                        [rng.gen_range(0..256), 0, 0, 0]
                    }
                })
                .collect();
            work(&[Scalars::Full(&values)])
        }
        _ => {
            let values: Vec<i64> = (0..n).map(|_| rng.gen_range(0..256)).collect();
            work(&[Scalars::Small(&values)])
        }
    }
}

fn bench(case: &str, kind: &str, n: usize, runs: usize, sequential: bool) -> f64 {
    let mut rng = StdRng::seed_from_u64(1);
    let multiples = |rng: &mut StdRng| -> Vec<Fr> { (0..n).map(|_| Fr::rand(rng)).collect() };
    match case {
        "msm_g1" => {
            let generator = G1Projective::generator().into_affine();
            let bases = FixedBaseG1::new(generator, n).mul_many(&multiples(&mut rng));
            return with_scalars(kind, n, &mut rng, |scalars| {
                median(runs, || {
                    let _ = black_box(msm_g1(&bases, scalars).into_affine());
                })
            });
        }
        "msm_g2" => {
            let generator = G2Projective::generator().into_affine();
            let bases = FixedBaseG2::new(generator, n).mul_many(&multiples(&mut rng));
            return with_scalars(kind, n, &mut rng, |scalars| {
                median(runs, || {
                    let _ = black_box(msm_g2(&bases, scalars).into_affine());
                })
            });
        }
        "ntt" => {
            let domain = Domain::new(n).expect("a supported size");
            let mut values = multiples(&mut rng);
            // One call is an inverse and a forward transform; the peers time one.
            return median(runs, || domain.to_odd_coset(black_box(&mut values))) / 2.0;
        }
        "groth16" | "setup" | "verify" | "batch" => {}
        _ => {
            eprintln!("error: no case {case}");
            exit(2);
        }
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("proving.key");
    let circuit = Squares::new(kind, n, &mut rng);
    let mut randomness = Randomness::system();
    if case == "setup" {
        return median(runs, || {
            circuit.setup(&path, &mut randomness);
        });
    }
    let vk = circuit.setup(&path, &mut randomness);
    let key = ProvingKey::open(&path, true).expect("a fresh key");
    let proof = circuit.prove(&key, &mut randomness);
    verify(&vk, &[circuit.public], &proof, None).expect("a valid proof");
    match case {
        "verify" => median(runs, || {
            verify(&vk, &[circuit.public], &proof, None).expect("a valid proof")
        }),
        "batch" => batch(&circuit, &key, runs, sequential),
        _ => median(runs, || {
            black_box(circuit.prove(&key, &mut randomness));
        }),
    }
}

fn batch(circuit: &Squares, key: &ProvingKey, runs: usize, sequential: bool) -> f64 {
    if sequential {
        return median(runs, || {
            for _ in 0..BATCH {
                black_box(circuit.prove(key, &mut Randomness::system()));
            }
        });
    }
    median(runs, || {
        use rayon::prelude::*;
        let proofs: Vec<_> = (0..BATCH)
            .into_par_iter()
            .map(|_| circuit.prove(key, &mut Randomness::system()))
            .collect();
        black_box(proofs);
    })
}

fn main() {
    if cfg!(debug_assertions) {
        eprintln!("error: this is a debug build; measure a release build (cargo build --release)");
        exit(2);
    }
    let mut args: Vec<String> = env::args().skip(1).collect();
    let sequential = args.first().is_some_and(|a| a == "--sequential");
    if sequential {
        args.remove(0);
    }
    let [case, kind, log_size, runs] = args.as_slice() else {
        eprintln!("usage: assay-bench [--sequential] CASE SCALARS LOG_SIZE RUNS");
        exit(2);
    };
    let (Ok(log_size), Ok(runs)) = (log_size.parse::<u32>(), runs.parse::<usize>()) else {
        eprintln!("error: LOG_SIZE and RUNS are numbers");
        exit(2);
    };
    let seconds = bench(case, kind, 1 << log_size, runs, sequential);
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage writes one rusage struct to the pointer, which is valid and aligned.
    let peak = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init().ru_maxrss
    };
    #[allow(clippy::cast_precision_loss)]
    let peak = peak as f64 / 1024.0;
    println!("{{\"seconds\": {seconds}, \"peak_rss_mb\": {peak}}}");
}
