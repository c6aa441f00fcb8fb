//! Files of snarkjs and circom.

use std::path::PathBuf;

use assay_groth16::{
    Layout,
    interop::{self, R1cs},
};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray2};
use pyo3::{prelude::*, types::PyBytes};

use crate::{
    circuit::{Arrays, PyLayout},
    convert::{Segment, items, limb_array, limbs},
    errors::invalid_input,
    run::{detached, randomness, run},
};

type MatrixArrays<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray2<u64>>,
);

/// `(layout, n_outputs, (A, B, C))` of a `.r1cs` file's bytes. Raises InvalidInput for anything out of range.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub(crate) fn r1cs_read<'py>(
    py: Python<'py>,
    data: &[u8],
) -> PyResult<(
    PyLayout,
    u32,
    (MatrixArrays<'py>, MatrixArrays<'py>, MatrixArrays<'py>),
)> {
    let circuit = detached(py, || interop::read_r1cs(data))?;
    let [a, b, c] = circuit.matrices.map(|m| {
        let arrays = (m.ptr.into_pyarray(py), m.col.into_pyarray(py));
        limb_array(py, m.coef).map(|coef| (arrays.0, arrays.1, coef))
    });
    Ok((PyLayout(circuit.layout), circuit.n_outputs, (a?, b?, c?)))
}

/// The bytes of a `.r1cs` file; coefficients must be limbs. Raises InvalidInput for circuits that are not plain.
#[pyfunction]
pub(crate) fn r1cs_write<'py>(
    py: Python<'py>,
    layout: &PyLayout,
    n_outputs: u32,
    block: (Arrays<'py>, Arrays<'py>, Arrays<'py>),
) -> PyResult<Bound<'py, PyBytes>> {
    let circuit = circuit(layout, n_outputs, block)?;
    let bytes = detached(py, || interop::write_r1cs(&circuit))?;
    Ok(PyBytes::new(py, &bytes))
}

/// An owned circuit; coefficients must be limbs.
fn circuit<'py>(
    layout: &PyLayout,
    n_outputs: u32,
    block: (Arrays<'py>, Arrays<'py>, Arrays<'py>),
) -> PyResult<R1cs> {
    let owned = |arrays: Arrays<'py>| -> PyResult<interop::Matrix> {
        let Segment::Full(coef) = Segment::new(&arrays.2, "coef")? else {
            return Err(invalid_input("coef: limbs are needed here"));
        };
        Ok(interop::Matrix {
            ptr: items(&arrays.0, "ptr")?.to_vec(),
            col: items(&arrays.1, "col")?.to_vec(),
            coef: limbs(&coef, "coef")?.to_vec(),
        })
    };
    let matrices = [owned(block.0)?, owned(block.1)?, owned(block.2)?];
    Ok(R1cs {
        n_outputs,
        layout: Layout { ..layout.0 },
        n_constraints: matrices[0].ptr.len().saturating_sub(1),
        matrices,
    })
}

/// All wires of a `.wtns` file's bytes, `uint64[wires, 4]`, the leading 1 included.
#[pyfunction]
pub(crate) fn wtns_read<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyArray2<u64>>> {
    let values = detached(py, || interop::read_wtns(data))?;
    limb_array(py, values)
}

/// The bytes of a `.wtns` file.
#[pyfunction]
pub(crate) fn wtns_write<'py>(
    py: Python<'py>,
    values: PyReadonlyArray2<'py, u64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let values = limbs(&values, "values")?;
    let bytes = detached(py, || interop::write_wtns(values))?;
    Ok(PyBytes::new(py, &bytes))
}

/// Turns a `.zkey` into a proving key file of origin "imported"; returns the verifying key's bytes.
#[pyfunction]
pub(crate) fn zkey_import<'py>(
    py: Python<'py>,
    zkey_path: PathBuf,
    pk_path: PathBuf,
) -> PyResult<Bound<'py, PyBytes>> {
    let vk = run(py, None, None, move |_| {
        interop::import_zkey_file(&zkey_path, &pk_path)
    })?;
    Ok(PyBytes::new(py, &vk.to_bytes()))
}

/// Single-party setup that writes its key for snarkjs (`.zkey`) and for this library; returns the verifying key's bytes.
/// `seed` (32 bytes) makes the keys reproducible and worthless: for tests alone.
#[pyfunction]
#[pyo3(signature = (layout, n_outputs, block, zkey_path, pk_path, *, threads=None, seed=None, progress=None))]
#[allow(clippy::too_many_arguments)]
pub(crate) fn zkey_setup<'py>(
    py: Python<'py>,
    layout: &PyLayout,
    n_outputs: u32,
    block: (Arrays<'py>, Arrays<'py>, Arrays<'py>),
    zkey_path: PathBuf,
    pk_path: PathBuf,
    threads: Option<usize>,
    seed: Option<&[u8]>,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let circuit = circuit(layout, n_outputs, block)?;
    let mut source = randomness(seed)?;
    let vk = run(py, threads, progress, move |progress| {
        interop::setup_zkey(&circuit, &zkey_path, &pk_path, &mut source, progress)
    })?;
    Ok(PyBytes::new(py, &vk.to_bytes()))
}
