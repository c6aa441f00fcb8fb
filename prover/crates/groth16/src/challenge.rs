//! The challenge: a hash of everything fixed before it.

use ark_bn254::{Fr, G1Affine};
use sha3::{Digest, Keccak256};

use crate::encoding::{fr_reduce, fr_word, g1_bytes};

/// What `tag` is the hash of.
pub const DOMAIN: &[u8] = b"assay/groth16/challenge/v1";

/// Keccak-256.
#[must_use]
pub fn keccak256(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// `keccak256(tag || vkHash || x || M || D) mod r`; `model` is absent without private weights.
#[must_use]
pub fn challenge(
    vk_hash: &[u8; 32],
    public: &[Fr],
    model: Option<&G1Affine>,
    commitment: &G1Affine,
) -> Fr {
    let mut hasher = Keccak256::new();
    hasher.update(keccak256(DOMAIN));
    hasher.update(vk_hash);
    for word in public {
        hasher.update(fr_word(*word));
    }
    if let Some(model) = model {
        hasher.update(g1_bytes(model));
    }
    hasher.update(g1_bytes(commitment));
    fr_reduce(&hasher.finalize().into())
}
