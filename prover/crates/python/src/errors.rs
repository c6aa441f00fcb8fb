//! One error enum of the core, one exception tree.

use assay_groth16::Error;
use pyo3::{
    create_exception,
    exceptions::{PyException, PyOSError},
    prelude::*,
};

create_exception!(assay_prover.groth16, ProverError, PyException, "Base of every error of the prover core.");
create_exception!(assay_prover.groth16, InvalidProof, ProverError, "The proof does not prove the statement.");
create_exception!(assay_prover.groth16, InvalidKey, ProverError, "A key is malformed, damaged, stale or unsafe.");
create_exception!(assay_prover.groth16, InvalidWitness, ProverError, "Wire values are out of range or do not fit the circuit.");
create_exception!(assay_prover.groth16, InvalidInput, ProverError, "A statement, matrix, file or argument is malformed.");
create_exception!(assay_prover.groth16, Cancelled, ProverError, "The progress callback asked to stop.");

/// The core's error as a Python exception.
pub(crate) fn raise(error: Error) -> PyErr {
    match error {
        Error::InvalidProof(why) => InvalidProof::new_err(why),
        Error::InvalidKey(why) => InvalidKey::new_err(why),
        Error::InvalidWitness(why) => InvalidWitness::new_err(why),
        Error::InvalidInput(why) => InvalidInput::new_err(why),
        Error::Cancelled => Cancelled::new_err("cancelled"),
        Error::Io { path, source } => match source.raw_os_error() {
            Some(code) => PyOSError::new_err((code, strip_code(&source), path)),
            None => PyOSError::new_err(format!("{path}: {source}")),
        },
    }
}

/// The system's message without Rust's "(os error n)" tail, which Python's own errno repeats.
fn strip_code(source: &std::io::Error) -> String {
    let text = source.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("ProverError", py.get_type::<ProverError>())?;
    module.add("InvalidProof", py.get_type::<InvalidProof>())?;
    module.add("InvalidKey", py.get_type::<InvalidKey>())?;
    module.add("InvalidWitness", py.get_type::<InvalidWitness>())?;
    module.add("InvalidInput", py.get_type::<InvalidInput>())?;
    module.add("Cancelled", py.get_type::<Cancelled>())
}
