//! The bench circuit, the same in every engine: `m_i = (m_{i-1} - k_{i-1})^2` with constants chosen so that constraint i squares
//! `x_i`. One public input, n constraints, wires as wide as the squares of the `x_i`: full-width or 8 bits.

use std::path::Path;

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, Field, PrimeField, UniformRand};
use ark_std::rand::{Rng, SeedableRng, rngs::StdRng};
use assay_bn254::Scalars;
use assay_groth16::{
    Job, Result,
    interop::Matrix,
    key::ProvingKey,
    layout::Layout,
    matrix::{MatrixBlock, Rows},
    progress::SILENT,
    proof::Proof,
    prove::Assignment,
    random::Randomness,
    setup::SetupBuilder,
    verifying_key::VerifyingKey,
};
use rayon::prelude::*;

use crate::inputs::Values;

/// Rows given to setup at a time.
const BLOCK: usize = 1 << 16;

fn block(matrix: &Matrix, n_wires: usize) -> Result<MatrixBlock<'_>> {
    let coef = Scalars::Full(&matrix.coef);
    MatrixBlock::new(&matrix.ptr, &matrix.col, coef, n_wires)
}

/// A circuit of n constraints with a witness.
pub struct Squares {
    /// The public input, `x_{n-1}`.
    pub public: Fr,
    /// `x_0, m_0, .., m_{n-2}`.
    pub wires: Values,
    /// `0, k_0, .., k_{n-2}`, as wide as the wires.
    constants: Values,
    n: usize,
}

impl Squares {
    /// A circuit of `n` constraints, the same for each `kind` of witness: random or 8-bit.
    pub fn new(kind: &str, n: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(2);
        if kind == "random" {
            let x: Vec<Fr> = (0..n).map(|_| Fr::rand(&mut rng)).collect();
            let squares: Vec<Fr> = x.iter().map(Field::square).collect();
            let steps = squares.iter().zip(&x[1..]).map(|(m, next)| *m - next);
            let limbs = |values: Vec<Fr>| values.iter().map(|v| v.into_bigint().0).collect();
            return Self {
                public: x[n - 1],
                wires: Values::Full(limbs([&x[..1], &squares[..n - 1]].concat())),
                constants: Values::Full(limbs(std::iter::once(Fr::ZERO).chain(steps).collect())),
                n,
            };
        }
        let x: Vec<i64> = (0..n).map(|_| rng.gen_range(0..16)).collect();
        let squares = x[..n - 1].iter().map(|v| v * v);
        let steps = x.windows(2).map(|pair| pair[0] * pair[0] - pair[1]);
        Self {
            public: Fr::from(x[n - 1]),
            wires: Values::Small(std::iter::once(x[0]).chain(squares).collect()),
            constants: Values::Small(std::iter::once(0).chain(steps).collect()),
            n,
        }
    }

    /// Wires: `1, public | x_0, m_0 .. m_{n-2}`.
    pub fn layout(&self) -> Layout {
        Layout::new(1, false, 0, 0, u32::try_from(self.n).expect("fits")).expect("valid")
    }

    /// Number of constraints.
    pub fn n_constraints(&self) -> usize {
        self.n
    }

    /// A, B and C of some rows. Row i: `(m_{i-1} - k_{i-1})^2 = m_i`; row 0 squares `x_0`; the last is
    /// `(m_{n-2} - k_{n-2}) * 1 = public`.
    pub fn matrices(&self, rows: std::ops::Range<usize>) -> [Matrix; 3] {
        let one = [1, 0, 0, 0];
        let mut matrices: [Matrix; 3] = Default::default();
        matrices.iter_mut().for_each(|m| m.ptr.push(0));
        for i in rows {
            let wire = u32::try_from(2 + i).expect("fits"); // x_0 for i = 0, else m_{i-1}
            let constant = -self.constants.segment().get(i);
            let mut expression = vec![(wire, one)];
            if i > 0 {
                expression.push((0, constant.into_bigint().0));
            }
            let last = i == self.n - 1;
            let right = if last {
                vec![(0, one)]
            } else {
                expression.clone()
            };
            let product = vec![(if last { 1 } else { wire + 1 }, one)];
            for (matrix, terms) in matrices.iter_mut().zip([expression, right, product]) {
                for (wire, value) in terms {
                    matrix.col.push(wire);
                    matrix.coef.push(value);
                }
                matrix.ptr.push(matrix.col.len() as i64);
            }
        }
        matrices
    }

    /// Runs setup, streaming the rows.
    pub fn setup(&self, path: &Path, randomness: &mut Randomness) -> Result<VerifyingKey> {
        let layout = self.layout();
        let n_wires = layout.n_wires();
        let mut builder = SetupBuilder::new(layout, self.n, randomness)?;
        for start in (0..self.n).step_by(BLOCK) {
            let [a, b, c] = self.matrices(start..(start + BLOCK).min(self.n));
            builder.push(&Rows {
                a: block(&a, n_wires)?,
                b: block(&b, n_wires)?,
                c: block(&c, n_wires)?,
            })?;
        }
        builder.finish(path, SILENT)
    }

    /// Left and right factors of every row, from the wires: what inference tells the prover. Part of what is timed.
    fn factors(&self) -> [Values; 2] {
        match (&self.wires, &self.constants) {
            (Values::Small(wires), Values::Small(constants)) => {
                let a: Vec<i64> = wires.iter().zip(constants).map(|(m, k)| m - k).collect();
                let mut b = a.clone();
                b[self.n - 1] = 1;
                [Values::Small(a), Values::Small(b)]
            }
            (Values::Full(wires), Values::Full(constants)) => {
                // Differences modulo r are the same in every representation.
                let element = |v: &[u64; 4]| Fr::new_unchecked(ark_ff::BigInt(*v));
                let a: Vec<[u64; 4]> = wires
                    .par_iter()
                    .zip(constants)
                    .map(|(m, k)| (element(m) - element(k)).0.0)
                    .collect();
                let mut b = a.clone();
                b[self.n - 1] = [1, 0, 0, 0];
                [Values::Full(a), Values::Full(b)]
            }
            _ => unreachable!("wires and constants are of one kind"),
        }
    }

    /// `count` proofs, together, from the wires on.
    pub fn prove(&self, key: &ProvingKey, count: usize) -> Result<Vec<Proof>> {
        let factors: Vec<[Values; 2]> = (0..count).map(|_| self.factors()).collect();
        let wires = [self.wires.segment()];
        let segments: Vec<_> = factors
            .iter()
            .map(|[a, b]| ([a.segment()], [b.segment()]))
            .collect();
        let mut jobs = Vec::with_capacity(count);
        for (a, b) in &segments {
            let mut randomness = Randomness::system();
            jobs.push(Job {
                session: key.commit(vec![self.public], &[], None, &mut randomness)?,
                assignment: Assignment {
                    model: &[],
                    w1: &[],
                    w2: &wires,
                    a,
                    b,
                },
                randomness,
            });
        }
        if count > 1 {
            return key.finish_batch(jobs, SILENT);
        }
        jobs.into_iter()
            .map(|mut job| key.finish(job.session, &job.assignment, &mut job.randomness, SILENT))
            .collect()
    }
}
