//! The bench circuit, the same in every engine: `m_i = (m_{i-1} - k_{i-1})^2` with constants chosen so that constraint i squares
//! `x_i`. One public input, n constraints, wires as wide as the squares of the `x_i`: full-width or 8 bits.

use ark_bn254::Fr;
use ark_ff::{BigInt, Field, PrimeField, UniformRand};
use ark_std::rand::{Rng, rngs::StdRng};
use assay_bn254::Scalars;
use assay_groth16::{
    key::ProvingKey,
    layout::Layout,
    matrix::{MatrixBlock, Rows},
    progress::SILENT,
    prove::Assignment,
    random::Randomness,
    setup::SetupBuilder,
    verifying_key::VerifyingKey,
};
use std::path::Path;

/// Rows given to setup at a time.
const BLOCK: usize = 1 << 16;

/// Full-width or small values, as the prover takes them.
pub enum Values {
    /// 8-bit squares.
    Small(Vec<i64>),
    /// Elements of the field.
    Full(Vec<[u64; 4]>),
}

impl Values {
    fn of(values: &[Fr], small: bool) -> Self {
        if small {
            Self::Small(
                values
                    .iter()
                    .map(|v| i64::try_from(v.into_bigint().0[0]).expect("8 bits"))
                    .collect(),
            )
        } else {
            Self::Full(values.iter().map(|v| v.into_bigint().0).collect())
        }
    }

    /// The values as one segment.
    pub fn segment(&self) -> Scalars<'_> {
        match self {
            Self::Small(v) => Scalars::Small(v),
            Self::Full(v) => Scalars::Full(v),
        }
    }
}

/// A circuit of n constraints with a witness.
pub struct Squares {
    /// The public input, `x_n`.
    pub public: Fr,
    /// `x_0, m_0, .., m_{n-2}`.
    pub wires: Values,
    /// Left factors of the rows: `x_0 .. x_{n-1}`, of which the last row multiplies by one.
    pub a: Values,
    /// Right factors.
    pub b: Values,
    constants: Vec<Fr>,
    n: usize,
}

impl Squares {
    /// A circuit of `n` constraints.
    pub fn new(kind: &str, n: usize, rng: &mut StdRng) -> Self {
        let small = kind != "random";
        let x: Vec<Fr> = (0..n)
            .map(|_| {
                if small {
                    Fr::from(rng.gen_range(0..16u64))
                } else {
                    Fr::rand(rng)
                }
            })
            .collect();
        let squares: Vec<Fr> = x.iter().map(Field::square).collect();
        let mut wires = vec![x[0]];
        wires.extend(&squares[..n - 1]);
        let mut b = x.clone();
        b[n - 1] = Fr::ONE;
        Self {
            public: x[n - 1],
            wires: Values::of(&wires, small),
            a: Values::of(&x, small),
            b: Values::of(&b, small),
            constants: squares[..n - 1]
                .iter()
                .zip(&x[1..])
                .map(|(m, next)| *m - next)
                .collect(),
            n,
        }
    }

    /// Wires: `1, public | x_0, m_0 .. m_{n-2}`.
    pub fn layout(&self) -> Layout {
        Layout::new(1, false, 0, 0, u32::try_from(self.n).expect("fits")).expect("valid")
    }

    /// Runs setup, streaming the rows.
    pub fn setup(&self, path: &Path, randomness: &mut Randomness) -> VerifyingKey {
        let layout = self.layout();
        let n_wires = layout.n_wires();
        let mut builder = SetupBuilder::new(layout, self.n, randomness).expect("setup");
        for start in (0..self.n).step_by(BLOCK) {
            let rows = start..(start + BLOCK).min(self.n);
            // Row i: (m_{i-1} - k_{i-1})^2 = m_i; row 0 squares x_0; the last row is (m_{n-2} - k_{n-2}) * 1 = public.
            let (mut ptr, mut col, mut coef) = (vec![0i64], vec![], vec![]);
            let (mut b_ptr, mut b_col, mut b_coef) = (vec![0i64], vec![], vec![]);
            let (mut c_ptr, mut c_col, mut c_coef) = (vec![0i64], vec![], vec![]);
            let one = Fr::ONE.into_bigint().0;
            for i in rows {
                let wire = u32::try_from(2 + i).expect("fits"); // x_0 for i = 0, else m_{i-1}
                let mut expression: Vec<(u32, [u64; 4])> = vec![(wire, one)];
                if i > 0 {
                    let BigInt(limbs) = (-self.constants[i - 1]).into_bigint();
                    expression.push((0, limbs));
                }
                let last = i == self.n - 1;
                for (wire, value) in &expression {
                    col.push(*wire);
                    coef.push(*value);
                    if !last {
                        b_col.push(*wire);
                        b_coef.push(*value);
                    }
                }
                if last {
                    b_col.push(0);
                    b_coef.push(one);
                }
                c_col.push(if last { 1 } else { wire + 1 });
                c_coef.push(1i64);
                ptr.push(i64::try_from(col.len()).expect("fits"));
                b_ptr.push(i64::try_from(b_col.len()).expect("fits"));
                c_ptr.push(i64::try_from(c_col.len()).expect("fits"));
            }
            let block = Rows {
                a: MatrixBlock::new(&ptr, &col, Scalars::Full(&coef), n_wires).expect("valid"),
                b: MatrixBlock::new(&b_ptr, &b_col, Scalars::Full(&b_coef), n_wires)
                    .expect("valid"),
                c: MatrixBlock::new(&c_ptr, &c_col, Scalars::Small(&c_coef), n_wires)
                    .expect("valid"),
            };
            builder.push(&block).expect("rows fit");
        }
        builder.finish(path, SILENT).expect("setup")
    }

    /// Proves.
    pub fn prove(
        &self,
        key: &ProvingKey,
        randomness: &mut Randomness,
    ) -> assay_groth16::proof::Proof {
        let session = key
            .commit(vec![self.public], &[], None, randomness)
            .expect("commit");
        let (wires, a, b) = (
            [self.wires.segment()],
            [self.a.segment()],
            [self.b.segment()],
        );
        let assignment = Assignment {
            model: &[],
            w1: &[],
            w2: &wires,
            a: &a,
            b: &b,
        };
        key.finish(session, &assignment, randomness, SILENT)
            .expect("prove")
    }
}
