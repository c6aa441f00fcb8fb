//! Verification.

use std::sync::{Arc, Mutex};

use assay_groth16::{
    Proof, Randomness, Result, VerifyingKey, challenge, proof::model_commitment_from_bytes,
    verify::Verifier,
};
use pyo3::{prelude::*, types::PyBytes};

use crate::{convert::statement, errors::raise, run::detached};

/// The key used last: who verifies one proof mostly verifies another of the same key.
static LAST: Mutex<Option<(Vec<u8>, Arc<Verifier>)>> = Mutex::new(None);

/// The verifier of a key, which passed all checks.
fn verifier(vk: &[u8]) -> Result<Arc<Verifier>> {
    // Never waits: in a forked child the lock may be held by a thread that is not there.
    if let Ok(last) = LAST.try_lock()
        && let Some((bytes, verifier)) = &*last
        && bytes == vk
    {
        return Ok(Arc::clone(verifier));
    }
    let verifier = Arc::new(Verifier::new(&VerifyingKey::from_bytes(vk)?));
    if let Ok(mut last) = LAST.try_lock() {
        *last = Some((vk.to_vec(), Arc::clone(&verifier)));
    }
    Ok(verifier)
}

/// Checks one proof against the normative bytes of a verifying key.
///
/// `public` is a sequence of integers or `uint64[n, 4]`. Raises InvalidProof, InvalidInput (a word of r or more, a wrong
/// number of words, a missing or unexpected model commitment) or InvalidKey.
#[pyfunction]
#[pyo3(signature = (vk, public, proof, model_commitment=None))]
pub(crate) fn verify(
    py: Python<'_>,
    vk: &[u8],
    public: &Bound<'_, PyAny>,
    proof: &[u8],
    model_commitment: Option<&[u8]>,
) -> PyResult<()> {
    let public = statement(public)?;
    detached(py, || {
        let verifier = verifier(vk)?;
        let proof = Proof::from_bytes(proof, verifier.vk().delta_1.is_some())?;
        let model = model_commitment
            .map(model_commitment_from_bytes)
            .transpose()?;
        verifier.verify(&public, &proof, model.as_ref())
    })
}

/// Checks many `(public, proof)` pairs under one key with one product of pairings; the error names the first bad pair.
#[pyfunction]
#[pyo3(signature = (vk, claims, model_commitment=None))]
pub(crate) fn verify_batch(
    py: Python<'_>,
    vk: &[u8],
    claims: Vec<(Bound<'_, PyAny>, Bound<'_, PyBytes>)>,
    model_commitment: Option<&[u8]>,
) -> PyResult<()> {
    let claims = claims
        .iter()
        .map(|(public, proof)| Ok((statement(public)?, proof.as_bytes())))
        .collect::<PyResult<Vec<_>>>()?;
    detached(py, || {
        let verifier = verifier(vk)?;
        let model = model_commitment
            .map(model_commitment_from_bytes)
            .transpose()?;
        let proofs = claims
            .iter()
            .map(|(_, bytes)| Proof::from_bytes(bytes, verifier.vk().delta_1.is_some()))
            .collect::<Result<Vec<_>>>()?;
        let pairs: Vec<_> = claims
            .iter()
            .zip(&proofs)
            .map(|((x, _), p)| (x.as_slice(), p))
            .collect();
        verifier.verify_batch(&pairs, model.as_ref(), &mut Randomness::system())
    })
}

/// Raises InvalidKey unless the bytes are a well-formed key under which false statements cannot be proven by a skipped
/// ceremony phase or a degenerate element.
#[pyfunction]
pub(crate) fn check_verifying_key(vk: &[u8]) -> PyResult<()> {
    VerifyingKey::from_bytes(vk).map(|_| ()).map_err(raise)
}

/// `keccak256` of the verifying key's bytes, as the challenge and the contracts use it.
#[pyfunction]
pub(crate) fn verifying_key_hash<'py>(py: Python<'py>, vk: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &challenge::keccak256(vk))
}
