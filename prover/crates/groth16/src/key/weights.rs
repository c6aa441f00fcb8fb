//! Weights of a key check's random combinations.

use ark_bn254::Fr;
use rayon::prelude::*;

use super::format::Header;
use crate::field::Limbs;

/// Bytes of a weight: an error slips through one combination with probability 2^-128, and an author of keys who looks for
/// one that does needs 2^128 attempts, more than BN254 itself costs.
pub(super) const WEIGHT: usize = 16;

/// Weights of the check, from a hash of all that they are applied to.
pub(crate) struct Weights(blake3::OutputReader);

impl Weights {
    /// Of a key whose header is complete but for the hint.
    pub(crate) fn of(header: &Header) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("assay/proving-key/check/v1");
        hasher.update(&header.without_hint());
        Self(hasher.finalize_xof())
    }

    /// One weight for each wire, and as many for other uses as asked for.
    pub(super) fn take(&self, first: usize, count: usize) -> Vec<Limbs> {
        const CHUNK: usize = 1 << 12;
        let mut out = vec![[0; 4]; count];
        out.par_chunks_mut(CHUNK).enumerate().for_each(|(i, out)| {
            let mut reader = self.0.clone();
            reader.set_position(((first + i * CHUNK) * WEIGHT) as u64);
            let mut bytes = [0; WEIGHT];
            for limbs in out {
                reader.fill(&mut bytes);
                let value = u128::from_le_bytes(bytes);
                #[allow(clippy::cast_possible_truncation)] // cut in two on purpose
                {
                    *limbs = [value as u64, (value >> 64) as u64, 0, 0];
                }
            }
        });
        out
    }

    /// The weight of each wire.
    pub(crate) fn wires(&self, wires: usize) -> Vec<Fr> {
        self.take(0, wires).into_par_iter().map(element).collect()
    }
}

pub(super) fn element(limbs: Limbs) -> Fr {
    crate::field::element(limbs).expect("below 2^128")
}
