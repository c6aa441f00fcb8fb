//! The check of a proving key against its circuit.

use std::sync::Arc;

use assay_groth16::KeyCheck;
use pyo3::prelude::*;

use crate::{
    circuit::{Arrays, Block},
    errors::invalid_input,
    keys::PyProvingKey,
    run::run,
};

/// Whether a proving key is what setup makes of a circuit and the verifying key inside: takes the circuit's rows.
#[pyclass(name = "KeyCheck", module = "assay_prover._native")]
pub(crate) struct PyKeyCheck {
    check: Option<KeyCheck>,
    threads: Option<usize>,
}

fn used() -> PyErr {
    invalid_input("this check is finished")
}

#[pymethods]
impl PyKeyCheck {
    #[new]
    #[pyo3(signature = (key, *, threads=None))]
    fn new(py: Python<'_>, key: &PyProvingKey, threads: Option<usize>) -> PyResult<Self> {
        let key = Arc::clone(&key.0);
        let check = run(py, threads, None, move |_| KeyCheck::new(key))?;
        Ok(Self {
            check: Some(check),
            threads,
        })
    }

    /// Takes the next rows, in the form that `SetupBuilder.push` takes.
    fn push<'py>(
        &mut self,
        py: Python<'py>,
        a: Arrays<'py>,
        b: Arrays<'py>,
        c: Arrays<'py>,
    ) -> PyResult<()> {
        let block = Block::new(a, b, c)?;
        let view = block.view()?;
        let check = self.check.as_mut().ok_or_else(used)?;
        run(py, self.threads, None, |_| {
            let layout = *check.layout();
            check.push(&view.rows(&layout)?)
        })
    }

    /// Raises InvalidKey, naming the element or query that is not the circuit's. A check ends with this.
    #[pyo3(signature = (progress=None))]
    fn finish(&mut self, py: Python<'_>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let check = self.check.take().ok_or_else(used)?;
        run(py, self.threads, progress, move |progress| {
            check.finish(progress)
        })
    }
}
