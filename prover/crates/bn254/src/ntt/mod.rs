//! Number-theoretic transforms over Fr.

#[cfg(target_arch = "x86_64")]
mod ifma;
mod portable;

use std::sync::{Arc, OnceLock};

use ark_bn254::Fr;
use ark_ff::{FftField, Field, One, Zero};
use ark_poly::{
    EvaluationDomain, GeneralEvaluationDomain, MixedRadixEvaluationDomain, Radix2EvaluationDomain,
};
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::kernel::Kernel;

/// Smaller transforms have no eight rows of eight columns, alone or in three parts.
#[cfg(target_arch = "x86_64")]
const SMALLEST_VECTOR_SIZE: usize = 192;

/// A multiplicative subgroup of size n, 2^k or 3 * 2^k, and its odd coset, on which `X^n = -1`.
#[derive(Clone, Debug)]
pub struct Domain {
    even: GeneralEvaluationDomain<Fr>,
    odd: GeneralEvaluationDomain<Fr>,
    /// Twiddles, made when first needed: one and a half times the memory of a vector.
    portable: Arc<OnceLock<portable::Tables>>,
    #[cfg(target_arch = "x86_64")]
    ifma: Arc<OnceLock<ifma::Tables>>,
}

impl Domain {
    /// The smallest domain of 2^k rows that holds `min_size`, or `None` above the field's two-adicity less one.
    #[must_use]
    pub fn new(min_size: usize) -> Option<Self> {
        let even = Radix2EvaluationDomain::new(min_size)?;
        Self::from_even(GeneralEvaluationDomain::Radix2(even))
    }

    /// The smallest domain of 2^k or 3 * 2^k rows that holds `min_size`: at most half as many again as asked for rather
    /// than twice. Tools that know powers of two alone (snarkjs) cannot read a key made for 3 * 2^k rows.
    #[must_use]
    pub fn smallest(min_size: usize) -> Option<Self> {
        let size = min_size.checked_next_power_of_two()?;
        let thirds = size / 4 * 3;
        if thirds < min_size || thirds < 3 {
            return Self::new(min_size);
        }
        let even = MixedRadixEvaluationDomain::new(thirds)?;
        Self::from_even(GeneralEvaluationDomain::MixedRadix(even))
    }

    fn from_even(even: GeneralEvaluationDomain<Fr>) -> Option<Self> {
        let shift = Fr::get_root_of_unity(2 * even.size() as u64)?;
        Some(Self {
            even,
            odd: even.get_coset(shift)?,
            portable: Arc::default(),
            #[cfg(target_arch = "x86_64")]
            ifma: Arc::default(),
        })
    }

    /// Number of rows.
    #[must_use]
    pub fn size(&self) -> usize {
        self.even.size()
    }

    /// The generator omega of the subgroup.
    #[must_use]
    pub fn omega(&self) -> Fr {
        self.even.group_gen()
    }

    /// The odd coset's shift: a square root of omega.
    #[must_use]
    pub fn odd_shift(&self) -> Fr {
        self.odd.coset_offset()
    }

    /// The odd coset's members, in the order of its evaluations.
    #[must_use]
    pub fn odd_elements(&self) -> Vec<Fr> {
        self.odd.elements().collect()
    }

    /// Evaluations on the subgroup -> evaluations on the odd coset of the same polynomial of degree < n.
    pub fn to_odd_coset(&self, values: &mut Vec<Fr>) {
        self.to_odd_coset_with(Kernel::active(), values);
    }

    /// [`Self::to_odd_coset`] on a chosen code path.
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))] // there is one path
    pub fn to_odd_coset_with(&self, kernel: Kernel, values: &mut Vec<Fr>) {
        values.resize(self.size(), Fr::from(0u64));
        #[cfg(target_arch = "x86_64")]
        if kernel.is_ifma() && self.size() >= SMALLEST_VECTOR_SIZE {
            let tables = made_once(&self.ifma, || {
                let (size, eta) = (self.size(), self.odd_shift());
                if size.is_power_of_two() {
                    ifma::Tables::new(size.ilog2(), eta)
                } else {
                    ifma::Tables::for_thirds((size / 3).ilog2(), eta)
                }
            });
            // SAFETY: this kernel exists only where the processor has its instructions.
            unsafe { ifma::to_odd_coset(values, tables) };
            return;
        }
        let new = || portable::Tables::new(self.size(), self.odd_shift());
        portable::to_odd_coset(values, made_once(&self.portable, new));
    }

    /// Lagrange basis of the subgroup at `tau`, a secret: nothing that depends on it stays in memory.
    ///
    /// # Panics
    /// When `tau` is a member of the subgroup.
    #[must_use]
    pub fn lagrange_at(&self, tau: Fr) -> Zeroizing<Vec<Fr>> {
        lagrange(&self.even, tau)
    }

    /// As [`Self::lagrange_at`], of the odd coset.
    ///
    /// # Panics
    /// When `tau` is a member of the odd coset.
    #[must_use]
    pub fn odd_lagrange_at(&self, tau: Fr) -> Zeroizing<Vec<Fr>> {
        lagrange(&self.odd, tau)
    }
}

/// Of a coset `h omega^j` of n elements g_j: `(tau^n - h^n) g_j / (n h^n (tau - g_j))`, by an inversion a chunk.
fn lagrange(coset: &GeneralEvaluationDomain<Fr>, tau: Fr) -> Zeroizing<Vec<Fr>> {
    const CHUNK: usize = 1024;
    let size = coset.size() as u64;
    let power = coset.coset_offset().pow([size]);
    let invert = |x: Fr| x.inverse().expect("tau is off the coset");
    let scale = (tau.pow([size]) - power) * invert(Fr::from(size) * power);
    let points: Vec<Fr> = coset.elements().collect();
    let mut out = Zeroizing::new(vec![Fr::zero(); points.len()]);
    out.par_chunks_mut(CHUNK)
        .zip(points.par_chunks(CHUNK))
        .for_each(|(out, points)| {
            let mut product = Fr::one();
            for (prefix, g) in out.iter_mut().zip(points) {
                *prefix = product;
                product *= tau - g;
            }
            let mut inverse = invert(product) * scale;
            for (value, g) in out.iter_mut().zip(points).rev() {
                *value *= inverse * g;
                inverse *= tau - g;
            }
        });
    out
}

/// As `get_or_init`, but several threads may make the value, and all but one do so in vain: making it is parallel work, in whose
/// midst a thread may be given other work that asks for the same value.
fn made_once<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    cell.get().unwrap_or_else(|| {
        let value = make();
        cell.get_or_init(|| value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::UniformRand;
    use ark_poly::{DenseUVPolynomial, Polynomial, univariate::DensePolynomial};

    #[test]
    fn odd_coset_agrees_with_evaluation() {
        let mut rng = ark_std_rng();
        let domain = Domain::new(8).unwrap();
        let poly = DensePolynomial::<Fr>::rand(7, &mut rng);
        let mut values: Vec<Fr> = (0..8u64)
            .map(|i| poly.evaluate(&domain.omega().pow([i])))
            .collect();
        domain.to_odd_coset(&mut values);
        let tau = Fr::rand(&mut rng);
        let at_tau: Fr = values
            .iter()
            .zip(domain.odd_lagrange_at(tau).iter())
            .map(|(v, l)| *v * l)
            .sum();
        assert_eq!(at_tau, poly.evaluate(&tau));
    }

    #[test]
    fn lagrange_bases_agree_with_arkworks() {
        let tau = Fr::rand(&mut ark_std_rng());
        for size in [1, 2, 3, 1023, 1024, 1025, 3 << 10] {
            let domain = Domain::smallest(size).unwrap();
            for (coset, basis) in [
                (domain.even, domain.lagrange_at(tau)),
                (domain.odd, domain.odd_lagrange_at(tau)),
            ] {
                let expected = coset.evaluate_all_lagrange_coefficients(tau);
                assert_eq!(*basis, expected, "{size}");
            }
        }
    }

    fn ark_std_rng() -> impl ark_std::rand::Rng {
        ark_std::test_rng()
    }
}
