//! Multi-scalar multiplication on every code path against arkworks.

use std::sync::Mutex;

use ark_bn254::{Fq, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::{PrimeField, UniformRand};
use ark_std::rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
use assay_bn254::msm::{
    MsmG1, TableG1, msm_g1_many, msm_g1_many_watched, msm_g1_with, msm_g2_watched, msm_g2_with,
};
use assay_bn254::{Kernel, PackedG1, PackedG2, Scalars};

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// Distinct points without a discrete logarithm that a test would use.
fn points<G: CurveGroup>(count: usize, rng: &mut impl Rng) -> Vec<G::Affine> {
    let step = G::rand(rng);
    let mut point = G::rand(rng);
    let all: Vec<G> = (0..count)
        .map(|_| {
            point += step;
            point
        })
        .collect();
    G::normalize_batch(&all)
}

fn pack_g1(points: &[G1Affine]) -> Vec<PackedG1> {
    points.iter().map(Into::into).collect()
}

fn full(rng: &mut impl Rng, count: usize) -> Vec<[u64; 4]> {
    (0..count).map(|_| Fr::rand(rng).into_bigint().0).collect()
}

fn expected<G: VariableBaseMSM<ScalarField = Fr>>(
    bases: &[G::MulBase],
    scalars: &[Scalars<'_>],
) -> G {
    let flat: Vec<Fr> = scalars
        .iter()
        .flat_map(|s| (0..s.len()).map(move |i| s.get(i)))
        .collect();
    G::msm(bases, &flat).expect("as many scalars as bases")
}

fn check_g1(bases: &[G1Affine], scalars: &[Scalars<'_>], what: &str) {
    let expected: G1Projective = expected(bases, scalars);
    for kernel in Kernel::all() {
        let got = msm_g1_with(kernel, &pack_g1(bases), scalars);
        assert_eq!(got, expected, "{what} on {}", kernel.name());
    }
}

fn check_g2(bases: &[G2Affine], scalars: &[Scalars<'_>], what: &str) {
    let expected: G2Projective = expected(bases, scalars);
    for kernel in Kernel::all() {
        let packed: Vec<PackedG2> = bases.iter().map(Into::into).collect();
        let got = msm_g2_with(kernel, &packed, scalars);
        assert_eq!(got, expected, "{what} on {}", kernel.name());
    }
}

const LENGTHS: [usize; 25] = [
    0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 63, 64, 65, 255, 256, 257, 1023, 1024, 1025, 4095, 4096, 4097,
    8191, 8192, 8193,
];

#[test]
fn g1_agrees_with_arkworks_at_every_length() {
    let rng = &mut rng(1);
    let bases = points::<G1Projective>(8193, rng);
    let scalars = full(rng, 8193);
    for n in LENGTHS {
        check_g1(
            &bases[..n],
            &[Scalars::Full(&scalars[..n])],
            &format!("length {n}"),
        );
    }
}

#[test]
fn g2_agrees_with_arkworks_at_every_length() {
    let rng = &mut rng(2);
    let bases = points::<G2Projective>(1025, rng);
    let scalars = full(rng, 1025);
    for n in LENGTHS.into_iter().filter(|&n| n <= 1025) {
        check_g2(
            &bases[..n],
            &[Scalars::Full(&scalars[..n])],
            &format!("length {n}"),
        );
    }
}

/// Scalar vectors that stress digits, signs and bucket collisions.
fn hard_full_scalars(rng: &mut impl Rng, n: usize) -> Vec<(&'static str, Vec<[u64; 4]>)> {
    let minus_one = (-Fr::from(1u64)).into_bigint().0;
    let half = {
        let mut half = Fr::MODULUS;
        ark_ff::BigInteger::div2(&mut half);
        half.0
    };
    let above_half = (Fr::from_bigint(ark_ff::BigInt(half)).unwrap() + Fr::from(1u64))
        .into_bigint()
        .0;
    let one = [1, 0, 0, 0];
    let random = Fr::rand(rng).into_bigint().0;
    let powers = (0..n)
        .map(|i| {
            let mut words = [0u64; 4];
            let bit = i % 253;
            words[bit / 64] = 1 << (bit % 64);
            words
        })
        .collect();
    let below_powers = (0..n)
        .map(|i| {
            let mut words = [0u64; 4];
            for bit in 0..i % 254 {
                words[bit / 64] |= 1 << (bit % 64);
            }
            words
        })
        .collect();
    vec![
        ("zeros", vec![[0; 4]; n]),
        ("ones", vec![one; n]),
        ("r - 1", vec![minus_one; n]),
        ("(r - 1) / 2", vec![half; n]),
        ("(r + 1) / 2", vec![above_half; n]),
        ("one random value", vec![random; n]),
        ("powers of two", powers),
        ("powers of two less one", below_powers),
        (
            "0, 1 and r - 1 in turn",
            (0..n).map(|i| [[0; 4], one, minus_one][i % 3]).collect(),
        ),
    ]
}

fn hard_small_scalars(rng: &mut impl RngCore, n: usize) -> Vec<(&'static str, Vec<i64>)> {
    let mut of = |f: &mut dyn FnMut(u64, usize) -> i64| -> Vec<i64> {
        (0..n).map(|i| f(rng.next_u64(), i)).collect()
    };
    vec![
        ("8 bits", of(&mut |x, _| i64::from(x as i8))),
        ("unsigned 8 bits", of(&mut |x, _| i64::from(x as u8))),
        ("bits", of(&mut |x, _| (x & 1) as i64)),
        ("signs", of(&mut |x, _| (x & 2) as i64 - 1)),
        ("16 bits", of(&mut |x, _| i64::from(x as i16))),
        ("64 bits", of(&mut |x, _| x as i64)),
        ("every width", of(&mut |x, i| (x as i64) >> (i % 64))),
        ("i64::MIN", of(&mut |_, _| i64::MIN)),
        ("i64::MAX", of(&mut |_, _| i64::MAX)),
        (
            "extremes",
            of(&mut |x, _| [i64::MIN, i64::MAX, 0, 1, -1, i64::MIN + 1][(x % 6) as usize]),
        ),
        ("-128", of(&mut |_, _| -128)),
        ("128", of(&mut |_, _| 128)),
        ("ones", of(&mut |_, _| 1)),
        ("zeros", of(&mut |_, _| 0)),
    ]
}

/// Base vectors that make batch-affine formulas meet P + P, P - P and infinity.
fn hard_bases(rng: &mut impl Rng, n: usize) -> Vec<(&'static str, Vec<G1Affine>)> {
    let distinct = points::<G1Projective>(n, rng);
    let point = G1Projective::rand(rng).into_affine();
    let mut some_infinite = distinct.clone();
    for (i, base) in some_infinite.iter_mut().enumerate() {
        if i % 3 == 0 {
            *base = G1Affine::zero();
        }
    }
    vec![
        ("distinct", distinct),
        ("equal", vec![point; n]),
        (
            "P and -P",
            (0..n)
                .map(|i| if i % 2 == 0 { point } else { -point })
                .collect(),
        ),
        ("some infinite", some_infinite),
        ("all infinite", vec![G1Affine::zero(); n]),
        (
            "generator and its double",
            (0..n)
                .map(|i| (G1Affine::generator() * Fr::from(1 + i as u64 % 2)).into_affine())
                .collect(),
        ),
    ]
}

#[test]
fn g1_agrees_with_arkworks_on_hard_bases_and_full_scalars() {
    let rng = &mut rng(3);
    let n = 700;
    for (bases_name, bases) in hard_bases(rng, n) {
        let mut cases = hard_full_scalars(rng, n);
        cases.push(("random", full(rng, n)));
        for (name, scalars) in cases {
            check_g1(
                &bases,
                &[Scalars::Full(&scalars)],
                &format!("bases {bases_name}, scalars {name}"),
            );
        }
    }
}

#[test]
fn g1_agrees_with_arkworks_on_hard_bases_and_small_scalars() {
    let rng = &mut rng(4);
    let n = 2500;
    for (bases_name, bases) in hard_bases(rng, n) {
        for (name, scalars) in hard_small_scalars(rng, n) {
            check_g1(
                &bases,
                &[Scalars::Small(&scalars)],
                &format!("bases {bases_name}, scalars {name}"),
            );
        }
    }
}

#[test]
fn g2_agrees_with_arkworks_on_hard_bases_and_scalars() {
    let rng = &mut rng(5);
    let n = 300;
    let distinct = points::<G2Projective>(n, rng);
    let point = distinct[0];
    let mut some_infinite = distinct.clone();
    some_infinite[7] = G2Affine::zero();
    let alternating = (0..n)
        .map(|i| if i % 2 == 0 { point } else { -point })
        .collect();
    for bases in [distinct, vec![point; n], alternating, some_infinite] {
        for (name, scalars) in hard_full_scalars(rng, n) {
            check_g2(&bases, &[Scalars::Full(&scalars)], name);
        }
        for (name, scalars) in hard_small_scalars(rng, n) {
            check_g2(&bases, &[Scalars::Small(&scalars)], name);
        }
    }
}

#[test]
fn long_queues_of_one_bucket_are_drained() {
    let rng = &mut rng(6);
    let n = 40_000;
    let bases = points::<G1Projective>(n, rng);
    check_g1(&bases, &[Scalars::Small(&vec![-3; n])], "all -3");
    let same = full(rng, 1)[0];
    check_g1(&bases, &[Scalars::Full(&vec![same; n])], "one full scalar");
    let two: Vec<i64> = (0..n).map(|_| [5, -70_000][rng.gen_range(0..2)]).collect();
    check_g1(&bases, &[Scalars::Small(&two)], "two values");
}

#[test]
fn segments_of_both_kinds_add_up() {
    let rng = &mut rng(7);
    let bases = points::<G1Projective>(9000, rng);
    let small: Vec<i64> = (0..5000).map(|_| i64::from(rng.r#gen::<i8>())).collect();
    let scalars = full(rng, 3999);
    check_g1(
        &bases,
        &[
            Scalars::Small(&small[..1]),
            Scalars::Full(&scalars[..2000]),
            Scalars::Small(&[]),
            Scalars::Small(&small[1..]),
            Scalars::Full(&scalars[2000..]),
            Scalars::Small(&[i64::MIN]),
        ],
        "six segments",
    );
}

#[test]
fn many_agrees_with_one_at_a_time() {
    let rng = &mut rng(8);
    let bases = points::<G1Projective>(3000, rng);
    let small: Vec<i64> = (0..3000).map(|_| i64::from(rng.r#gen::<i16>())).collect();
    let scalars = full(rng, 3000);
    let segments = [
        vec![Scalars::Full(&scalars)],
        vec![Scalars::Small(&small)],
        vec![
            Scalars::Small(&small[..100]),
            Scalars::Full(&scalars[..900]),
        ],
        vec![],
    ];
    let packed = pack_g1(&bases);
    let jobs: Vec<MsmG1<'_>> = segments
        .iter()
        .map(|s| MsmG1 {
            bases: &packed[..s.iter().map(Scalars::len).sum()],
            scalars: s,
            table: None,
        })
        .collect();
    let got = msm_g1_many(&jobs);
    assert_eq!(got.len(), jobs.len());
    for (job, sum) in jobs.iter().zip(got) {
        let expected: G1Projective = expected(&bases[..job.bases.len()], job.scalars);
        assert_eq!(sum, expected);
    }
}

#[test]
fn thread_count_does_not_change_the_sum() {
    let rng = &mut rng(9);
    let n = 30_000;
    let bases = points::<G1Projective>(n, rng);
    let scalars = full(rng, n);
    let packed = pack_g1(&bases);
    let segments = [Scalars::Full(scalars.as_slice())];
    let expected: G1Projective = expected(&bases, &segments);
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        for kernel in Kernel::all() {
            let got = pool.install(|| msm_g1_with(kernel, &packed, &segments));
            assert_eq!(got, expected, "{threads} threads on {}", kernel.name());
        }
    }
}

#[test]
#[should_panic(expected = "must be below r")]
fn scalar_equal_to_r_is_refused() {
    let _ = msm_g1_with(
        Kernel::PORTABLE,
        &pack_g1(&[G1Affine::generator()]),
        &[Scalars::Full(&[Fr::MODULUS.0])],
    );
}

#[test]
#[should_panic(expected = "as many scalars as bases")]
fn missing_scalar_is_refused() {
    let _ = msm_g1_with(
        Kernel::PORTABLE,
        &pack_g1(&[G1Affine::generator(); 2]),
        &[Scalars::Small(&[1])],
    );
}

#[test]
fn a_watch_is_asked_before_each_task_and_can_stop_them() {
    let rng = &mut rng(20);
    let bases = pack_g1(&points::<G1Projective>(6000, rng));
    let scalars = full(rng, 6000);
    let scalars = [Scalars::Full(&scalars)];
    let jobs = [MsmG1 {
        bases: &bases,
        scalars: &scalars,
        table: None,
    }; 2];
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            for kernel in Kernel::all() {
                let asked = Mutex::new(Vec::new());
                let run = |last: usize| {
                    asked.lock().unwrap().clear();
                    msm_g1_many_watched(kernel, &jobs, &|begun, tasks| {
                        let mut asked = asked.lock().unwrap();
                        asked.push((begun, tasks));
                        asked.len() <= last
                    })
                };
                let sums = run(usize::MAX).expect("not stopped");
                assert_eq!(sums[0], msm_g1_with(kernel, &bases, &scalars));
                let mut all = asked.lock().unwrap().clone();
                all.sort_unstable();
                let tasks = all[0].1;
                assert!(all.into_iter().eq((0..tasks).map(|k| (k, tasks))));
                assert!(tasks > 8, "{tasks}");
                for last in [0, 1, 5] {
                    assert!(run(last).is_none());
                    let asked = asked.lock().unwrap().len();
                    assert!(asked <= last + threads, "{asked} tasks after {last}");
                }
            }
        });
    }
}

#[test]
fn a_watch_can_stop_g2() {
    let rng = &mut rng(21);
    let bases: Vec<PackedG2> = points::<G2Projective>(50, rng)
        .iter()
        .map(Into::into)
        .collect();
    let scalars = full(rng, 50);
    let scalars = [Scalars::Full(&scalars)];
    for kernel in Kernel::all() {
        assert!(msm_g2_watched(kernel, &bases, None, &scalars, &|_, _| false).is_none());
    }
}

/// One cache line of a file that nobody checked.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u64; 8]);

#[test]
fn words_of_any_value_give_sums_and_no_panic() {
    let rng = &mut rng(22);
    let prime = Fq::MODULUS.0;
    let mut twice = [prime, prime].concat();
    twice[0] += 1;
    let fills: [&dyn Fn(&mut StdRng) -> Line; 4] = [
        &|_| Line([u64::MAX; 8]),
        &|_| Line(std::array::from_fn(|k| prime[k % 4])),
        &|_| Line(twice.clone().try_into().unwrap()),
        &|rng| Line(std::array::from_fn(|_| rng.next_u64())),
    ];
    let scalars = full(rng, 3000);
    let ones = vec![1; 3000];
    for (k, fill) in fills.iter().enumerate() {
        let mut lines: Vec<Line> = (0..3000).map(|_| fill(rng)).collect();
        // Beside others that are points.
        for (line, point) in lines
            .iter_mut()
            .step_by(3)
            .zip(points::<G1Projective>(1000, rng))
        {
            let bytes = PackedG1::as_bytes(&[(&point).into()]).to_vec();
            *line = Line(std::array::from_fn(|k| {
                u64::from_le_bytes(bytes[8 * k..8 * k + 8].try_into().unwrap())
            }));
        }
        // SAFETY: a line is 64 bytes without padding.
        let bytes: &[u8] =
            unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), size_of_val(&*lines)) };
        let g1 = PackedG1::from_bytes(bytes).unwrap();
        let g2 = PackedG2::from_bytes(bytes).unwrap();
        for kernel in Kernel::all() {
            for scalars in [Scalars::Full(&scalars), Scalars::Small(&ones)] {
                let _ = msm_g1_with(kernel, g1, &[scalars]);
            }
            let _ = msm_g2_with(kernel, g2, &[Scalars::Full(&scalars[..1500])]);
            let table = TableG1::new_with(kernel, &g1[..300]);
            let job = MsmG1 {
                bases: &g1[..300],
                scalars: &[Scalars::Full(&scalars[..300])],
                table: Some(&table),
            };
            let sums = msm_g1_many_watched(kernel, &[job], &|_, _| true);
            assert_eq!(sums.map(|sums| sums.len()), Some(1), "fill {k}");
        }
    }
}
