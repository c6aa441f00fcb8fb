//! Whether a proving key is what setup makes: for this circuit, and for the verifying key inside.
//!
//! The hash in a key's file guards against damage. Whoever writes a file writes its hash, too, and a key can be doctored
//! without a trace in its verifying key: blinding elements at infinity, so that proofs tell the witness, or one point
//! replaced, so that an input of the author's choice cannot be proven. This check leaves neither: a key that passes is
//! the function of `(tau, alpha, beta, gamma, delta, delta_1, delta_m)` that `docs/protocol.md` defines, with the
//! verifying key's trapdoors, none of them zero, up to an error of 2^-128 or so. `docs/protocol.md`, "What a proving key
//! is checked for", derives the equations.
//!
//! The weights of the random combinations are hashed from everything they combine (Fiat-Shamir), because the key carries
//! one element that depends on them: the combination of `[w_i(tau)]_1`, which nothing else in the key determines.

use std::sync::Arc;

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective, G2Affine};
use ark_ec::{AffineRepr, CurveGroup, pairing::Pairing};
use ark_ff::{Field, One, Zero};
use assay_bn254::{
    Kernel, PackedG1, Scalars,
    msm::{MsmG1, msm_g1, msm_g1_many_watched, msm_g2_watched},
};
use rayon::prelude::*;

use super::{
    points::{check_points, check_subgroup},
    proving::{ProvingKey, Query},
    weights::{Weights, element},
};
use crate::{
    error::{Error, Result, bail},
    field::{Limbs, limbs},
    gather::gather,
    matrix::{MatrixBlock, Rows},
    progress::{Progress, report},
    rows_digest::RowsDigest,
};

/// A check in the making: give it the circuit's rows in order, then finish.
#[allow(missing_debug_implementations)] // long vectors
pub struct KeyCheck {
    key: Arc<ProvingKey>,
    weights: Weights,
    /// The weight of each wire.
    rho: Vec<Fr>,
    /// Those of `w2`; zeros elsewhere.
    rho_w2: Vec<Fr>,
    digest: RowsDigest,
    /// The matrices times the weights: A, B, C, and C with `w2`'s weights alone.
    products: [Vec<Fr>; 4],
}

impl KeyCheck {
    /// Starts a check.
    ///
    /// # Errors
    /// `InvalidKey` for a key that was converted from another tool's file: it lacks the elements to check it by.
    pub fn new(key: Arc<ProvingKey>) -> Result<Self> {
        if !key.is_checkable() {
            bail!(
                InvalidKey,
                "this key was converted from another tool's file, which has not the elements to check it by"
            );
        }
        if !key.is_hashed() {
            bail!(
                InvalidInput,
                "a key that was opened without its hash cannot be checked"
            );
        }
        let weights = Weights::of(key.header());
        let layout = key.layout();
        let rho = weights.wires(layout.n_wires());
        let mut rho_w2 = vec![Fr::zero(); layout.w2().start];
        rho_w2.extend(&rho[layout.w2()]);
        let rows = key.domain().size();
        Ok(Self {
            products: std::array::from_fn(|_| Vec::with_capacity(rows)),
            digest: RowsDigest::default(),
            rho,
            rho_w2,
            weights,
            key,
        })
    }

    /// The wires of the key's circuit.
    #[must_use]
    pub fn layout(&self) -> &crate::Layout {
        self.key.layout()
    }

    /// Takes the next rows.
    ///
    /// # Errors
    /// `InvalidInput` for blocks of different heights or more rows than the key's circuit has.
    pub fn push(&mut self, rows: &Rows<'_>) -> Result<()> {
        let end = self.products[0].len() + rows.count()?;
        if end > self.key.n_constraints() {
            bail!(
                InvalidInput,
                "{end} rows where the key has {}",
                self.key.n_constraints()
            );
        }
        self.digest.push(rows);
        let (rho, rho_w2) = (&self.rho, &self.rho_w2);
        let times = |matrix: &MatrixBlock<'_>, weights: &[Fr], out: &mut Vec<Fr>| {
            out.par_extend(
                (0..matrix.rows())
                    .into_par_iter()
                    .map(|row| matrix.evaluate(row, weights)),
            );
        };
        let [a, b, c, c_w2] = &mut self.products;
        times(&rows.a, rho, a);
        times(&rows.b, rho, b);
        times(&rows.c, rho, c);
        times(&rows.c, rho_w2, c_w2);
        Ok(())
    }

    /// Checks the key.
    ///
    /// # Errors
    /// `InvalidKey`, naming the element or the query that is not the circuit's; `InvalidInput` if rows are missing;
    /// `Cancelled`.
    pub fn finish(self, progress: Progress<'_>) -> Result<()> {
        if self.products[0].len() != self.key.n_constraints() {
            bail!(
                InvalidInput,
                "{} rows where the key has {}",
                self.products[0].len(),
                self.key.n_constraints()
            );
        }
        if self.digest.finish() != self.key.header().description.rows {
            bail!(InvalidKey, "it was made of another circuit");
        }
        self.key.check_constants()?;
        report(progress, "points", 0, 1)?;
        check_points(&self.key)?;
        let key = Arc::clone(&self.key);
        let sums = self.sums(progress)?;
        report(progress, "pairings", 0, 1)?;
        sums.check(&key)?;
        report(progress, "done", 1, 1)
    }

    /// All the combinations.
    fn sums(mut self, progress: Progress<'_>) -> Result<Sums> {
        let key = Arc::clone(&self.key);
        let (layout, domain) = (key.layout(), key.domain());
        // The input rows: A is one public wire each.
        self.products[0].extend(&self.rho[..layout.n_ic()]);
        report(progress, "transforms", 0, 1)?;
        let [a, b, c, mut w2] = self.products;
        let mut rest: Vec<Fr> = c.into_par_iter().zip(&w2).map(|(c, w2)| c - w2).collect();
        let (mut a, mut b) = (a, b);
        for values in [&mut a, &mut b, &mut w2, &mut rest] {
            domain.to_odd_coset(values);
        }
        let coset = |values: Vec<Fr>| -> Vec<Limbs> { values.into_par_iter().map(limbs).collect() };
        let [a, b, w2, rest] = [a, b, w2, rest].map(coset);
        let sigma = self.weights.take(layout.n_wires(), domain.size());
        let points = domain.odd_elements();
        let shifted: Vec<Fr> = sigma
            .par_iter()
            .zip(&points)
            .map(|(sigma, point)| element(*sigma) * point)
            .collect();
        let moment: Fr = shifted.par_iter().sum();
        let shifted = coset(shifted);
        let ones = vec![1i64; domain.size()];

        let rho: Vec<Limbs> = self.rho.par_iter().copied().map(limbs).collect();
        let full = |range: std::ops::Range<usize>| [Scalars::Full(&rho[range])];
        let all = full(0..layout.n_wires());
        let (k_rest, k_w2) = split(key.query_k(), layout.w2().start);
        let queries = [
            (key.query_a(), all),
            (key.query_b1(), all),
            (k_rest.query(), full(0..layout.w2().start)),
            (k_w2.query(), full(layout.w2())),
            (key.query_d(), full(layout.w1())),
            (key.query_m(), full(layout.model())),
        ];
        let gathered: Vec<_> = queries
            .iter()
            .map(|(query, scalars)| gather(scalars, query.index, query.points.len()))
            .collect();
        let views: Vec<_> = gathered.iter().map(|gathered| gathered.view()).collect();
        let on_h = [
            Scalars::Full(&a),
            Scalars::Full(&b),
            Scalars::Full(&w2),
            Scalars::Full(&rest),
            Scalars::Full(&sigma),
            Scalars::Full(&shifted),
            Scalars::Small(&ones),
        ]
        .map(|scalars| [scalars]);
        let mut jobs: Vec<MsmG1<'_>> = queries
            .iter()
            .zip(&views)
            .map(|((query, _), scalars)| job(query.points, scalars))
            .collect();
        jobs.extend(on_h.iter().map(|scalars| job(key.query_h(), scalars)));
        let watch = |begun, tasks| report(progress, "G1", begun, tasks).is_ok();
        let sums = msm_g1_many_watched(Kernel::active(), &jobs, &watch).ok_or(Error::Cancelled)?;
        let mut sums = G1Projective::normalize_batch(&sums).into_iter();
        let mut next = || sums.next().expect("one sum a job");

        let b2 = key.query_b2();
        let gathered = gather(&all, b2.index, b2.points.len());
        let watch = |begun, tasks| report(progress, "G2", begun, tasks).is_ok();
        let b2_sum = msm_g2_watched(Kernel::active(), b2.points, None, &gathered.view(), &watch)
            .ok_or(Error::Cancelled)?;
        let first = layout.n_wires() + domain.size();
        check_subgroup(
            b2.points,
            b2_sum.into_affine(),
            &self.weights,
            first,
            progress,
        )?;

        let ic: Vec<PackedG1> = key.vk().ic.iter().map(Into::into).collect();
        Ok(Sums {
            a: next(),
            b1: next(),
            k_rest: next(),
            k_w2: next(),
            d: next(),
            m: next(),
            h_a: next(),
            h_b: next(),
            h_w2: next(),
            h_rest: next(),
            h_sigma: next(),
            h_shifted: next(),
            h: next(),
            b2: b2_sum.into_affine(),
            ic: msm_g1(&ic, &full(0..layout.n_ic())).into_affine(),
            moment,
        })
    }
}

fn job<'a>(bases: &'a [PackedG1], scalars: &'a [Scalars<'a>]) -> MsmG1<'a> {
    MsmG1 {
        bases,
        scalars,
        table: None,
    }
}

/// A query of some of another's wires, whose list of wires is its own.
struct Part<'a> {
    index: Option<Vec<u32>>,
    points: &'a [PackedG1],
}

impl Part<'_> {
    fn query(&self) -> Query<'_, PackedG1> {
        Query {
            index: self.index.as_deref(),
            points: self.points,
        }
    }
}

/// The wires before `at`, and those from `at` on, counted from there.
fn split(query: Query<'_, PackedG1>, at: usize) -> (Part<'_>, Part<'_>) {
    let Some(index) = query.index else {
        let (before, after) = query.points.split_at(at.min(query.points.len()));
        let part = |points| Part {
            index: None,
            points,
        };
        return (part(before), part(after));
    };
    let cut = index.partition_point(|&wire| (wire as usize) < at);
    let (before, after) = query.points.split_at(cut);
    let first = u32::try_from(at).expect("32-bit wires");
    (
        Part {
            index: Some(index[..cut].to_vec()),
            points: before,
        },
        Part {
            index: Some(index[cut..].iter().map(|wire| wire - first).collect()),
            points: after,
        },
    )
}

/// Combinations of the key's points. With the weights rho of the wires, and the circuit's rows U, V, W:
struct Sums {
    /// A, B1 and B2 with rho.
    a: G1Affine,
    b1: G1Affine,
    b2: G2Affine,
    /// K of the wires outside `w2`, and of those in it.
    k_rest: G1Affine,
    k_w2: G1Affine,
    d: G1Affine,
    m: G1Affine,
    ic: G1Affine,
    /// H as a basis: `[s p(tau)]_1` of the polynomials that take the rows' values U rho, V rho, and W rho in two parts.
    h_a: G1Affine,
    h_b: G1Affine,
    h_w2: G1Affine,
    h_rest: G1Affine,
    /// H with weights sigma, with `sigma_j g_j` (g_j: the coset's points), and with ones, which is `[s]_1`.
    h_sigma: G1Affine,
    h_shifted: G1Affine,
    h: G1Affine,
    /// The sum of `sigma_j g_j`.
    moment: Fr,
}

impl Sums {
    fn check(&self, key: &ProvingKey) -> Result<()> {
        let vk = key.vk();
        let constants = &key.constants;
        let (one_1, one_2) = (G1Affine::generator(), G2Affine::generator());
        let (tau, vanishing) = (constants.tau_2, constants.vanishing_2);
        let two = Fr::from(2u64);
        let n = Fr::from(key.domain().size() as u64);
        let scaled = |point: G1Affine, by: Fr| (point * by).into_affine();

        for (name, point) in [("tau", tau), ("Z(tau)", vanishing)] {
            if point.is_zero() {
                bail!(InvalidKey, "[{name}]_2 is infinity");
            }
            if !point.is_on_curve() || !point.is_in_correct_subgroup_assuming_on_curve() {
                bail!(InvalidKey, "[{name}]_2 is no point of the group");
            }
        }
        if self.h.is_zero() {
            bail!(InvalidKey, "the H query adds up to nothing");
        }
        // s = -Z / (2 delta)
        if !is_one(&[(scaled(self.h, two), vk.delta), (one_1, vanishing)]) {
            bail!(InvalidKey, "the H query is not over this delta");
        }
        // H_j (tau - g_j) + g_j s (Z + 2) / n = 0, the equations of a Lagrange basis that adds up to s
        let inverse = n.inverse().expect("below r");
        let basis = [
            (self.h_sigma, tau),
            (-self.h_shifted, one_2),
            (
                scaled(self.h, self.moment * inverse),
                (vanishing + one_2 * two).into_affine(),
            ),
        ];
        if !is_one(&basis) {
            bail!(InvalidKey, "the H query is not the domain's Lagrange basis");
        }
        // s p delta = -p Z / 2, for what A, B1 and the hint claim to be the p of.
        let claims = [
            ("the A query", self.h_a, self.a),
            ("the B1 query", self.h_b, self.b1),
            (
                "the hint",
                (self.h_w2 + self.h_rest).into_affine(),
                key.hint(),
            ),
        ];
        for (name, on_h, claimed) in claims {
            if !is_one(&[(scaled(on_h, two), vk.delta), (claimed, vanishing)]) {
                bail!(InvalidKey, "{name} is not this circuit's");
            }
        }
        if !is_one(&[(self.b1, one_2), (-one_1, self.b2)]) {
            bail!(InvalidKey, "the B1 and B2 queries differ");
        }
        // Outside w2, K is -s w_i alone.
        if !(self.k_rest + self.h_rest).is_zero() {
            bail!(InvalidKey, "the K query is not this circuit's");
        }
        // K_i = beta u_i + alpha v_i + w_i, over gamma, delta_m, delta_1 and delta.
        let mut pairs = vec![
            (self.ic, vk.gamma),
            ((self.k_w2 + self.h_w2).into_affine(), vk.delta),
            (-self.a, vk.beta),
            (-vk.alpha, self.b2),
            (-key.hint(), one_2),
        ];
        pairs.extend(vk.delta_1.map(|delta| (self.d, delta)));
        pairs.extend(vk.delta_m.map(|delta| (self.m, delta)));
        if !is_one(&pairs) {
            bail!(
                InvalidKey,
                "the K, D or M query, or the verifying key, is not this circuit's"
            );
        }
        Ok(())
    }
}

/// Whether the product of the pairings is one.
pub(super) fn is_one(pairs: &[(G1Affine, G2Affine)]) -> bool {
    let (left, right): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
    Bn254::multi_pairing(left, right).0.is_one()
}
