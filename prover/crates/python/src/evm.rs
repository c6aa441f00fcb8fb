//! The EVM's precompiles.

use assay_groth16::{Result, precompile};
use pyo3::{exceptions::PyValueError, prelude::*, types::PyBytes};

use crate::run::in_pool;

fn answer<'py, const N: usize>(
    py: Python<'py>,
    out: Result<[u8; N]>,
) -> PyResult<Bound<'py, PyBytes>> {
    match out {
        Ok(out) => Ok(PyBytes::new(py, &out)),
        Err(why) => Err(PyValueError::new_err(why.to_string())),
    }
}

/// EIP-196 addition (precompile 6): 128 bytes, missing ones zero, surplus ignored.
///
/// Returns 64 bytes. Raises ValueError where the precompile fails.
#[pyfunction]
pub(crate) fn evm_ecadd<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    answer(py, py.detach(|| precompile::ecadd(data)))
}

/// EIP-196 multiplication (precompile 7): 96 bytes, missing ones zero, surplus ignored.
///
/// Returns 64 bytes. Raises ValueError where the precompile fails.
#[pyfunction]
pub(crate) fn evm_ecmul<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    answer(py, py.detach(|| precompile::ecmul(data)))
}

/// EIP-197 pairing check (precompile 8): a multiple of 192 bytes.
///
/// Returns the word 1 or 0. Raises ValueError where the precompile fails.
#[pyfunction]
pub(crate) fn evm_ecpairing<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    // Pairings are computed side by side.
    let out = in_pool(py, || precompile::ecpairing(data))?;
    answer(py, out)
}
