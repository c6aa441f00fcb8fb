//! Sparse rows, and their evaluation at a witness.

use ark_bn254::Fr;
use ark_ff::Zero;
use assay_bn254::{Scalars, scalars::small_to_field};
use rayon::prelude::*;

use crate::{
    error::{Result, bail},
    field::element,
};

/// Consecutive rows of one matrix, compressed by rows.
#[derive(Clone, Copy, Debug)]
pub struct MatrixBlock<'a> {
    /// Row j's entries are `ptr[j]..ptr[j + 1]`; starts with 0, ends with the number of entries.
    pub ptr: &'a [i64],
    /// Wire of each entry. A wire may occur twice in a row: coefficients add up.
    pub col: &'a [u32],
    /// Coefficient of each entry.
    pub coef: Scalars<'a>,
}

impl<'a> MatrixBlock<'a> {
    /// Checks the structure against a number of wires.
    ///
    /// # Errors
    /// `InvalidInput` for lengths that disagree, pointers that go backwards, wires or coefficients out of range.
    pub fn new(ptr: &'a [i64], col: &'a [u32], coef: Scalars<'a>, n_wires: usize) -> Result<Self> {
        let (Some(&first), Some(&last)) = (ptr.first(), ptr.last()) else {
            bail!(
                InvalidInput,
                "a matrix block needs rows + 1 pointers, not none"
            );
        };
        if first != 0 || usize::try_from(last) != Ok(col.len()) || coef.len() != col.len() {
            bail!(
                InvalidInput,
                "a matrix block's pointers run from {first} to {last}, with {} columns and {} coefficients",
                col.len(),
                coef.len()
            );
        }
        if !ptr.is_sorted() {
            bail!(InvalidInput, "a matrix block's pointers go backwards");
        }
        if let Some(&wire) = col.par_iter().find_any(|&&c| c as usize >= n_wires) {
            bail!(
                InvalidInput,
                "a matrix block names wire {wire} of {n_wires}"
            );
        }
        if let Scalars::Full(values) = coef
            && values.par_iter().any(|&v| element(v).is_none())
        {
            bail!(
                InvalidInput,
                "a matrix block has a coefficient that is not below r"
            );
        }
        Ok(Self { ptr, col, coef })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.ptr.len() - 1
    }

    /// Positions of a row's entries.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked in `new`
    pub(crate) fn row(&self, row: usize) -> std::ops::Range<usize> {
        self.ptr[row] as usize..self.ptr[row + 1] as usize
    }

    /// `value` times the coefficient of one entry.
    pub(crate) fn times(&self, entry: usize, value: Fr) -> Fr {
        match self.coef {
            Scalars::Small(coef) => match coef[entry] {
                1 => value,
                -1 => -value,
                c => value * small_to_field(c),
            },
            Scalars::Full(_) => value * self.coef.get(entry),
        }
    }

    /// Dot product of a row with the witness.
    #[must_use]
    pub fn evaluate(&self, row: usize, z: &[Fr]) -> Fr {
        self.row(row)
            .map(|entry| self.times(entry, z[self.col[entry] as usize]))
            .sum()
    }

    /// Adds `weights[row] * coefficient` to `sums[wire - first_wire]` for each entry whose wire lies in the range that
    /// `sums` covers.
    pub(crate) fn accumulate(&self, weights: &[Fr], first_wire: usize, sums: &mut [Fr]) {
        for (row, weight) in weights.iter().enumerate() {
            for entry in self.row(row) {
                let wire = self.col[entry] as usize;
                if let Some(sum) = wire.checked_sub(first_wire).and_then(|i| sums.get_mut(i)) {
                    *sum += self.times(entry, *weight);
                }
            }
        }
    }
}

/// The same rows of `A`, `B` and `C`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Left factors.
    pub a: MatrixBlock<'a>,
    /// Right factors.
    pub b: MatrixBlock<'a>,
    /// Products.
    pub c: MatrixBlock<'a>,
}

impl Rows<'_> {
    /// Number of rows.
    ///
    /// # Errors
    /// `InvalidInput` if the three blocks differ.
    pub fn count(&self) -> Result<usize> {
        let [a, b, c] = [self.a.rows(), self.b.rows(), self.c.rows()];
        if a != b || b != c {
            bail!(InvalidInput, "blocks of {a}, {b} and {c} rows");
        }
        Ok(a)
    }
}

/// Segments as one vector of field elements.
///
/// # Errors
/// `InvalidWitness` if there are not `n_wires` of them or a full scalar is not below r.
pub fn dense(segments: &[Scalars<'_>], n_wires: usize) -> Result<Vec<Fr>> {
    check_segments(segments, n_wires, "witness")?;
    let mut out = Vec::with_capacity(n_wires);
    for segment in segments {
        out.par_extend((0..segment.len()).into_par_iter().map(|i| segment.get(i)));
    }
    Ok(out)
}

/// Checks a scalar vector's length and range.
pub(crate) fn check_segments(segments: &[Scalars<'_>], expected: usize, name: &str) -> Result<()> {
    let total: usize = segments.iter().map(Scalars::len).sum();
    if total != expected {
        bail!(
            InvalidWitness,
            "{name}: {total} values where the circuit has {expected}"
        );
    }
    for segment in segments {
        if let Scalars::Full(values) = segment
            && let Some(i) = values.par_iter().position_any(|&v| element(v).is_none())
        {
            bail!(
                InvalidWitness,
                "{name}: a value (index {i} of its segment) is not below r"
            );
        }
    }
    Ok(())
}

/// First row of the blocks, in order, that the witness does not satisfy.
///
/// # Errors
/// `InvalidInput` for blocks that disagree.
pub fn first_unsatisfied(blocks: &[Rows<'_>], z: &[Fr]) -> Result<Option<usize>> {
    let mut offset = 0;
    for rows in blocks {
        let n = rows.count()?;
        let failing = (0..n).into_par_iter().find_first(|&j| {
            rows.a.evaluate(j, z) * rows.b.evaluate(j, z) != rows.c.evaluate(j, z)
        });
        if let Some(j) = failing {
            return Ok(Some(offset + j));
        }
        offset += n;
    }
    Ok(None)
}

/// Evaluations of `A`'s and `B`'s rows at the witness.
#[must_use]
pub fn evaluate_rows(blocks: &[Rows<'_>], z: &[Fr]) -> (Vec<Fr>, Vec<Fr>) {
    let side = |pick: for<'a> fn(&Rows<'a>) -> MatrixBlock<'a>| -> Vec<Fr> {
        let mut out = Vec::new();
        for rows in blocks {
            let matrix = pick(rows);
            out.par_extend(
                (0..matrix.rows())
                    .into_par_iter()
                    .map(|j| matrix.evaluate(j, z)),
            );
        }
        out
    };
    (side(|rows| rows.a), side(|rows| rows.b))
}

/// Adds each row's weight into per-wire sums, all cores: every task scans the entries and keeps a range of wires, so that
/// no two tasks write the same sum.
pub(crate) fn accumulate_rows(rows: &Rows<'_>, weights: &[Fr], sums: [&mut [Fr]; 3]) {
    let parts = rayon::current_num_threads();
    let tasks: Vec<_> = [&rows.a, &rows.b, &rows.c]
        .into_iter()
        .zip(sums)
        .flat_map(|(matrix, sums)| {
            let size = sums.len().div_ceil(parts).max(1);
            sums.chunks_mut(size)
                .enumerate()
                .map(move |(i, part)| (matrix, i * size, part))
        })
        .collect();
    tasks
        .into_par_iter()
        .for_each(|(matrix, first, part)| matrix.accumulate(weights, first, part));
}

/// A vector of zeros.
pub(crate) fn zeros(n: usize) -> Vec<Fr> {
    vec![Fr::zero(); n]
}
