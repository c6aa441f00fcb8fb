//! Private weights: their commitment, and a model whose part of every proof is added up.

use std::sync::Arc;

use assay_groth16::{
    ModelCommitment, PreparedModel,
    encoding::{fr_from_word, fr_word, g1_bytes},
    proof::model_commitment_from_bytes,
};
use pyo3::{prelude::*, types::PyBytes};
use zeroize::Zeroizing;

use crate::errors::{invalid_input, raise};

/// A model's published commitment `M` and the secret `mu` that opens it.
#[pyclass(name = "ModelCommitment", module = "assay_prover._native", frozen)]
pub(crate) struct PyModelCommitment(pub(crate) ModelCommitment);

#[pymethods]
impl PyModelCommitment {
    /// 64 bytes, public.
    #[getter(M)]
    fn commitment<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &g1_bytes(&self.0.commitment))
    }

    /// 32 bytes, secret: with it, guesses of the weights can be tested against M.
    #[getter(mu)]
    fn opening<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &*Zeroizing::new(fr_word(*self.0.opening)))
    }
}

/// `(m, M, mu)`.
pub(crate) type OpenedModel<'py> = (Bound<'py, PyAny>, Vec<u8>, Vec<u8>);

/// What `commit` takes as a model.
#[derive(FromPyObject)]
pub(crate) enum ModelArgument<'py> {
    Prepared(Bound<'py, PyPreparedModel>),
    Opened(OpenedModel<'py>),
}

/// A model whose constant part of every proof is known.
#[pyclass(name = "PreparedModel", module = "assay_prover._native", frozen)]
pub(crate) struct PyPreparedModel(pub(crate) Arc<PreparedModel>);

/// A model as the core takes it; the wires are kept for `finish`.
pub(crate) enum ModelForm<'py> {
    Absent,
    Prepared(Arc<PreparedModel>),
    Opened(Model<'py>),
}

pub(crate) struct Model<'py> {
    pub(crate) wires: Bound<'py, PyAny>,
    pub(crate) commitment: ModelCommitment,
}

pub(crate) fn model_argument(argument: OpenedModel<'_>) -> PyResult<Model<'_>> {
    let (wires, commitment, opening) = argument;
    let opening = Zeroizing::new(opening);
    let word = opening
        .as_slice()
        .try_into()
        .map_err(|_| invalid_input("mu has 32 bytes"))?;
    let opening = fr_from_word(word).map_err(|why| invalid_input(format!("mu: {why}")))?;
    Ok(Model {
        wires,
        commitment: ModelCommitment {
            commitment: model_commitment_from_bytes(&commitment).map_err(raise)?,
            opening: Zeroizing::new(opening),
        },
    })
}
