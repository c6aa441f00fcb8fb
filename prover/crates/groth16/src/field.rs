//! Element-wise field arithmetic over canonical limbs, for witness generation in bulk.

use ark_bn254::Fr;
use ark_ff::{BigInt, PrimeField, Zero, batch_inversion};
use assay_bn254::scalars::small_to_field;
use rayon::prelude::*;

use crate::error::{Result, bail};

/// A canonical scalar: little-endian limbs, below r.
pub type Limbs = [u64; 4];

const CHUNK: usize = 1 << 12;

/// The element of canonical limbs; `None` for r or more.
#[must_use]
pub fn element(limbs: Limbs) -> Option<Fr> {
    Fr::from_bigint(BigInt(limbs))
}

/// Canonical limbs.
#[must_use]
pub fn limbs(value: Fr) -> Limbs {
    value.into_bigint().0
}

fn map_chunks<T: Sync>(
    values: &[T],
    apply: impl Fn(&[T], &mut Vec<Fr>) -> Result<()> + Sync,
) -> Result<Vec<Limbs>> {
    let mut out = vec![[0u64; 4]; values.len()];
    out.par_chunks_mut(CHUNK)
        .zip(values.par_chunks(CHUNK))
        .try_for_each(|(out, chunk)| {
            let mut work = Vec::with_capacity(chunk.len());
            apply(chunk, &mut work)?;
            for (slot, value) in out.iter_mut().zip(work) {
                *slot = limbs(value);
            }
            Ok(())
        })?;
    Ok(out)
}

fn checked(value: Limbs) -> Result<Fr> {
    match element(value) {
        Some(value) => Ok(value),
        None => bail!(InvalidWitness, "a field element is not below r"),
    }
}

/// `1 / (c - v)` for each `v`: the terms of a logarithmic-derivative lookup. One inversion per 4,096 values.
///
/// # Errors
/// `InvalidWitness` if `c` equals a value (a uniform challenge does so with probability below 2^-190).
pub fn inverse_differences(c: Fr, values: &[i64]) -> Result<Vec<Limbs>> {
    map_chunks(values, |chunk, out| {
        out.extend(chunk.iter().map(|&v| c - small_to_field(v)));
        if out.iter().any(Zero::is_zero) {
            bail!(InvalidWitness, "the challenge equals a looked-up value");
        }
        batch_inversion(out);
        Ok(())
    })
}

/// `1 / v` for each `v`.
///
/// # Errors
/// `InvalidWitness` for zero, or limbs of r or more.
pub fn inverse(values: &[Limbs]) -> Result<Vec<Limbs>> {
    map_chunks(values, |chunk, out| {
        for &value in chunk {
            let value = checked(value)?;
            if value.is_zero() {
                bail!(InvalidWitness, "zero has no inverse");
            }
            out.push(value);
        }
        batch_inversion(out);
        Ok(())
    })
}

/// `c - v` for each `v`.
pub fn sub_from(c: Fr, values: &[i64]) -> Vec<Limbs> {
    map_chunks(values, |chunk, out| {
        out.extend(chunk.iter().map(|&v| c - small_to_field(v)));
        Ok(())
    })
    .expect("subtraction is total")
}

/// Integers as field elements.
pub fn from_small(values: &[i64]) -> Vec<Limbs> {
    sub_from(Fr::zero(), values)
        .into_par_iter()
        .map(|v| limbs(-element(v).expect("canonical")))
        .collect()
}

fn zip_with<T: Copy + Sync>(
    left: &[Limbs],
    right: &[T],
    combine: impl Fn(Fr, T) -> Result<Fr> + Sync,
) -> Result<Vec<Limbs>> {
    if left.len() != right.len() {
        bail!(
            InvalidInput,
            "{} values against {}",
            left.len(),
            right.len()
        );
    }
    left.par_iter()
        .zip(right)
        .map(|(&l, &r)| Ok(limbs(combine(checked(l)?, r)?)))
        .collect()
}

/// `f_i * v_i`.
///
/// # Errors
/// `InvalidInput` for different lengths, `InvalidWitness` for limbs of r or more.
pub fn mul_small(field: &[Limbs], values: &[i64]) -> Result<Vec<Limbs>> {
    zip_with(field, values, |f, v| Ok(f * small_to_field(v)))
}

/// `f_i * g_i`.
///
/// # Errors
/// As [`mul_small`].
pub fn mul(left: &[Limbs], right: &[Limbs]) -> Result<Vec<Limbs>> {
    zip_with(left, right, |f, g| Ok(f * checked(g)?))
}

/// `f_i + g_i`.
///
/// # Errors
/// As [`mul_small`].
pub fn add(left: &[Limbs], right: &[Limbs]) -> Result<Vec<Limbs>> {
    zip_with(left, right, |f, g| Ok(f + checked(g)?))
}

/// `f_i - g_i`.
///
/// # Errors
/// As [`mul_small`].
pub fn sub(left: &[Limbs], right: &[Limbs]) -> Result<Vec<Limbs>> {
    zip_with(left, right, |f, g| Ok(f - checked(g)?))
}

/// `c * f_i`.
///
/// # Errors
/// `InvalidWitness` for limbs of r or more.
pub fn scale(c: Fr, values: &[Limbs]) -> Result<Vec<Limbs>> {
    values
        .par_iter()
        .map(|&v| Ok(limbs(c * checked(v)?)))
        .collect()
}

/// The sum of all values.
///
/// # Errors
/// `InvalidWitness` for limbs of r or more.
pub fn sum(values: &[Limbs]) -> Result<Fr> {
    values
        .par_iter()
        .map(|&v| checked(v))
        .try_reduce(Fr::zero, |a, b| Ok(a + b))
}
