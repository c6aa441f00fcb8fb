//! Number-theoretic transforms over Fr.

#[cfg(target_arch = "x86_64")]
mod ifma;

#[cfg(target_arch = "x86_64")]
use std::sync::{Arc, OnceLock};

use ark_bn254::Fr;
use ark_ff::{FftField, Field, One, batch_inversion};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};

use crate::kernel::Kernel;

/// Sizes below this have no eight rows of eight columns.
#[cfg(target_arch = "x86_64")]
const SMALLEST_VECTOR_SIZE: usize = 64;

/// A multiplicative subgroup of size n and its odd coset, on which `X^n = -1`.
#[derive(Clone, Debug)]
pub struct Domain {
    even: Radix2EvaluationDomain<Fr>,
    odd: Radix2EvaluationDomain<Fr>,
    /// Twiddles of the vector path, made when first needed: three times the memory of a vector.
    #[cfg(target_arch = "x86_64")]
    tables: Arc<OnceLock<ifma::Tables>>,
}

impl Domain {
    /// The smallest supported domain that holds `min_size` rows, or `None` above the field's two-adicity less one.
    #[must_use]
    pub fn new(min_size: usize) -> Option<Self> {
        let even = Radix2EvaluationDomain::new(min_size)?;
        let shift = Fr::get_root_of_unity(2 * even.size)?;
        Some(Self {
            even,
            odd: even.get_coset(shift)?,
            #[cfg(target_arch = "x86_64")]
            tables: Arc::default(),
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
        self.even.group_gen
    }

    /// The odd coset's shift: a square root of omega.
    #[must_use]
    pub fn odd_shift(&self) -> Fr {
        self.odd.offset
    }

    /// Evaluations on the subgroup -> evaluations on the odd coset of the same polynomial of degree < n.
    pub fn to_odd_coset(&self, values: &mut Vec<Fr>) {
        self.to_odd_coset_with(Kernel::active(), values);
    }

    /// [`Self::to_odd_coset`] on a chosen code path.
    pub fn to_odd_coset_with(&self, kernel: Kernel, values: &mut Vec<Fr>) {
        values.resize(self.size(), Fr::from(0u64));
        #[cfg(target_arch = "x86_64")]
        if kernel.is_ifma() && self.size() >= SMALLEST_VECTOR_SIZE {
            let tables = self
                .tables
                .get_or_init(|| ifma::Tables::new(self.size().ilog2(), self.odd_shift()));
            // SAFETY: this kernel exists only where the processor has its instructions.
            unsafe { ifma::to_odd_coset(values, tables) };
            return;
        }
        self.even.ifft_in_place(values);
        self.odd.fft_in_place(values);
    }

    /// Lagrange basis of the subgroup at `tau`.
    #[must_use]
    pub fn lagrange_at(&self, tau: Fr) -> Vec<Fr> {
        self.even.evaluate_all_lagrange_coefficients(tau)
    }

    /// Lagrange basis of the odd coset at `tau` (not a member of it): `(tau^n + 1) g_j / (-n (tau - g_j))`.
    #[must_use]
    pub fn odd_lagrange_at(&self, tau: Fr) -> Vec<Fr> {
        let n = Fr::from(self.size() as u64);
        let scale =
            (tau.pow([self.size() as u64]) + Fr::one()) * (-n).inverse().expect("n is not zero");
        let points: Vec<Fr> = self.odd.elements().collect();
        let mut out: Vec<Fr> = points.iter().map(|g| tau - g).collect();
        batch_inversion(&mut out);
        for (value, g) in out.iter_mut().zip(&points) {
            *value *= scale * g;
        }
        out
    }
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
            .zip(domain.odd_lagrange_at(tau))
            .map(|(v, l)| *v * l)
            .sum();
        assert_eq!(at_tau, poly.evaluate(&tau));
    }

    fn ark_std_rng() -> impl ark_std::rand::Rng {
        ark_std::test_rng()
    }
}
