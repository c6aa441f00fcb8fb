//! Scalar vectors as lists of segments, so that small integers stay small up to the multiplication.

use ark_bn254::Fr;
use ark_ff::{BigInt, PrimeField};

/// One segment of a scalar vector.
#[derive(Clone, Copy, Debug)]
pub enum Scalars<'a> {
    /// Signed integers, each standing for itself modulo r.
    Small(&'a [i64]),
    /// Canonical little-endian limbs, each value below r.
    Full(&'a [[u64; 4]]),
}

impl Scalars<'_> {
    /// Number of scalars in the segment.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Small(v) => v.len(),
            Self::Full(v) => v.len(),
        }
    }

    /// Whether the segment holds no scalar.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The field element at `index`; panics when out of range or when a full scalar is not below r.
    #[must_use]
    pub fn get(&self, index: usize) -> Fr {
        match self {
            Self::Small(v) => small_to_field(v[index]),
            Self::Full(v) => Fr::from_bigint(BigInt(v[index])).expect("canonical scalar"),
        }
    }
}

/// The field element a signed integer stands for.
#[must_use]
pub fn small_to_field(value: i64) -> Fr {
    let magnitude = Fr::from(value.unsigned_abs());
    if value < 0 { -magnitude } else { magnitude }
}
