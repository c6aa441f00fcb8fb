//! Setup: keys from a circuit's rows.

use std::path::PathBuf;

use assay_groth16::SetupBuilder;
use pyo3::{prelude::*, types::PyBytes};

use crate::{
    circuit::{Arrays, Block, PyLayout},
    errors::invalid_input,
    run::{randomness, run},
};

/// Single-party setup, for development: whoever runs it could forge proofs.
#[pyclass(name = "SetupBuilder", module = "assay_prover._native")]
pub(crate) struct PySetupBuilder {
    builder: Option<SetupBuilder>,
    threads: Option<usize>,
}

fn used() -> PyErr {
    invalid_input("this setup is finished")
}

#[pymethods]
impl PySetupBuilder {
    /// `seed` (32 bytes) makes the keys reproducible and worthless: for tests alone.
    #[new]
    #[pyo3(signature = (layout, n_constraints, *, threads=None, seed=None))]
    fn new(
        py: Python<'_>,
        layout: PyLayout,
        n_constraints: usize,
        threads: Option<usize>,
        seed: Option<&[u8]>,
    ) -> PyResult<Self> {
        let mut source = randomness(seed)?;
        let builder = run(py, threads, None, move |_| {
            SetupBuilder::new(layout.0, n_constraints, &mut source)
        })?;
        Ok(Self {
            builder: Some(builder),
            threads,
        })
    }

    /// Appends rows: A, B and C are `(ptr: int64[rows + 1], col: uint32[nnz], coef: int64[nnz] | uint64[nnz, 4])`.
    fn push<'py>(
        &mut self,
        py: Python<'py>,
        a: Arrays<'py>,
        b: Arrays<'py>,
        c: Arrays<'py>,
    ) -> PyResult<()> {
        let block = Block::new(a, b, c)?;
        let view = block.view()?;
        let builder = self.builder.as_mut().ok_or_else(used)?;
        run(py, self.threads, None, |_| {
            let layout = *builder.layout();
            builder.push(&view.rows(&layout)?)
        })
    }

    /// Writes the proving key and returns the verifying key's bytes. A failed finish ends the setup.
    #[pyo3(signature = (pk_path, progress=None))]
    fn finish<'py>(
        &mut self,
        py: Python<'py>,
        pk_path: PathBuf,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let builder = self.builder.take().ok_or_else(used)?;
        let vk = run(py, self.threads, progress, move |progress| {
            builder.finish(&pk_path, progress)
        })?;
        Ok(PyBytes::new(py, &vk.to_bytes()))
    }
}
