//! Transforms on every code path against arkworks and against evaluation.

use ark_bn254::Fr;
use ark_ff::{Field, One, UniformRand, Zero};
use ark_poly::{EvaluationDomain, MixedRadixEvaluationDomain, Radix2EvaluationDomain};
use ark_std::rand::{SeedableRng, rngs::StdRng};
use assay_bn254::Kernel;
use assay_bn254::ntt::Domain;

fn reference(domain: &Domain, values: &[Fr]) -> Vec<Fr> {
    fn through<D: EvaluationDomain<Fr>>(even: D, shift: Fr, values: &[Fr]) -> Vec<Fr> {
        even.get_coset(shift).unwrap().fft(&even.ifft(values))
    }
    if domain.size().is_power_of_two() {
        let even = Radix2EvaluationDomain::<Fr>::new(domain.size()).unwrap();
        through(even, domain.odd_shift(), values)
    } else {
        let even = MixedRadixEvaluationDomain::<Fr>::new(domain.size()).unwrap();
        assert_eq!(even.size(), domain.size());
        through(even, domain.odd_shift(), values)
    }
}

#[test]
fn odd_coset_agrees_with_arkworks_at_every_size() {
    let rng = &mut StdRng::seed_from_u64(1);
    for size in (0..=15)
        .map(|log| 1 << log)
        .chain((0..=13).map(|log| 3 << log))
    {
        let domain = Domain::smallest(size).unwrap();
        let n = domain.size();
        assert_eq!(n, size);
        let top = -Fr::one();
        let vectors = [
            (0..n).map(|_| Fr::rand(rng)).collect(),
            vec![top; n],
            vec![Fr::zero(); n],
            (0..n)
                .map(|i| if i % 2 == 0 { top } else { Fr::zero() })
                .collect(),
            (0..n)
                .map(|i| if i == n / 2 { top } else { Fr::zero() })
                .collect::<Vec<_>>(),
        ];
        for values in vectors {
            let expected = reference(&domain, &values);
            for kernel in Kernel::all() {
                let mut got = values.clone();
                domain.to_odd_coset_with(kernel, &mut got);
                assert!(got == expected, "{size} on {}", kernel.name());
            }
        }
    }
}

#[test]
fn monomials_keep_their_values_on_the_odd_coset() {
    check_monomials(&Domain::new(1 << 10).unwrap());
    check_monomials(&Domain::smallest(3 << 8).unwrap());
}

fn check_monomials(domain: &Domain) {
    let eta = domain.odd_shift();
    assert_eq!(eta.square(), domain.omega());
    assert_eq!(eta.pow([domain.size() as u64]), -Fr::one());
    for j in [0, 1, 2, 511, domain.size() as u64 - 1] {
        let values: Vec<Fr> = (0..domain.size() as u64)
            .map(|i| domain.omega().pow([i * j]))
            .collect();
        for kernel in Kernel::all() {
            let mut got = values.clone();
            domain.to_odd_coset_with(kernel, &mut got);
            for (i, value) in got.into_iter().enumerate() {
                assert_eq!(value, (eta * domain.omega().pow([i as u64])).pow([j]));
            }
        }
    }
}

#[test]
fn smallest_domain_wastes_less_than_half() {
    for (rows, size) in [
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 4),
        (5, 6),
        (7, 8),
        (9, 12),
        (13, 16),
        (1_070_000, 3 << 19),
        ((3 << 19) + 1, 1 << 21),
    ] {
        assert_eq!(Domain::smallest(rows).unwrap().size(), size, "{rows} rows");
    }
    assert_eq!(Domain::new(1_070_000).unwrap().size(), 1 << 21);
    assert!(Domain::new(1 << 28).is_none(), "no odd coset");
}
