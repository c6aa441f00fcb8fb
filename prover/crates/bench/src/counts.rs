//! Work whose instructions callgrind counts: what [`counted`] calls, on this one thread.

use std::{error::Error, hint::black_box};

use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ff::{PrimeField, UniformRand};
use ark_std::rand::{SeedableRng, rngs::StdRng};
use assay_bn254::{
    PackedG1, PackedG2, Scalars,
    msm::{msm_g1, msm_g2},
    ntt::Domain,
};
use assay_groth16::{key::ProvingKey, random::Randomness};
use rayon::ThreadPoolBuilder;

use crate::{inputs::points, squares::Squares};

const LOG_SIZE: u32 = 12;
/// In G2, where an addition costs three times as many.
const SMALLER: usize = 1 << 10;
const PROOF_CONSTRAINTS: usize = (1 << 8) - 2;

/// Callgrind collects between entering and leaving this function (`--toggle-collect`).
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
}

/// Does one case's work once.
pub fn run(case: &str) -> Result<(), Box<dyn Error>> {
    // Callgrind's switch is a thread's own.
    ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build_global()?;
    let rng = &mut StdRng::seed_from_u64(3);
    let n = 1 << LOG_SIZE;
    let random: Vec<Fr> = (0..n).map(|_| Fr::rand(rng)).collect();
    let full: Vec<[u64; 4]> = random.iter().map(|v| v.into_bigint().0).collect();
    let small: Vec<i64> = full.iter().map(|v| i64::from(v[0] as u8)).collect();
    match case {
        "msm_g1" | "msm_g1_8bit" => {
            let bases: Vec<G1Affine> = points::<G1Projective>(n, rng);
            let bases: Vec<PackedG1> = bases.iter().map(Into::into).collect();
            let scalars = [if case == "msm_g1" {
                Scalars::Full(&full)
            } else {
                Scalars::Small(&small)
            }];
            counted(&mut || {
                let _ = black_box(msm_g1(&bases, &scalars));
            });
        }
        "msm_g2" => {
            let bases: Vec<G2Affine> = points::<G2Projective>(SMALLER, rng);
            let bases: Vec<PackedG2> = bases.iter().map(Into::into).collect();
            counted(&mut || {
                let _ = black_box(msm_g2(&bases, &[Scalars::Full(&full[..SMALLER])]));
            });
        }
        "ntt" => {
            let domain = Domain::new(n).ok_or("no such domain")?;
            let mut values = random;
            domain.to_odd_coset(&mut values.clone()); // tables, made once
            counted(&mut || domain.to_odd_coset(&mut values));
        }
        "groth16" | "groth16_8bit" => {
            let kind = if case == "groth16" { "random" } else { "8-bit" };
            let circuit = Squares::new(kind, PROOF_CONSTRAINTS);
            let target = tempfile::tempdir()?;
            let path = target.path().join("proving.key");
            circuit.setup(&path, &mut Randomness::insecure_from_seed([5; 32]))?;
            let key = ProvingKey::open(&path, true)?;
            circuit.prove(&key, 1)?; // points and tables, read once
            counted(&mut || drop(black_box(circuit.prove(&key, 1))));
        }
        _ => return Err(format!("nothing is counted of {case}").into()),
    }
    Ok(())
}
