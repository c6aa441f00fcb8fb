//! A small circuit in every mode, with its witness.
#![allow(dead_code)] // each test binary uses a part

pub mod baseline;
pub mod doctor;

use std::path::PathBuf;

use ark_bn254::Fr;
use ark_ff::Field;
use assay_bn254::Scalars;
use assay_groth16::{
    Assignment, Layout, MatrixBlock, ModelCommitment, Proof, ProvingKey, Randomness, Result, Rows,
    Session, SetupBuilder, VerifyingKey,
    field::{Limbs, limbs},
    matrix::{dense, evaluate_rows},
    progress::SILENT,
};

pub type Term = (usize, i64);

#[derive(Default, Clone)]
pub struct Matrix {
    pub ptr: Vec<i64>,
    pub col: Vec<u32>,
    pub coef: Vec<i64>,
}

impl Matrix {
    fn row(&mut self, terms: &[Term]) {
        if self.ptr.is_empty() {
            self.ptr.push(0);
        }
        for &(wire, coef) in terms {
            self.col.push(wire as u32);
            self.coef.push(coef);
        }
        self.ptr.push(self.col.len() as i64);
    }

    pub fn block(&self, n_wires: usize) -> MatrixBlock<'_> {
        MatrixBlock::new(&self.ptr, &self.col, Scalars::Small(&self.coef), n_wires).unwrap()
    }
}

/// For each of `size` values v_i: with a challenge, `inv_i * (c - v_i) = 1`; always `v_i * v_i = s_i`, and
/// `m_i * v_i = p_i` with private weights. At last `x_1 = sum s_i + sum p_i` and `x_2 * x_2 = q` (bound like `binding`).
#[derive(Clone)]
pub struct Circuit {
    pub layout: Layout,
    pub matrices: [Matrix; 3],
    pub n_constraints: usize,
    pub values: Vec<i64>,
    pub weights: Vec<i64>,
    pub public: Vec<Fr>,
}

impl Circuit {
    pub fn new(size: usize, committed: bool, private: bool) -> Self {
        let n_w1 = if committed { size } else { 0 };
        let n_model = if private { size } else { 0 };
        let inverses = if committed { size } else { 0 };
        let values_w2 = if committed { 0 } else { size };
        let n_w2 = inverses + values_w2 + size + n_model + 1;
        let layout = Layout::new(2, committed, n_model as u32, n_w1 as u32, n_w2 as u32).unwrap();
        let values: Vec<i64> = (0..size).map(|i| (i as i64 * 37) % 256 - 128).collect();
        let weights: Vec<i64> = (0..n_model).map(|i| (i as i64 * 91) % 19 - 9).collect();

        let inverse = layout.w2().start;
        let value = if committed {
            layout.w1().start
        } else {
            inverse + inverses
        };
        let square = inverse + inverses + values_w2;
        let product = square + size;
        let last = product + n_model;
        let mut matrices: [Matrix; 3] = Default::default();
        let mut n_constraints = 0;
        let mut row = |a: &[Term], b: &[Term], c: &[Term]| {
            for (matrix, terms) in matrices.iter_mut().zip([a, b, c]) {
                matrix.row(terms);
            }
            n_constraints += 1;
        };
        for i in 0..size {
            if let Some(c) = layout.challenge() {
                row(&[(inverse + i, 1)], &[(c, 1), (value + i, -1)], &[(0, 1)]);
            }
            row(&[(value + i, 1)], &[(value + i, 1)], &[(square + i, 1)]);
            if private {
                row(
                    &[(layout.model().start + i, 1)],
                    &[(value + i, 1)],
                    &[(product + i, 1)],
                );
            }
        }
        let terms: Vec<Term> = (square..last).map(|wire| (wire, 1)).collect();
        row(&terms, &[(0, 1)], &[(1, 1)]);
        row(&[(2, 1)], &[(2, 1)], &[(last, 1)]);

        let mut sum: i64 = values.iter().map(|v| v * v).sum();
        sum += values.iter().zip(&weights).map(|(v, m)| v * m).sum::<i64>();
        Self {
            layout,
            matrices,
            n_constraints,
            values,
            weights,
            public: vec![
                assay_bn254::scalars::small_to_field(sum),
                Fr::from(0xabcdef_u64).square(),
            ],
        }
    }

    pub fn rows(&self) -> Rows<'_> {
        let [a, b, c] = &self.matrices;
        let n = self.layout.n_wires();
        Rows {
            a: a.block(n),
            b: b.block(n),
            c: c.block(n),
        }
    }

    pub fn setup(&self) -> Keys {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pk");
        let mut builder =
            SetupBuilder::new(self.layout, self.n_constraints, &mut Randomness::system()).unwrap();
        builder.push(&self.rows()).unwrap();
        let vk = builder.finish(&path, SILENT).unwrap();
        let pk = ProvingKey::open(&path, true).unwrap();
        assert_eq!(&vk, pk.vk());
        Keys {
            folder,
            path,
            vk,
            pk,
        }
    }

    /// Everything after the commitment.
    pub fn witness(&self, challenge: Option<Fr>) -> Witness {
        let mut full = Vec::new();
        if let Some(c) = challenge {
            full.extend(self.values.iter().map(|&v| {
                limbs(
                    (c - assay_bn254::scalars::small_to_field(v))
                        .inverse()
                        .unwrap(),
                )
            }));
        }
        let mut small = Vec::new();
        if challenge.is_none() {
            small.extend(&self.values);
        }
        small.extend(self.values.iter().map(|v| v * v));
        small.extend(self.values.iter().zip(&self.weights).map(|(v, m)| v * m));
        Witness {
            full,
            small,
            last: [limbs(self.public[1].square())],
        }
    }

    pub fn w1(&self) -> &[i64] {
        if self.layout.committed {
            &self.values
        } else {
            &[]
        }
    }

    /// A valid proof.
    pub fn prove(&self, keys: &Keys, model: Option<&ModelCommitment>) -> Proof {
        let mut randomness = Randomness::system();
        let w1 = [Scalars::Small(self.w1())];
        let session = keys
            .pk
            .commit(self.public.clone(), &w1, model.cloned(), &mut randomness)
            .unwrap();
        let witness = self.witness(session.challenge());
        self.complete(keys, session, &witness, &mut randomness)
            .unwrap()
    }

    /// Finishes with row evaluations computed by the oracle.
    pub fn complete(
        &self,
        keys: &Keys,
        session: Session,
        witness: &Witness,
        randomness: &mut Randomness,
    ) -> Result<Proof> {
        let inputs: Vec<Limbs> = self
            .public
            .iter()
            .copied()
            .chain(session.challenge())
            .map(limbs)
            .collect();
        let model = [Scalars::Small(&self.weights)];
        let w1 = [Scalars::Small(self.w1())];
        let w2 = witness.segments();
        let mut z = vec![Scalars::Small(&[1]), Scalars::Full(&inputs)];
        z.extend(model.iter().chain(&w1).chain(&w2));
        let z = dense(&z, self.layout.n_wires()).unwrap();
        let (a, b) = evaluate_rows(&[self.rows()], &z);
        let a: Vec<Limbs> = a.into_iter().map(limbs).collect();
        let b: Vec<Limbs> = b.into_iter().map(limbs).collect();
        let assignment = Assignment {
            model: &model,
            w1: &w1,
            w2: &w2,
            a: &[Scalars::Full(&a)],
            b: &[Scalars::Full(&b)],
        };
        keys.pk.finish(session, &assignment, randomness, SILENT)
    }

    pub fn commit_model(&self, keys: &Keys) -> Option<ModelCommitment> {
        let wires = [Scalars::Small(&self.weights)];
        self.layout.private_weights().then(|| {
            keys.pk
                .commit_model(&wires, &mut Randomness::system())
                .unwrap()
        })
    }
}

pub struct Witness {
    pub full: Vec<Limbs>,
    pub small: Vec<i64>,
    pub last: [Limbs; 1],
}

impl Witness {
    pub fn segments(&self) -> [Scalars<'_>; 3] {
        [
            Scalars::Full(&self.full),
            Scalars::Small(&self.small),
            Scalars::Full(&self.last),
        ]
    }
}

pub struct Keys {
    pub folder: tempfile::TempDir,
    pub path: PathBuf,
    pub vk: VerifyingKey,
    pub pk: ProvingKey,
}

/// Every mode: (committed, private weights).
pub const MODES: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];
