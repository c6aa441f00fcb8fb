//! One error enum of the core, one exception tree under `assay_prover.errors.AssayProverError`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use assay_groth16::Error;
use pyo3::{
    exceptions::PyOSError,
    prelude::*,
    sync::PyOnceLock,
    types::{PyModule, PyType},
};

/// A leaf of the tree.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    InvalidProof,
    InvalidKey,
    InvalidWitness,
    InvalidInput,
    Cancelled,
    InternalError,
}

const LEAVES: [(&std::ffi::CStr, &std::ffi::CStr); 6] = [
    (
        c"assay_prover.groth16.InvalidProof",
        c"The proof does not prove the statement, or is no proof's encoding.",
    ),
    (
        c"assay_prover.groth16.InvalidKey",
        c"A key is malformed, damaged, stale or unsafe.",
    ),
    (
        c"assay_prover.groth16.InvalidWitness",
        c"Wire values are out of range, too few or too many.",
    ),
    (
        c"assay_prover.groth16.InvalidInput",
        c"A statement, matrix, file or argument is malformed.",
    ),
    (
        c"assay_prover.groth16.Cancelled",
        c"The progress callback asked to stop.",
    ),
    (
        c"assay_prover.groth16.InternalError",
        c"The prover core panicked: a defect of its own. What was under way is lost, and nothing else.",
    ),
];

struct Tree {
    base: Py<PyType>,
    leaves: [Py<PyType>; LEAVES.len()],
}

fn tree(py: Python<'_>) -> PyResult<&'static Tree> {
    static TREE: PyOnceLock<Tree> = PyOnceLock::new();
    TREE.get_or_try_init(py, || {
        let root = py
            .import("assay_prover.errors")?
            .getattr("AssayProverError")?
            .cast_into::<PyType>()?;
        let base = PyErr::new_type(
            py,
            c"assay_prover.groth16.ProverError",
            Some(c"Base of every error of the prover core."),
            Some(&root),
            None,
        )?;
        let parent = base.bind(py);
        let mut leaves = Vec::with_capacity(LEAVES.len());
        for (name, doc) in LEAVES {
            leaves.push(PyErr::new_type(py, name, Some(doc), Some(parent), None)?);
        }
        let leaves = leaves
            .try_into()
            .unwrap_or_else(|_| unreachable!("one class a leaf"));
        Ok(Tree { base, leaves })
    })
}

/// An exception of the tree.
pub(crate) fn exception(kind: Kind, why: impl Into<String>) -> PyErr {
    let why = why.into();
    Python::attach(|py| match tree(py) {
        Ok(tree) => PyErr::from_type(tree.leaves[kind as usize].bind(py).clone(), why),
        Err(error) => error,
    })
}

/// An argument that cannot be used.
pub(crate) fn invalid_input(why: impl Into<String>) -> PyErr {
    exception(Kind::InvalidInput, why)
}

/// What a computation gives, or the exception that says what it panicked with. Pyo3 would raise a `BaseException`, which
/// ends whole programs and gets lost between processes.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> PyResult<T> {
    // What the computation had borrowed is not looked at again: a session or a check ends with its first error.
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let why = panic
            .downcast_ref::<&str>()
            .map(|why| (*why).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no reason given".to_owned());
        exception(
            Kind::InternalError,
            format!("the prover core panicked: {why}"),
        )
    })
}

/// The core's error as a Python exception; files that cannot be read are OSError.
pub(crate) fn raise(error: Error) -> PyErr {
    match error {
        Error::InvalidProof(why) => exception(Kind::InvalidProof, why),
        Error::InvalidKey(why) => exception(Kind::InvalidKey, why),
        Error::InvalidWitness(why) => exception(Kind::InvalidWitness, why),
        Error::InvalidInput(why) => exception(Kind::InvalidInput, why),
        Error::Cancelled => exception(Kind::Cancelled, "cancelled"),
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
    let tree = tree(py)?;
    for class in std::iter::once(&tree.base).chain(&tree.leaves) {
        let class = class.bind(py);
        module.add(class.name()?, class)?;
    }
    Ok(())
}
