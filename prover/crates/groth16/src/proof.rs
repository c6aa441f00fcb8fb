//! The proof: bytes and range checks.

use ark_bn254::{G1Affine, G2Affine};

use crate::{
    encoding::{G1_BYTES, G2_BYTES, Malformed, Reader, g1_bytes, g1_from_bytes, g2_bytes},
    error::{Error, Result, bail},
};

/// `A, B, C` and, in committed mode, `D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// `[A]_1`.
    pub a: G1Affine,
    /// `[B]_2`.
    pub b: G2Affine,
    /// `[C]_1`.
    pub c: G1Affine,
    /// The commitment to `w1`.
    pub d: Option<G1Affine>,
}

impl Proof {
    /// 256 bytes, or 320 with a commitment.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(3 * G1_BYTES + G2_BYTES);
        out.extend(g1_bytes(&self.a));
        out.extend(g2_bytes(&self.b));
        out.extend(g1_bytes(&self.c));
        if let Some(d) = &self.d {
            out.extend(g1_bytes(d));
        }
        out
    }

    /// Reads a proof of the mode that the verifying key says.
    ///
    /// # Errors
    /// `InvalidProof` for any other length, coordinates of p or more, points off their group.
    pub fn from_bytes(bytes: &[u8], committed: bool) -> Result<Self> {
        let expected = 2 * G1_BYTES + G2_BYTES + if committed { G1_BYTES } else { 0 };
        if bytes.len() != expected {
            bail!(
                InvalidProof,
                "{} bytes where this key's proofs have {expected}",
                bytes.len()
            );
        }
        let named = |name: &'static str| {
            move |why: Malformed| Error::InvalidProof(format!("{name}: {why}"))
        };
        let mut reader = Reader::new(bytes);
        Ok(Self {
            a: reader.g1().map_err(named("A"))?,
            b: reader.g2().map_err(named("B"))?,
            c: reader.g1().map_err(named("C"))?,
            d: committed
                .then(|| reader.g1())
                .transpose()
                .map_err(named("D"))?,
        })
    }
}

/// Reads a model commitment `M`.
///
/// # Errors
/// `InvalidInput` unless it is 64 bytes of a point on the curve.
pub fn model_commitment_from_bytes(bytes: &[u8]) -> Result<G1Affine> {
    let Ok(bytes) = bytes.try_into() else {
        bail!(
            InvalidInput,
            "a model commitment has {G1_BYTES} bytes, not {}",
            bytes.len()
        );
    };
    g1_from_bytes(bytes).map_err(|why| Error::InvalidInput(format!("model commitment: {why}")))
}
