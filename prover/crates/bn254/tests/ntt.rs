//! Transforms on every code path against arkworks and against evaluation.

use ark_bn254::Fr;
use ark_ff::{Field, One, UniformRand, Zero};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use ark_std::rand::{SeedableRng, rngs::StdRng};
use assay_bn254::Kernel;
use assay_bn254::ntt::Domain;

fn reference(domain: &Domain, values: &[Fr]) -> Vec<Fr> {
    let even = Radix2EvaluationDomain::<Fr>::new(domain.size()).unwrap();
    let odd = even.get_coset(domain.odd_shift()).unwrap();
    odd.fft(&even.ifft(values))
}

#[test]
fn odd_coset_agrees_with_arkworks_at_every_size() {
    let rng = &mut StdRng::seed_from_u64(1);
    for log in 0..=15 {
        let domain = Domain::new(1 << log).unwrap();
        let n = domain.size();
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
                assert!(got == expected, "2^{log} on {}", kernel.name());
            }
        }
    }
}

#[test]
fn monomials_keep_their_values_on_the_odd_coset() {
    let domain = Domain::new(1 << 10).unwrap();
    let eta = domain.odd_shift();
    assert_eq!(eta.square(), domain.omega());
    assert_eq!(eta.pow([domain.size() as u64]), -Fr::one());
    for j in [0u64, 1, 2, 511, 1023] {
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
