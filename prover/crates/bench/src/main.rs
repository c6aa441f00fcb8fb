//! This engine's side of the prover bench; `README.md` describes the protocol.

mod counts;
mod files;
mod inputs;
mod squares;

use std::{
    env,
    error::Error,
    hint::black_box,
    io::{BufRead, Write, stdin, stdout},
    path::{Path, PathBuf},
    process::exit,
    time::Instant,
};

use ark_bn254::Fr;
use ark_ec::CurveGroup;
use ark_ff::AdditiveGroup;
use assay_bn254::{
    Kernel, PackedG1, PackedG2,
    msm::{msm_g1, msm_g2},
    ntt::Domain,
};
use assay_groth16::{
    key::{ProvingKey, Wide},
    random::Randomness,
    verify::Verifier,
};

use inputs::{Inputs, hex_g1, hex_g2, hex_scalar};
use squares::Squares;

/// Rows that a prover adds for the wires of the statement: one and the public input. A circuit leaves room for them, so that
/// it fills a domain of a power of two in every engine.
const INPUT_ROWS: usize = 2;
/// Proofs of a batch.
const BATCH: usize = 16;

/// How the proofs of a case are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Plain,
    /// A batch one at a time.
    Sequential,
    /// A batch with a key that was just opened.
    First,
    /// With tables of multiples, made before the clock runs.
    Tables,
}

type Outcome = Result<(), Box<dyn Error>>;

/// Runs `work` once uncounted, says that it is ready with that run's result, and then runs it once for every line read.
fn serve(mut work: impl FnMut() -> Result<String, Box<dyn Error>>) -> Outcome {
    let result = work()?;
    let kernel = Kernel::active().name();
    println!("{{\"result\": \"{result}\", \"kernel\": \"{kernel}\"}}");
    stdout().flush()?;
    for line in stdin().lock().lines() {
        line?;
        let start = Instant::now();
        black_box(work()?);
        println!("{{\"seconds\": {}}}", start.elapsed().as_secs_f64());
        stdout().flush()?;
    }
    Ok(())
}

/// `sum v_i 7^i`, by which the transforms of all engines are compared.
fn fingerprint(values: &[Fr]) -> String {
    let seven = Fr::from(7u64);
    let horner = |sum: Fr, v: &Fr| sum * seven + v;
    hex_scalar(&values.iter().rev().fold(Fr::ZERO, horner))
}

fn bench(case: &str, kind: &str, log_size: u32, folder: &Path, mode: Mode) -> Outcome {
    let n = 1usize << log_size;
    let inputs = Inputs::new(folder);
    match case {
        "msm_g1" => {
            let bases: Vec<PackedG1> = inputs.g1(n)?.iter().map(Into::into).collect();
            let scalars = inputs.scalars(kind, n)?;
            serve(|| Ok(hex_g1(&msm_g1(&bases, &[scalars.segment()]).into_affine())))
        }
        "msm_g2" => {
            let bases: Vec<PackedG2> = inputs.g2(n)?.iter().map(Into::into).collect();
            let scalars = inputs.scalars(kind, n)?;
            serve(|| Ok(hex_g2(&msm_g2(&bases, &[scalars.segment()]).into_affine())))
        }
        "ntt" => {
            // Evaluations on the subgroup to evaluations on its odd coset: an inverse and a forward transform.
            let domain = Domain::new(n).ok_or("no such domain")?;
            let mut values = inputs.elements(n)?;
            let mut first = true;
            serve(|| {
                domain.to_odd_coset(&mut values);
                // Only the uncounted run is compared.
                if std::mem::take(&mut first) {
                    return Ok(fingerprint(&values));
                }
                Ok(String::new())
            })
        }
        "setup" => {
            let circuit = Squares::new(kind, n - INPUT_ROWS);
            let target = tempfile::tempdir()?;
            let path = target.path().join("proving.key");
            serve(|| {
                circuit.setup(&path, &mut Randomness::system())?;
                Ok(String::new())
            })
        }
        "groth16" | "verify" | "batch" => {
            prove(case, kind, &Squares::new(kind, n - INPUT_ROWS), mode)
        }
        _ => Err(format!("no case {case}").into()),
    }
}

fn prove(case: &str, kind: &str, circuit: &Squares, mode: Mode) -> Outcome {
    let target = tempfile::tempdir()?;
    let path = target.path().join("proving.key");
    let vk = circuit.setup(&path, &mut Randomness::system())?;
    let key = ProvingKey::open(&path, true)?;
    if mode == Mode::Tables {
        let wide = if kind == "8-bit" {
            Wide::Quotient
        } else {
            Wide::Wires
        };
        let start = Instant::now();
        let bytes = key.prepare_tables(wide, ProvingKey::TABLES_BUDGET);
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("tables: {} MiB in {seconds:.3} s", bytes >> 20);
    }
    let proofs = circuit.prove(&key, 1)?;
    let verifier = Verifier::new(&vk);
    verifier.verify(&[circuit.public], &proofs[0], None)?;
    match case {
        "verify" => serve(|| {
            verifier.verify(&[circuit.public], &proofs[0], None)?;
            Ok(String::new())
        }),
        "batch" if mode == Mode::Sequential => serve(|| {
            for _ in 0..BATCH {
                black_box(circuit.prove(&key, 1)?);
            }
            Ok(String::new())
        }),
        "batch" if mode == Mode::First => serve(|| {
            let key = ProvingKey::open(&path, false)?;
            black_box(circuit.prove(&key, BATCH)?);
            Ok(String::new())
        }),
        "batch" => serve(|| {
            black_box(circuit.prove(&key, BATCH)?);
            Ok(String::new())
        }),
        _ => serve(|| {
            black_box(circuit.prove(&key, 1)?);
            Ok(String::new())
        }),
    }
}

fn run(args: &[&str]) -> Outcome {
    match args {
        ["inputs", log_size, folder] => inputs::write(&PathBuf::from(folder), log_size.parse()?),
        ["count", case] => counts::run(case),
        ["files", kind, log_size, folder] => {
            let n = 1 << log_size.parse::<u32>()?;
            let circuit = Squares::new(kind, n - INPUT_ROWS);
            files::write(&circuit, Path::new(folder))
        }
        ["--sequential", case, kind, log_size, folder] => {
            let mode = Mode::Sequential;
            bench(case, kind, log_size.parse()?, Path::new(folder), mode)
        }
        ["--first", case, kind, log_size, folder] => {
            let mode = Mode::First;
            bench(case, kind, log_size.parse()?, Path::new(folder), mode)
        }
        ["--tables", case, kind, log_size, folder] => {
            let mode = Mode::Tables;
            bench(case, kind, log_size.parse()?, Path::new(folder), mode)
        }
        [case, kind, log_size, folder] => {
            let mode = Mode::Plain;
            bench(case, kind, log_size.parse()?, Path::new(folder), mode)
        }
        _ => Err(
            "usage: assay-bench [--sequential | --first | --tables] CASE SCALARS LOG_SIZE INPUTS\n       \
             assay-bench inputs LOG_SIZE INPUTS\n       assay-bench files SCALARS LOG_SIZE FOLDER"
                .into(),
        ),
    }
}

fn main() {
    if cfg!(debug_assertions) {
        eprintln!("error: this is a debug build; measure a release build (cargo build --release)");
        exit(2);
    }
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if let Err(error) = run(&args) {
        eprintln!("error: {error}");
        exit(2);
    }
}
