//! The EVM's BN254 precompiles 6, 7 and 8 (EIP-196, EIP-197), byte for byte.

use ark_bn254::{Bn254, G1Affine};
use ark_ec::{CurveGroup, pairing::Pairing};
use ark_ff::{BigInt, Zero};

use crate::{
    encoding::{G1_BYTES, G2_BYTES, WORD, g1_bytes, g1_from_bytes, g2_from_bytes},
    error::{Result, bail},
};

const PAIR: usize = G1_BYTES + G2_BYTES;

/// Input as the EVM sees it: cut to N bytes, missing bytes are zero.
fn padded<const N: usize>(data: &[u8]) -> [u8; N] {
    let mut out = [0u8; N];
    let n = data.len().min(N);
    out[..n].copy_from_slice(&data[..n]);
    out
}

fn point(bytes: &[u8]) -> Result<G1Affine> {
    match g1_from_bytes(bytes.try_into().expect("64 bytes")) {
        Ok(point) => Ok(point),
        Err(why) => bail!(InvalidInput, "{why}"),
    }
}

/// Precompile 6: the sum of two G1 points.
///
/// # Errors
/// `InvalidInput` where the precompile fails.
pub fn ecadd(data: &[u8]) -> Result<[u8; G1_BYTES]> {
    let data: [u8; 2 * G1_BYTES] = padded(data);
    let sum = point(&data[..G1_BYTES])? + point(&data[G1_BYTES..])?;
    Ok(g1_bytes(&sum.into_affine()))
}

/// Precompile 7: a G1 point times any 256-bit integer.
///
/// # Errors
/// `InvalidInput` where the precompile fails.
pub fn ecmul(data: &[u8]) -> Result<[u8; G1_BYTES]> {
    let data: [u8; G1_BYTES + WORD] = padded(data);
    let base = point(&data[..G1_BYTES])?;
    let mut limbs = [0u64; 4];
    for (limb, chunk) in limbs.iter_mut().rev().zip(data[G1_BYTES..].chunks_exact(8)) {
        *limb = u64::from_be_bytes(chunk.try_into().expect("eight bytes"));
    }
    use ark_ec::AffineRepr;
    Ok(g1_bytes(&base.mul_bigint(BigInt::<4>(limbs)).into_affine()))
}

/// Precompile 8: the word 1 if the product of the pairings is one, the word 0 otherwise.
///
/// # Errors
/// `InvalidInput` where the precompile fails.
pub fn ecpairing(data: &[u8]) -> Result<[u8; WORD]> {
    if !data.len().is_multiple_of(PAIR) {
        bail!(
            InvalidInput,
            "pairing input of {} bytes; a multiple of {PAIR} is needed",
            data.len()
        );
    }
    let mut g1 = Vec::with_capacity(data.len() / PAIR);
    let mut g2 = Vec::with_capacity(data.len() / PAIR);
    for pair in data.chunks_exact(PAIR) {
        let (left, right) = pair.split_at(G1_BYTES);
        g1.push(point(left)?);
        match g2_from_bytes(right.try_into().expect("128 bytes")) {
            Ok(point) => g2.push(point),
            Err(why) => bail!(InvalidInput, "{why}"),
        }
    }
    let mut out = [0u8; WORD];
    out[WORD - 1] = u8::from(Bn254::multi_pairing(g1, g2).is_zero());
    Ok(out)
}
