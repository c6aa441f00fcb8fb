//! The transform of a quotient on eight lanes: evaluations on the subgroup to evaluations on its odd coset.
//!
//! The values form a matrix of `rows * columns`, row-major. The inverse transform takes values in order to coefficients in
//! bit-reversed order: its first levels pair rows (one pass over tiles of eight columns), its last levels stay within
//! a row. The transform back takes bit-reversed coefficients to values in order, first within rows, then between them.
//! So the whole is three passes over memory and no bit reversal: columns, rows (both transforms while the tile is in
//! L2), columns. Lanes are eight neighbouring columns or eight neighbouring rows.
//!
//! For 3m values, those with index t modulo 3 are the values on a coset of what P is modulo X^m - z^t (z a cube root
//! of one): three transforms of m, joined coefficient by coefficient in the middle pass.
//!
//! Butterflies add less than 2r a level to the size of values and nothing is reduced inside a pass: from below 2r, 2^14 columns
//! or 2^13 rows stay below 30r. Twiddles are stored times 2^260, so that products keep the words' exponent.

mod levels;
mod tables;

use std::marker::PhantomData;

use ark_bn254::Fr;
use ark_ff::Zero;
use rayon::prelude::*;

use crate::field::ifma::{FrModulus, Lanes, load_words, store_words};
use levels::{gather, merge_columns, merge_rows, split_columns, split_rows};
pub(crate) use tables::Tables;
use tables::Thirds;

type F = Lanes<FrModulus>;

const _: () = assert!(size_of::<Fr>() == 32, "a value is four words");

/// A matrix that threads read and write in disjoint tiles: every `step`-th value from `offset` on.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    start: *mut u64,
    len: usize,
    step: usize,
    offset: usize,
    columns: usize,
    values: PhantomData<&'a mut [Fr]>,
}

// SAFETY: it stands for an exclusive borrow; threads touch disjoint tiles.
unsafe impl Sync for Matrix<'_> {}

// SAFETY: as above.
unsafe impl Send for Matrix<'_> {}

impl<'a> Matrix<'a> {
    fn new(values: &'a mut [Fr], step: usize, columns: usize) -> Self {
        Self {
            start: values.as_mut_ptr().cast(),
            len: values.len(),
            step,
            offset: 0,
            columns,
            values: PhantomData,
        }
    }

    fn with_offset(self, offset: usize) -> Self {
        Self { offset, ..self }
    }

    /// Pointers to eight values, `stride` apart in the matrix, the first at `index`.
    #[inline]
    fn lanes(&self, index: usize, stride: usize) -> [*mut u64; 8] {
        let at = |k: usize| (index + k * stride) * self.step + self.offset;
        assert!(at(7) < self.len, "a tile within the matrix");
        std::array::from_fn(|lane| self.start.wrapping_add(4 * at(lane)))
    }

    /// Eight columns from `first` on: vector r holds row r.
    ///
    /// # Safety
    /// The processor has the instructions; no other thread writes these columns.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    unsafe fn load_columns(&self, first: usize, tile: &mut [F]) {
        for (row, value) in tile.iter_mut().enumerate() {
            let at = self.lanes(row * self.columns + first, 1);
            // SAFETY: `lanes` checked the range.
            *value = F::from_words(unsafe { load_words(at.map(|p| p.cast_const()), 0) });
        }
    }

    /// The inverse of [`Self::load_columns`], reduced below 2r, or below r if `last`.
    ///
    /// # Safety
    /// As [`Self::load_columns`], and no other thread reads these columns.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    unsafe fn store_columns(&self, first: usize, tile: &[F], last: bool) {
        for (row, value) in tile.iter().enumerate() {
            let at = self.lanes(row * self.columns + first, 1);
            let mut value = value.reduced_any();
            if last {
                value = value.canonical();
            }
            // SAFETY: `lanes` checked the range.
            unsafe { store_words(at, 0, value.to_words()) };
        }
    }

    /// Eight rows from `first` on: vector c holds column c.
    ///
    /// # Safety
    /// As [`Self::load_columns`], of rows.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    unsafe fn load_rows(&self, first: usize, tile: &mut [F]) {
        for (column, value) in tile.iter_mut().enumerate() {
            let at = self.lanes(first * self.columns + column, self.columns);
            // SAFETY: `lanes` checked the range.
            *value = F::from_words(unsafe { load_words(at.map(|p| p.cast_const()), 0) });
        }
    }

    /// The inverse of [`Self::load_rows`], reduced below 2r.
    ///
    /// # Safety
    /// As [`Self::store_columns`], of rows.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    unsafe fn store_rows(&self, first: usize, tile: &[F]) {
        for (column, value) in tile.iter().enumerate() {
            let at = self.lanes(first * self.columns + column, self.columns);
            // SAFETY: `lanes` checked the range.
            unsafe { store_words(at, 0, value.reduced_any().to_words()) };
        }
    }
}

fn blank() -> F {
    // SAFETY: all bits zero are eight values of zero.
    unsafe { std::mem::zeroed() }
}

/// Replaces evaluations on the subgroup by evaluations on its odd coset of the same polynomial.
///
/// # Safety
/// The processor has AVX-512 F, DQ, VL and IFMA.
pub(crate) unsafe fn to_odd_coset(values: &mut [Fr], tables: &Tables) {
    let (parts, len) = (tables.forward.len(), values.len());
    assert_eq!(len, parts << tables.log_size);
    let mut scratch = Vec::new();
    let columns = tables.columns();
    let outside = Matrix::new(values, parts, columns);
    // A single transform works in place.
    let inside: Vec<Matrix<'_>> = if parts == 1 {
        vec![outside]
    } else {
        scratch.resize(len, Fr::zero());
        scratch
            .chunks_exact_mut(len / parts)
            .map(|part| Matrix::new(part, 1, columns))
            .collect()
    };
    let tile = |length: usize| move || vec![blank(); length];
    (0..columns / 8)
        .into_par_iter()
        .for_each_init(tile(tables.rows()), |tile, k| {
            for (part, inside) in inside.iter().enumerate() {
                // SAFETY: the processor can, by the caller's promise; no other task has these columns.
                unsafe {
                    inverse_columns(&outside.with_offset(part), inside, tables, 8 * k, tile);
                }
            }
        });
    (0..tables.rows() / 8)
        .into_par_iter()
        .for_each_init(tile(parts * columns), |tile, k| {
            // SAFETY: as above, rows.
            unsafe { both_rows(&inside, tables, 8 * k, tile) };
        });
    (0..columns / 8)
        .into_par_iter()
        .for_each_init(tile(tables.rows()), |tile, k| {
            for (part, inside) in inside.iter().enumerate() {
                let offset = (part + 1) % parts;
                // SAFETY: as above, columns.
                unsafe {
                    inside.load_columns(8 * k, tile);
                    merge_rows(tile, columns, 8 * k, &tables.forward[part].all);
                    outside.with_offset(offset).store_columns(8 * k, tile, true);
                }
            }
        });
}

/// Levels of the inverse transform that pair rows, on columns `first..first + 8`.
///
/// # Safety
/// As [`to_odd_coset`]; the columns belong to the caller.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
unsafe fn inverse_columns(
    from: &Matrix<'_>,
    to: &Matrix<'_>,
    tables: &Tables,
    first: usize,
    tile: &mut [F],
) {
    // SAFETY: by the caller's promise.
    unsafe { from.load_columns(first, tile) };
    split_rows(tile, 0, &tables.inverse_rows);
    // SAFETY: by the caller's promise.
    unsafe { to.store_columns(first, tile, false) };
}

/// The rest of the inverse transform and the levels of the transform back that stay within rows `first..first + 8`.
///
/// # Safety
/// As [`to_odd_coset`]; the rows belong to the caller.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
unsafe fn both_rows(inside: &[Matrix<'_>], tables: &Tables, first: usize, tiles: &mut [F]) {
    let columns = tables.columns();
    for (matrix, tile) in inside.iter().zip(tiles.chunks_exact_mut(columns)) {
        // SAFETY: by the caller's promise.
        unsafe { matrix.load_rows(first, tile) };
        split_columns(tile, first, 1, &tables.inverse);
        for value in tile.iter_mut() {
            *value = value.halved(tables.log_size);
        }
    }
    if let Some(thirds) = &tables.thirds {
        join_thirds(tiles, thirds, first);
    }
    let parts = inside.iter().zip(tiles.chunks_exact_mut(columns));
    for ((matrix, tile), forward) in parts.zip(&tables.forward) {
        merge_columns(tile, &forward.columns);
        // SAFETY: by the caller's promise.
        unsafe { matrix.store_rows(first, tile) };
    }
}

/// From P modulo X^m - z^t to P modulo X^m + z^t, t = 0, 1, 2, coefficient by coefficient: with P = A0 + A1 X^m + A2 X^2m
/// these differ by 2 z^t A1, and A1 = (P0 + z^2 P1 + z P2) / 3. Coefficients come scaled by w^(t i).
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
fn join_thirds(tiles: &mut [F], thirds: &Thirds, first: usize) {
    let [scale, z, z2] = thirds.constants.map(|x| F::splat(x));
    let rows = [0, 1].map(|t| gather(&thirds.rows[t], first, 1));
    let (tile0, rest) = tiles.split_at_mut(tiles.len() / 3);
    let (tile1, tile2) = rest.split_at_mut(tile0.len());
    for (c, ((p0, p1), p2)) in tile0.iter_mut().zip(tile1).zip(tile2).enumerate() {
        *p1 = p1.times(rows[0]).times(F::splat(thirds.columns[0][c]));
        *p2 = p2.times(rows[1]).times(F::splat(thirds.columns[1][c]));
        let sum = p0.plus(z2.times_raw(*p1)).plus(z.times_raw(*p2)).carried();
        let shift = sum.times(scale);
        *p0 = p0.plus(shift).carried();
        *p1 = p1.plus(shift.times_raw(z)).carried();
        *p2 = p2.plus(shift.times_raw(z2)).carried();
    }
}
