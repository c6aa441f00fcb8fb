//! Core-microseconds a point of every kernel, beside arkworks, in one run.
//!
//! `cargo bench -p assay-bn254 -- [msm_g1|msm_g2|ntt|fixed ...] [arkworks|portable|ifma ...] [log2 size ...]`;
//! `ASSAY_BENCH_THREADS` sets the pool (1).

use std::time::Instant;

use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::scalar_mul::BatchMulPreprocessing;
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::{PrimeField, UniformRand};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use ark_std::rand::{RngCore, SeedableRng, rngs::StdRng};
use assay_bn254::fixed_base::{FixedBaseG1, FixedBaseG2};
use assay_bn254::msm::{msm_g1_with, msm_g2_with};
use assay_bn254::ntt::Domain;
use assay_bn254::{Kernel, PackedG1, PackedG2, Scalars};

/// Processor seconds of all threads of this process so far, where the system tells; a loaded machine distorts these
/// less than the clock on the wall.
fn processor_seconds() -> Option<f64> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes one timespec to the pointer, which is valid.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    (status == 0).then_some(time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9)
}

/// Over five runs, the median time on the wall and the least processor time: what else runs on the machine
/// adds to a run and never takes from it.
#[derive(Clone, Copy)]
struct Times {
    wall: f64,
    /// Processor time, or wall time on every thread where the system does not tell.
    cores: f64,
}

fn time<T>(mut work: impl FnMut() -> T) -> Times {
    let threads = rayon::current_num_threads() as f64;
    let mut wall = Vec::new();
    let mut cores = Vec::new();
    for _ in 0..5 {
        let (start, before) = (Instant::now(), processor_seconds());
        std::hint::black_box(work());
        let elapsed = start.elapsed().as_secs_f64();
        let used = before.and_then(|b| processor_seconds().map(|after| after - b));
        wall.push(elapsed);
        cores.push(used.unwrap_or(elapsed * threads));
    }
    wall.sort_by(f64::total_cmp);
    Times {
        wall: wall[2],
        cores: cores.into_iter().fold(f64::INFINITY, f64::min),
    }
}

/// Points without relations that would make partial sums meet, as those of a key are.
fn multiples<P>(count: usize, rng: &mut StdRng, of: impl Fn(&[Fr]) -> Vec<P>) -> Vec<P> {
    let scalars: Vec<Fr> = (0..count).map(|_| Fr::rand(rng)).collect();
    of(&scalars)
}

/// Whether the arguments ask for `name`: they do when they name nothing of its `family`.
fn asked(name: &str, family: &[&str]) -> bool {
    let named: Vec<String> = std::env::args()
        .filter(|a| family.contains(&a.as_str()))
        .collect();
    named.is_empty() || named.iter().any(|a| a == name)
}

fn wanted(engine: &str) -> bool {
    asked(engine, &["arkworks", "portable", "ifma"])
}

fn report(
    case: &str,
    scalars: &str,
    log: u32,
    times: Option<Times>,
    baseline: Option<Times>,
    who: &str,
) {
    let Some(times) = times else { return };
    let each = times.cores * 1e6 / f64::from(1u32 << log);
    let ratio = baseline.map_or(String::new(), |b| {
        format!(
            ", {:6.2}x arkworks ({:.2}x by the wall)",
            b.cores / times.cores,
            b.wall / times.wall
        )
    });
    println!(
        "{case:8} 2^{log:<2} {scalars:7} {who:9} {:9.2} ms {each:8.4} core-us each{ratio}",
        times.wall * 1e3,
    );
}

fn bench_msm<G: VariableBaseMSM<ScalarField = Fr>, P>(
    case: &str,
    logs: &[u32],
    multiples_of: impl Fn(&[Fr]) -> Vec<P>,
    unpack: impl Fn(&P) -> G::MulBase,
    ours: impl Fn(Kernel, &[P], &[Scalars<'_>]) -> G,
) {
    let rng = &mut StdRng::seed_from_u64(7);
    for &log in logs {
        let n = 1 << log;
        let packed = multiples(n, rng, &multiples_of);
        let bases: Vec<G::MulBase> = packed.iter().map(&unpack).collect();
        let random: Vec<Fr> = (0..n).map(|_| Fr::rand(rng)).collect();
        let random_words: Vec<[u64; 4]> = random.iter().map(|x| x.into_bigint().0).collect();
        let bytes: Vec<i64> = (0..n).map(|_| i64::from(rng.next_u32() as i8)).collect();
        let bytes_field: Vec<Fr> = bytes
            .iter()
            .map(|&x| assay_bn254::scalars::small_to_field(x))
            .collect();
        let split = n - n / 8;
        let mixed = [
            Scalars::Small(&bytes[..split]),
            Scalars::Full(&random_words[split..]),
        ];
        let mixed_field: Vec<Fr> = [&bytes_field[..split], &random[split..]].concat();
        for (name, segments, field) in [
            ("random", vec![Scalars::Full(&random_words)], &random),
            ("8-bit", vec![Scalars::Small(&bytes)], &bytes_field),
            ("mixed", mixed.to_vec(), &mixed_field),
        ] {
            let baseline =
                wanted("arkworks").then(|| time(|| G::msm(&bases, field).expect("equal lengths")));
            report(case, name, log, baseline, None, "arkworks");
            for kernel in Kernel::all().into_iter().filter(|k| wanted(k.name())) {
                let times = time(|| ours(kernel, &packed, &segments));
                report(case, name, log, Some(times), baseline, kernel.name());
            }
        }
    }
}

fn bench_ntt(logs: &[u32]) {
    let rng = &mut StdRng::seed_from_u64(7);
    for &log in logs {
        let domain = Domain::new(1 << log).expect("a size the field supports");
        let values: Vec<Fr> = (0..1 << log).map(|_| Fr::rand(rng)).collect();
        let even = Radix2EvaluationDomain::<Fr>::new(1 << log).expect("as above");
        let odd = even.get_coset(domain.odd_shift()).expect("not zero");
        let mut work = values.clone();
        let baseline = wanted("arkworks").then(|| {
            time(|| {
                even.ifft_in_place(&mut work);
                odd.fft_in_place(&mut work);
            })
        });
        report("ntt pair", "random", log, baseline, None, "arkworks");
        for kernel in Kernel::all().into_iter().filter(|k| wanted(k.name())) {
            domain.to_odd_coset_with(kernel, &mut work);
            let times = time(|| domain.to_odd_coset_with(kernel, &mut work));
            report(
                "ntt pair",
                "random",
                log,
                Some(times),
                baseline,
                kernel.name(),
            );
        }
    }
}

fn bench_fixed(logs: &[u32]) {
    let rng = &mut StdRng::seed_from_u64(7);
    for &log in logs {
        let scalars: Vec<Fr> = (0..1 << log).map(|_| Fr::rand(rng)).collect();
        let base = G1Projective::rand(rng).into_affine();
        let baseline = wanted("arkworks").then(|| {
            time(|| {
                BatchMulPreprocessing::<G1Projective>::new(base.into(), scalars.len())
                    .batch_mul(&scalars)
            })
        });
        report("fixed g1", "random", log, baseline, None, "arkworks");
        for kernel in Kernel::all().into_iter().filter(|k| wanted(k.name())) {
            let times =
                time(|| FixedBaseG1::new(base, scalars.len()).mul_many_with(kernel, &scalars));
            report(
                "fixed g1",
                "random",
                log,
                Some(times),
                baseline,
                kernel.name(),
            );
        }
    }
}

fn main() {
    if cfg!(debug_assertions) {
        eprintln!("a debug build measures nothing: run `cargo bench`");
        std::process::exit(1);
    }
    let arguments = std::env::args().skip(1);
    let mut logs: Vec<u32> = arguments.filter_map(|a| a.parse().ok()).collect();
    if logs.is_empty() {
        logs = vec![14, 16, 18, 20];
    }
    let case = |name| asked(name, &["msm_g1", "msm_g2", "ntt", "fixed"]);
    let threads = std::env::var("ASSAY_BENCH_THREADS").map_or(1, |v| v.parse().expect("a number"));
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .expect("a thread pool");
    println!("{threads} thread(s)");
    pool.install(|| {
        if case("msm_g1") {
            let table = FixedBaseG1::new(G1Affine::generator(), 1 << 16);
            let of = |scalars: &[Fr]| table.mul_many(scalars);
            bench_msm::<G1Projective, _>("msm_g1", &logs, of, PackedG1::unpack, msm_g1_with);
        }
        if case("msm_g2") {
            let table = FixedBaseG2::new(G2Affine::generator(), 1 << 16);
            let of = |scalars: &[Fr]| table.mul_many(scalars);
            bench_msm::<G2Projective, _>("msm_g2", &logs, of, PackedG2::unpack, msm_g2_with);
        }
        if case("ntt") {
            bench_ntt(&logs);
        }
        if case("fixed") {
            bench_fixed(&logs);
        }
    });
}
