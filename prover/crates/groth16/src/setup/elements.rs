//! What the secrets make: scalars of every section, and the tables that turn them into points.

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, One};
use assay_bn254::{
    PackedG1,
    fixed_base::{FixedBaseG1, FixedBaseG2},
};
use rayon::prelude::*;
use zeroize::Zeroizing;

use super::SetupBuilder;
use crate::{
    key::{
        Weights,
        format::{Origin, put_g1, put_g2},
    },
    layout::Layout,
    verifying_key::VerifyingKey,
};

/// Points computed and written at a time.
pub(crate) const CHUNK: usize = 1 << 17;

/// Scalars and tables from which all elements are made.
pub(crate) struct Elements<'a> {
    setup: &'a SetupBuilder,
    pub(crate) g1: FixedBaseG1,
    pub(crate) g2: FixedBaseG2,
    gamma_inverse: Zeroizing<Fr>,
    delta_inverse: Zeroizing<Fr>,
    delta_1_inverse: Zeroizing<Fr>,
    delta_m_inverse: Zeroizing<Fr>,
    /// `Z(tau) / (2 delta)`.
    quotient: Zeroizing<Fr>,
}

impl<'a> Elements<'a> {
    pub(crate) fn new(setup: &'a SetupBuilder) -> Self {
        let waste = &setup.waste;
        let inverse = |x: &Fr| Zeroizing::new(x.inverse().expect("drawn non-zero"));
        let delta_inverse = inverse(&waste.delta);
        let vanishing = waste.tau.pow([setup.domain.size() as u64]) - Fr::one();
        let half = Fr::from(2u64).inverse().expect("odd characteristic");
        let points = 3 * setup.layout.n_wires() + setup.domain.size();
        Self {
            g1: FixedBaseG1::new(G1Affine::generator(), points),
            g2: FixedBaseG2::new(G2Affine::generator(), setup.layout.n_wires()),
            gamma_inverse: inverse(&waste.gamma),
            delta_1_inverse: inverse(&waste.delta_1),
            delta_m_inverse: inverse(&waste.delta_m),
            quotient: Zeroizing::new(vanishing * *delta_inverse * half),
            delta_inverse,
            setup,
        }
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.setup.layout
    }

    pub(super) fn n_constraints(&self) -> usize {
        self.setup.n_constraints
    }

    pub(super) fn origin(&self) -> Origin {
        self.setup.origin
    }

    pub(super) fn rows_digest(&self) -> [u8; 32] {
        self.setup.digest.finish()
    }

    /// `u_i`.
    pub(crate) fn a(&self, wire: usize) -> Fr {
        self.setup.sums[0][wire]
    }

    /// `v_i`.
    pub(crate) fn b(&self, wire: usize) -> Fr {
        self.setup.sums[1][wire]
    }

    /// `K_i / delta`, for a wire of `w2`.
    pub(crate) fn w2(&self, wire: usize) -> Fr {
        self.k(wire) * *self.delta_inverse
    }

    /// `K_i / delta_1`, for a committed wire.
    pub(super) fn w1(&self, wire: usize) -> Fr {
        self.k(wire) * *self.delta_1_inverse
    }

    /// `K_i / delta_m`, for a model wire.
    pub(super) fn model(&self, wire: usize) -> Fr {
        self.k(wire) * *self.delta_m_inverse
    }

    /// The half of C that a merged K query holds: `w_i Z / (2 delta)`.
    pub(super) fn half_of_c(&self, wire: usize) -> Fr {
        self.setup.sums[2][wire] * *self.quotient
    }

    /// `-L_j Z / (2 delta)` with the odd coset's Lagrange basis, for all its points.
    pub(crate) fn h(&self) -> Zeroizing<Vec<Fr>> {
        let mut odd = self.setup.domain.odd_lagrange_at(self.setup.waste.tau);
        odd.par_iter_mut().for_each(|l| *l = -(*l * *self.quotient));
        odd
    }

    /// `[beta]_1` and `[delta]_1`.
    pub(crate) fn beta_and_delta(&self) -> [G1Affine; 2] {
        let waste = &self.setup.waste;
        [waste.beta, waste.delta].map(|x| (G1Affine::generator() * x).into_affine())
    }

    /// `K_i = beta u_i + alpha v_i + w_i`.
    fn k(&self, wire: usize) -> Fr {
        let [u, v, w] = &self.setup.sums;
        self.setup.waste.beta * u[wire] + self.setup.waste.alpha * v[wire] + w[wire]
    }

    pub(crate) fn verifying_key(&self) -> VerifyingKey {
        let waste = &self.setup.waste;
        let layout = &self.setup.layout;
        let g2 = |x: Fr| (G2Affine::generator() * x).into_affine();
        let ic: Zeroizing<Vec<Fr>> = Zeroizing::new(
            (0..layout.n_ic())
                .map(|i| self.k(i) * *self.gamma_inverse)
                .collect(),
        );
        VerifyingKey {
            alpha: (G1Affine::generator() * waste.alpha).into_affine(),
            beta: g2(waste.beta),
            gamma: g2(waste.gamma),
            delta: g2(waste.delta),
            delta_1: layout.committed.then(|| g2(waste.delta_1)),
            delta_m: layout.private_weights().then(|| g2(waste.delta_m)),
            ic: self.g1.mul_many(&ic).iter().map(PackedG1::unpack).collect(),
        }
    }

    /// `[sum rho_i w_i(tau)]_1`: of the elements that a key is checked by, the one that its queries do not determine.
    pub(super) fn hint(&self, weights: &Weights) -> G1Affine {
        let w = &self.setup.sums[2];
        let terms: Zeroizing<Vec<Fr>> = Zeroizing::new(
            weights
                .wires(w.len())
                .into_par_iter()
                .zip(w.par_iter())
                .map(|(weight, w)| weight * w)
                .collect(),
        );
        let sum: Zeroizing<Fr> = Zeroizing::new(terms.iter().sum());
        (G1Affine::generator() * *sum).into_affine()
    }

    pub(super) fn constants(&self, vk: &VerifyingKey) -> Vec<u8> {
        let waste = &self.setup.waste;
        let layout = &self.setup.layout;
        let g1 = |x: Fr| (G1Affine::generator() * x).into_affine();
        let absent = G1Affine::identity();
        let mut out = Vec::new();
        put_g1(&mut out, &vk.alpha);
        put_g1(&mut out, &g1(waste.beta));
        put_g1(&mut out, &g1(waste.delta));
        put_g1(
            &mut out,
            &if layout.committed {
                g1(waste.delta_1)
            } else {
                absent
            },
        );
        put_g1(
            &mut out,
            &if layout.private_weights() {
                g1(waste.delta_m)
            } else {
                absent
            },
        );
        put_g2(&mut out, &vk.beta);
        put_g2(&mut out, &vk.delta);
        let vanishing =
            Zeroizing::new(waste.tau.pow([self.setup.domain.size() as u64]) - Fr::one());
        put_g2(&mut out, &(G2Affine::generator() * waste.tau).into_affine());
        put_g2(
            &mut out,
            &(G2Affine::generator() * *vanishing).into_affine(),
        );
        out
    }
}
