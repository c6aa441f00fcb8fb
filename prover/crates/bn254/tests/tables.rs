//! Multiplication with tables of multiples, on every code path, against the one without.

use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{PrimeField, UniformRand};
use ark_std::rand::{Rng, SeedableRng, rngs::StdRng};
use assay_bn254::msm::{
    MsmG1, TableG1, TableG2, msm_g1_many, msm_g1_many_watched, msm_g1_with, msm_g2_watched,
    msm_g2_with,
};
use assay_bn254::{Kernel, PackedG1, PackedG2, Scalars};

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

fn full(rng: &mut impl Rng, count: usize) -> Vec<[u64; 4]> {
    (0..count).map(|_| Fr::rand(rng).into_bigint().0).collect()
}

fn check_g1(bases: &[G1Affine], scalars: &[Scalars<'_>], what: &str) {
    let packed: Vec<PackedG1> = bases.iter().map(Into::into).collect();
    let mut tables = Vec::new();
    for kernel in Kernel::all() {
        let table = TableG1::new_with(kernel, &packed);
        let job = MsmG1 {
            bases: &packed,
            scalars,
            table: Some(&table),
        };
        let got = msm_g1_many_watched(kernel, &[job], &|_, _| true).unwrap()[0];
        let expected = msm_g1_with(kernel, &packed, scalars);
        assert_eq!(got, expected, "{what} on {}", kernel.name());
        tables.push(table);
    }
    assert!(tables.windows(2).all(|t| t[0] == t[1]), "{what}: tables");
}

fn check_g2(bases: &[G2Affine], scalars: &[Scalars<'_>], what: &str) {
    let packed: Vec<PackedG2> = bases.iter().map(Into::into).collect();
    let mut tables = Vec::new();
    for kernel in Kernel::all() {
        let table = TableG2::new_with(kernel, &packed);
        let got = msm_g2_watched(kernel, &packed, Some(&table), scalars, &|_, _| true).unwrap();
        let expected = msm_g2_with(kernel, &packed, scalars);
        assert_eq!(got, expected, "{what} on {}", kernel.name());
        tables.push(table);
    }
    assert!(tables.windows(2).all(|t| t[0] == t[1]), "{what}: tables");
}

#[test]
fn tables_agree_at_every_length() {
    let rng = &mut StdRng::seed_from_u64(1);
    let bases = points::<G1Projective>(4097, rng);
    let scalars = full(rng, 4097);
    for n in [
        0, 1, 7, 8, 9, 63, 64, 65, 1023, 1024, 1025, 2047, 2048, 2049, 4095, 4096, 4097,
    ] {
        let what = format!("length {n}");
        check_g1(&bases[..n], &[Scalars::Full(&scalars[..n])], &what);
    }
    let bases = points::<G2Projective>(513, rng);
    for n in [0, 1, 7, 8, 9, 255, 256, 257, 511, 512, 513] {
        let what = format!("length {n}");
        check_g2(&bases[..n], &[Scalars::Full(&scalars[..n])], &what);
    }
}

#[test]
fn hard_scalars_and_bases_agree() {
    let rng = &mut StdRng::seed_from_u64(2);
    let n = 1500;
    let minus_one = (-Fr::from(1u64)).into_bigint().0;
    let half = Fr::MODULUS_MINUS_ONE_DIV_TWO.0;
    let distinct = points::<G1Projective>(n, rng);
    let p = distinct[0];
    let mut signs = distinct.clone();
    for pair in signs.chunks_exact_mut(2) {
        pair[1] = -pair[0];
    }
    let mut holes = distinct.clone();
    holes
        .iter_mut()
        .step_by(3)
        .for_each(|b| *b = G1Affine::identity());
    // The table's own shift and its multiples meet it in doublings that are not.
    let mut shifts = distinct.clone();
    for (k, base) in shifts.iter_mut().take(40).enumerate() {
        let generator = G1Affine::generator() * Fr::from((k / 2 + 1) as u64);
        *base = if k % 2 == 0 { generator } else { -generator }.into_affine();
    }
    let random = full(rng, n);
    let vectors = [
        ("random", random.clone()),
        ("zeros", vec![[0; 4]; n]),
        ("ones", vec![[1, 0, 0, 0]; n]),
        ("r - 1", vec![minus_one; n]),
        ("(r - 1) / 2", vec![half; n]),
        ("one random value", vec![random[0]; n]),
        (
            "0, 1, r - 1 and random in turn",
            (0..n)
                .map(|i| [[0; 4], [1, 0, 0, 0], minus_one, random[i]][i % 4])
                .collect(),
        ),
    ];
    let bases = [
        ("distinct", distinct),
        ("equal", vec![p; n]),
        ("P and -P", signs),
        ("with infinity", holes),
        ("multiples of the generator", shifts),
    ];
    for (of_bases, bases) in &bases {
        for (of_scalars, scalars) in &vectors {
            let what = format!("{of_bases}, {of_scalars}");
            check_g1(bases, &[Scalars::Full(scalars)], &what);
        }
    }
}

#[test]
fn small_segments_beside_wide_ones_agree() {
    let rng = &mut StdRng::seed_from_u64(3);
    let bases = points::<G1Projective>(6000, rng);
    let small: Vec<i64> = (0..2500).map(|_| i64::from(rng.r#gen::<i16>())).collect();
    let scalars = full(rng, 3500);
    let segments = [
        Scalars::Small(&small[..1000]),
        Scalars::Full(&scalars),
        Scalars::Small(&small[1000..]),
    ];
    for threads in [1, 2, 5, 40] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| check_g1(&bases, &segments, &format!("{threads} threads")));
    }
}

#[test]
#[should_panic(expected = "a table of these bases")]
fn a_table_of_other_bases_is_refused() {
    let bases: Vec<PackedG1> = points::<G1Projective>(3, &mut StdRng::seed_from_u64(4))
        .iter()
        .map(Into::into)
        .collect();
    let table = TableG1::new(&bases[..2]);
    let scalars = [Scalars::Small(&[1, 2, 3])];
    let job = MsmG1 {
        bases: &bases,
        scalars: &scalars,
        table: Some(&table),
    };
    let _ = msm_g1_many(&[job]);
}
