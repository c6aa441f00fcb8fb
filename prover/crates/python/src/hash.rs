//! Poseidon and Keccak.

use assay_groth16::{challenge, field::limbs};
use numpy::PyArray2;
use pyo3::{prelude::*, types::PyBytes};

use crate::{
    convert::{integer, limb_array, statement},
    errors::invalid_input,
};

fn unsupported() -> PyErr {
    invalid_input("Poseidon takes 1 to 16 inputs")
}

/// Circomlib's Poseidon of 1 to 16 integers in [0, r).
#[pyfunction]
pub(crate) fn poseidon<'py>(
    py: Python<'py>,
    inputs: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let inputs = statement(inputs)?;
    integer(py, assay_poseidon::hash(&inputs).ok_or_else(unsupported)?)
}

/// Square, fourth and fifth power of every S-box, round by round: `uint64[3 * sboxes, 4]`.
#[pyfunction]
pub(crate) fn poseidon_trace<'py>(
    py: Python<'py>,
    inputs: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArray2<u64>>> {
    let inputs = statement(inputs)?;
    let (wires, _) = assay_poseidon::trace(&inputs).ok_or_else(unsupported)?;
    limb_array(py, wires.into_iter().map(limbs).collect())
}

/// `(round_constants, mds, full_rounds, partial_rounds)` of a state of `t` elements, 2 to 17.
///
/// Round constants are `t` integers a round; new state i is `sum_j mds[i][j] * state[j]`.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub(crate) fn poseidon_parameters<'py>(
    py: Python<'py>,
    t: usize,
) -> PyResult<(
    Vec<Vec<Bound<'py, PyAny>>>,
    Vec<Vec<Bound<'py, PyAny>>>,
    usize,
    usize,
)> {
    let parameters = assay_poseidon::parameters(t).ok_or_else(unsupported)?;
    let rows = |values: &[_]| {
        values
            .chunks_exact(t)
            .map(|row| row.iter().map(|&v| integer(py, v)).collect())
            .collect::<PyResult<Vec<Vec<_>>>>()
    };
    Ok((
        rows(&parameters.round_constants)?,
        rows(&parameters.mds)?,
        assay_poseidon::FULL_ROUNDS,
        parameters.partial_rounds,
    ))
}

/// Keccak-256 (Ethereum's hash).
#[pyfunction]
pub(crate) fn keccak256<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &challenge::keccak256(data))
}
