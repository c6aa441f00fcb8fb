//! Single-party setup: rows stream in, a proving key streams out.
//!
//! Memory holds the Lagrange basis (32 bytes a row) and three sums a wire (96 bytes), never the matrices. Whoever runs it
//! could keep the secrets and forge proofs, hence the origin `Development`, or `Test` where the secrets come from a seed.

mod elements;
mod output;

use std::path::Path;

use ark_bn254::Fr;
use ark_ff::{Field, One};
use assay_bn254::ntt::Domain;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    error::{Result, bail},
    key::format::Origin,
    layout::Layout,
    matrix::{Rows, accumulate_rows, zeros},
    progress::Progress,
    random::Randomness,
    rows_digest::RowsDigest,
    verifying_key::VerifyingKey,
};

pub(crate) use elements::{CHUNK, Elements};

/// What must be forgotten.
#[derive(Zeroize, ZeroizeOnDrop)]
struct ToxicWaste {
    tau: Fr,
    alpha: Fr,
    beta: Fr,
    gamma: Fr,
    delta: Fr,
    delta_1: Fr,
    delta_m: Fr,
}

/// Collects rows, then makes the keys.
#[allow(missing_debug_implementations)] // holds the secrets
pub struct SetupBuilder {
    layout: Layout,
    n_constraints: usize,
    rows: usize,
    domain: Domain,
    /// In one place: what a move leaves behind is not wiped.
    waste: Box<ToxicWaste>,
    lagrange: Zeroizing<Vec<Fr>>,
    /// `u_i(tau)`, `v_i(tau)`, `w_i(tau)` of each wire.
    sums: [Zeroizing<Vec<Fr>>; 3],
    digest: RowsDigest,
    origin: Origin,
}

impl SetupBuilder {
    /// Draws the secrets and evaluates the Lagrange basis of the smallest domain, of 2^k or 3 * 2^k rows, that holds the
    /// constraints and the input rows.
    ///
    /// # Errors
    /// `InvalidInput` for more rows than any domain has.
    pub fn new(layout: Layout, n_constraints: usize, randomness: &mut Randomness) -> Result<Self> {
        Self::with_domain(layout, n_constraints, Domain::smallest, randomness)
    }

    /// [`Self::new`] with a domain of 2^k rows, the only kind that snarkjs knows.
    pub(crate) fn with_power_of_two(
        layout: Layout,
        n_constraints: usize,
        randomness: &mut Randomness,
    ) -> Result<Self> {
        Self::with_domain(layout, n_constraints, Domain::new, randomness)
    }

    fn with_domain(
        layout: Layout,
        n_constraints: usize,
        domain: fn(usize) -> Option<Domain>,
        randomness: &mut Randomness,
    ) -> Result<Self> {
        let rows = n_constraints.checked_add(layout.n_ic());
        let Some(domain) = rows.and_then(domain) else {
            bail!(
                InvalidInput,
                "{n_constraints} constraints; no domain is that large"
            );
        };
        let size = domain.size() as u64;
        let tau = loop {
            // Neither the domain (Z = 0) nor its odd coset (whose Lagrange basis divides by tau - g_j).
            let tau = randomness.nonzero();
            if !tau.pow([2 * size]).is_one() {
                break tau;
            }
        };
        let waste = Box::new(ToxicWaste {
            tau,
            alpha: randomness.nonzero(),
            beta: randomness.nonzero(),
            gamma: randomness.nonzero(),
            delta: randomness.nonzero(),
            delta_1: randomness.nonzero(),
            delta_m: randomness.nonzero(),
        });
        let wires = layout.n_wires();
        Ok(Self {
            lagrange: domain.lagrange_at(tau),
            sums: std::array::from_fn(|_| Zeroizing::new(zeros(wires))),
            layout,
            n_constraints,
            rows: 0,
            domain,
            waste,
            digest: RowsDigest::default(),
            origin: if randomness.is_seeded() {
                Origin::Test
            } else {
                Origin::Development
            },
        })
    }

    /// The circuit's wires.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Appends rows.
    ///
    /// # Errors
    /// `InvalidInput` for blocks of different heights or more rows than announced.
    pub fn push(&mut self, rows: &Rows<'_>) -> Result<()> {
        let n = rows.count()?;
        let end = self.rows + n;
        if end > self.n_constraints {
            bail!(
                InvalidInput,
                "{end} rows where {} were announced",
                self.n_constraints
            );
        }
        self.digest.push(rows);
        let [u, v, w] = &mut self.sums;
        accumulate_rows(rows, &self.lagrange[self.rows..end], [u, v, w]);
        self.rows = end;
        Ok(())
    }

    /// Writes the proving key and returns the verifying key.
    ///
    /// # Errors
    /// `InvalidInput` if rows are missing; `Io`; `Cancelled`.
    pub fn finish(mut self, path: &Path, progress: Progress<'_>) -> Result<VerifyingKey> {
        self.seal()?;
        let elements = Elements::new(&self);
        let vk = elements.verifying_key();
        vk.check()?;
        elements.write_key(path, &vk, progress)?;
        Ok(vk)
    }

    /// Adds the input rows, once all others are there.
    pub(crate) fn seal(&mut self) -> Result<()> {
        if self.rows != self.n_constraints {
            bail!(
                InvalidInput,
                "{} rows where {} were announced",
                self.rows,
                self.n_constraints
            );
        }
        let n_ic = self.layout.n_ic();
        for (u, weight) in self.sums[0][..n_ic]
            .iter_mut()
            .zip(&self.lagrange[self.rows..])
        {
            *u += weight;
        }
        Ok(())
    }

    /// Rows of the domain.
    pub(crate) fn domain_size(&self) -> usize {
        self.domain.size()
    }
}
