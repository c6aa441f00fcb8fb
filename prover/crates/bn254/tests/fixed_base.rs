//! Fixed-base tables on every code path against plain scalar multiplication.

use ark_bn254::{Fr, G1Affine, G1Projective, G2Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{UniformRand, Zero};
use ark_std::rand::{SeedableRng, rngs::StdRng};
use assay_bn254::fixed_base::{FixedBaseG1, FixedBaseG2};
use assay_bn254::{Kernel, PackedG1, PackedG2};

fn scalars(rng: &mut StdRng, random: usize) -> Vec<Fr> {
    let edges = [0u64, 1, 2, 3, 7, 8, 9, 1 << 13, (1 << 13) - 1];
    edges
        .into_iter()
        .flat_map(|k| [Fr::from(k), -Fr::from(k)])
        .chain((0..random).map(|_| Fr::rand(rng)))
        .collect()
}

#[test]
fn g1_multiples_agree_with_scalar_multiplication() {
    let rng = &mut StdRng::seed_from_u64(1);
    let base = G1Projective::rand(rng).into_affine();
    for (count, random) in [(0, 0), (1, 1), (100, 100), (1 << 20, 300)] {
        let table = FixedBaseG1::new(base, count);
        let scalars = scalars(rng, random);
        let expected: Vec<PackedG1> = scalars
            .iter()
            .map(|s| (&(base * s).into_affine()).into())
            .collect();
        for kernel in Kernel::all() {
            let got = table.mul_many_with(kernel, &scalars);
            assert!(got == expected, "{count} on {}", kernel.name());
        }
    }
}

#[test]
fn g2_multiples_agree_with_scalar_multiplication() {
    let rng = &mut StdRng::seed_from_u64(2);
    let base = G2Projective::rand(rng).into_affine();
    let table = FixedBaseG2::new(base, 5000);
    let scalars = scalars(rng, 200);
    let expected: Vec<PackedG2> = scalars
        .iter()
        .map(|s| (&(base * s).into_affine()).into())
        .collect();
    for kernel in Kernel::all() {
        let got = table.mul_many_with(kernel, &scalars);
        assert!(got == expected, "{}", kernel.name());
    }
}

#[test]
fn equal_scalars_and_more_than_a_chunk_agree() {
    let rng = &mut StdRng::seed_from_u64(3);
    let base = G1Affine::generator();
    let scalar = Fr::rand(rng);
    let table = FixedBaseG1::new(base, 10_000);
    let expected = PackedG1::from(&(base * scalar).into_affine());
    for kernel in Kernel::all() {
        let got = table.mul_many_with(kernel, &vec![scalar; 9001]);
        assert_eq!(got.len(), 9001);
        assert!(got.iter().all(|p| *p == expected), "{}", kernel.name());
    }
}

#[test]
fn multiples_of_infinity_are_infinity() {
    let table = FixedBaseG1::new(G1Affine::zero(), 10);
    let got = table.mul_many(&[Fr::zero(), Fr::from(5u64)]);
    assert!(got.iter().all(PackedG1::is_infinity));
    assert!(
        FixedBaseG1::new(G1Affine::generator(), 10)
            .mul_many(&[])
            .is_empty()
    );
}
