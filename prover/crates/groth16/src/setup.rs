//! Single-party setup: rows stream in, a proving key streams out.
//!
//! Memory holds the Lagrange basis (32 bytes a row) and three sums a wire (96 bytes), never the matrices. Whoever runs it
//! could keep the secrets and forge proofs, hence the origin `Development`.

use std::path::Path;

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, One, Zero};
use assay_bn254::{
    fixed_base::{FixedBaseG1, FixedBaseG2},
    ntt::Domain,
};
use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    error::{Result, bail},
    key::{
        KeyWriter,
        format::{Description, G1_SIZE, G2_SIZE, Origin, Section, put_g1, put_g2},
    },
    layout::Layout,
    matrix::{Rows, accumulate_rows, zeros},
    progress::{Progress, report},
    random::Randomness,
    verifying_key::VerifyingKey,
};

/// Points computed and written at a time.
const CHUNK: usize = 1 << 17;

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
    waste: ToxicWaste,
    lagrange: Zeroizing<Vec<Fr>>,
    /// `u_i(tau)`, `v_i(tau)`, `w_i(tau)` of each wire.
    sums: [Zeroizing<Vec<Fr>>; 3],
}

impl SetupBuilder {
    /// Draws the secrets and evaluates the Lagrange basis of the smallest domain that holds the constraints and the input
    /// rows.
    ///
    /// # Errors
    /// `InvalidInput` for more rows than any domain has.
    pub fn new(layout: Layout, n_constraints: usize, randomness: &mut Randomness) -> Result<Self> {
        let rows = n_constraints.checked_add(layout.n_ic());
        let Some(domain) = rows.and_then(Domain::new) else {
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
        let waste = ToxicWaste {
            tau,
            alpha: randomness.nonzero(),
            beta: randomness.nonzero(),
            gamma: randomness.nonzero(),
            delta: randomness.nonzero(),
            delta_1: randomness.nonzero(),
            delta_m: randomness.nonzero(),
        };
        let wires = layout.n_wires();
        Ok(Self {
            lagrange: Zeroizing::new(domain.lagrange_at(tau)),
            sums: std::array::from_fn(|_| Zeroizing::new(zeros(wires))),
            layout,
            n_constraints,
            rows: 0,
            domain,
            waste,
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
        let keys = Keys::new(&self);
        let vk = keys.verifying_key();
        vk.check()?;
        let mut writer = KeyWriter::create(path)?;
        keys.write(&vk, &mut writer, progress)?;
        writer.finish(&Description {
            origin: Origin::Development,
            merged: true,
            layout: self.layout,
            n_constraints: self.n_constraints,
            domain_size: self.domain.size(),
        })?;
        Ok(vk)
    }
}

/// Scalars and tables from which all elements are made.
struct Keys<'a> {
    setup: &'a SetupBuilder,
    g1: FixedBaseG1,
    g2: FixedBaseG2,
    gamma_inverse: Zeroizing<Fr>,
    delta_inverse: Zeroizing<Fr>,
    delta_1_inverse: Zeroizing<Fr>,
    delta_m_inverse: Zeroizing<Fr>,
    /// `Z(tau) / (2 delta)`.
    quotient: Zeroizing<Fr>,
}

impl<'a> Keys<'a> {
    fn new(setup: &'a SetupBuilder) -> Self {
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

    /// `K_i = beta u_i + alpha v_i + w_i`.
    fn k(&self, wire: usize) -> Fr {
        let [u, v, w] = &self.setup.sums;
        self.setup.waste.beta * u[wire] + self.setup.waste.alpha * v[wire] + w[wire]
    }

    fn verifying_key(&self) -> VerifyingKey {
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
            ic: self.g1.mul_many(&ic),
        }
    }

    fn write(
        &self,
        vk: &VerifyingKey,
        writer: &mut KeyWriter,
        progress: Progress<'_>,
    ) -> Result<()> {
        let layout = &self.setup.layout;
        let [u, v, w] = &self.setup.sums;
        let wires = layout.n_wires();
        writer.section(Section::VerifyingKey, &vk.to_bytes())?;
        writer.section(Section::Constants, &self.constants(vk))?;
        let mut output = Output {
            keys: self,
            writer,
            progress,
        };
        output.g1("A", Section::IndexA, Section::A, wires, &|i| u[i])?;
        output.g1("B1", Section::IndexB, Section::B1, wires, &|i| v[i])?;
        output.g2("B2", Section::B2, wires, &|i| v[i])?;
        let w2 = layout.w2();
        output.g1("K", Section::IndexK, Section::K, wires, &|i| {
            let merged = w[i] * *self.quotient;
            if w2.contains(&i) {
                merged + self.k(i) * *self.delta_inverse
            } else {
                merged
            }
        })?;
        let start = layout.w1().start;
        output.g1("D", Section::IndexD, Section::D, layout.w1().len(), &|i| {
            self.k(start + i) * *self.delta_1_inverse
        })?;
        let start = layout.model().start;
        output.g1(
            "M",
            Section::IndexM,
            Section::M,
            layout.model().len(),
            &|i| self.k(start + i) * *self.delta_m_inverse,
        )?;
        let odd = Zeroizing::new(self.setup.domain.odd_lagrange_at(self.setup.waste.tau));
        output.dense("H", Section::H, odd.len(), &|j| -(odd[j] * *self.quotient))
    }

    fn constants(&self, vk: &VerifyingKey) -> Vec<u8> {
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
        out
    }
}

/// Scalars by position.
type Scalar<'a> = &'a (dyn Fn(usize) -> Fr + Sync);

struct Output<'a> {
    keys: &'a Keys<'a>,
    writer: &'a mut KeyWriter,
    progress: Progress<'a>,
}

impl Output<'_> {
    /// The list of positions with a non-zero scalar (empty when that is all of them), then their points.
    fn g1(
        &mut self,
        stage: &'static str,
        index: Section,
        points: Section,
        n: usize,
        scalar: Scalar<'_>,
    ) -> Result<()> {
        let kept: Vec<u32> = (0..u32::try_from(n).expect("32-bit wires"))
            .into_par_iter()
            .filter(|&i| !scalar(i as usize).is_zero())
            .collect();
        self.writer.begin(index)?;
        if kept.len() != n {
            let bytes: Vec<u8> = kept.iter().flat_map(|i| i.to_le_bytes()).collect();
            self.writer.append(index, &bytes)?;
        }
        self.dense(stage, points, n, scalar)
    }

    /// Points of the non-zero scalars.
    fn dense(
        &mut self,
        stage: &'static str,
        section: Section,
        n: usize,
        scalar: Scalar<'_>,
    ) -> Result<()> {
        self.chunks(stage, section, n, scalar, |keys, scalars| {
            let mut bytes = Vec::with_capacity(scalars.len() * G1_SIZE);
            for point in keys.g1.mul_many(scalars) {
                put_g1(&mut bytes, &point);
            }
            bytes
        })
    }

    fn g2(
        &mut self,
        stage: &'static str,
        section: Section,
        n: usize,
        scalar: Scalar<'_>,
    ) -> Result<()> {
        self.chunks(stage, section, n, scalar, |keys, scalars| {
            let mut bytes = Vec::with_capacity(scalars.len() * G2_SIZE);
            for point in keys.g2.mul_many(scalars) {
                put_g2(&mut bytes, &point);
            }
            bytes
        })
    }

    fn chunks(
        &mut self,
        stage: &'static str,
        section: Section,
        n: usize,
        scalar: Scalar<'_>,
        make: impl Fn(&Keys<'_>, &[Fr]) -> Vec<u8>,
    ) -> Result<()> {
        self.writer.begin(section)?;
        for start in (0..n).step_by(CHUNK) {
            report(self.progress, stage, start, n)?;
            let end = (start + CHUNK).min(n);
            let scalars: Zeroizing<Vec<Fr>> = Zeroizing::new(
                (start..end)
                    .into_par_iter()
                    .map(scalar)
                    .filter(|s| !s.is_zero())
                    .collect(),
            );
            self.writer.append(section, &make(self.keys, &scalars))?;
        }
        report(self.progress, stage, n, n)
    }
}
