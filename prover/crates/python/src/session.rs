//! A proof in two steps: committed wires fix a challenge, the other wires complete the proof.

use std::sync::{Arc, Mutex};

use ark_bn254::Fr;
use assay_bn254::Scalars;
use assay_groth16::{Assignment, ProvingKey, Randomness, Session};
use pyo3::{prelude::*, types::PyBytes};

use crate::{
    convert::{Vector, integer},
    errors::invalid_input,
    run::run,
};

/// `(session, w2, a, b)`.
pub(crate) type BatchJob<'py> = (
    Bound<'py, PySession>,
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
);

pub(crate) type Scalars3<'a> = (Vec<Scalars<'a>>, Vec<Scalars<'a>>, Vec<Scalars<'a>>);

/// Arguments of `finish`, borrowed.
pub(crate) struct Rest<'py>(Vector<'py>, Vector<'py>, Vector<'py>);

impl<'py> Rest<'py> {
    pub(crate) fn new(
        w2: &Bound<'py, PyAny>,
        a: &Bound<'py, PyAny>,
        b: &Bound<'py, PyAny>,
    ) -> PyResult<Self> {
        Ok(Self(
            Vector::new(w2, "w2")?,
            Vector::new(a, "a")?,
            Vector::new(b, "b")?,
        ))
    }

    pub(crate) fn scalars(&self) -> PyResult<Scalars3<'_>> {
        Ok((self.0.scalars()?, self.1.scalars()?, self.2.scalars()?))
    }
}

pub(crate) struct Pending {
    pub(crate) session: Session,
    pub(crate) source: Randomness,
    pub(crate) w1: Py<PyAny>,
    pub(crate) model: Option<Py<PyAny>>,
}

/// Arguments of `commit`, borrowed again.
pub(crate) struct Committed<'py>(Vector<'py>, Option<Vector<'py>>);

impl<'py> Committed<'py> {
    pub(crate) fn new(py: Python<'py>, pending: &Pending) -> PyResult<Self> {
        let model = match &pending.model {
            Some(wires) => Some(Vector::new(wires.bind(py), "model")?),
            None => None,
        };
        Ok(Self(Vector::new(pending.w1.bind(py), "w1")?, model))
    }

    /// `(w1, model)`.
    pub(crate) fn scalars(&self) -> PyResult<(Vec<Scalars<'_>>, Vec<Scalars<'_>>)> {
        let model = self
            .1
            .as_ref()
            .map_or_else(|| Ok(Vec::new()), Vector::scalars)?;
        Ok((self.0.scalars()?, model))
    }
}

/// A proof in the making. It finishes once; the arrays given to `commit` must not change in between.
#[pyclass(name = "Session", module = "assay_prover._native", frozen)]
pub(crate) struct PySession {
    pub(crate) key: Arc<ProvingKey>,
    pub(crate) challenge: Option<Fr>,
    pub(crate) commitment: Option<[u8; 64]>,
    pub(crate) pending: Mutex<Option<Pending>>,
}

impl PySession {
    pub(crate) fn take(&self) -> PyResult<Pending> {
        let mut pending = self
            .pending
            .lock()
            .expect("no panic while holding the lock");
        pending
            .take()
            .ok_or_else(|| invalid_input("this session is finished: a commitment serves one proof"))
    }
}

#[pymethods]
impl PySession {
    /// The challenge. Raises InvalidInput for a circuit without one.
    #[getter]
    fn challenge<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        integer(
            py,
            self.challenge
                .ok_or_else(|| invalid_input("this circuit has no challenge"))?,
        )
    }

    /// `D`, 64 bytes, or None for a circuit without a challenge.
    #[getter]
    fn commitment<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.commitment.map(|bytes| PyBytes::new(py, &bytes))
    }

    /// Completes the proof from the other wires and the constraints' row evaluations `<A_j, z>`, `<B_j, z>`. The values are
    /// not checked against the circuit: a false witness gives a proof that does not verify.
    #[pyo3(signature = (w2, a, b, *, threads=None, progress=None))]
    pub(crate) fn finish<'py>(
        &self,
        py: Python<'py>,
        w2: &Bound<'py, PyAny>,
        a: &Bound<'py, PyAny>,
        b: &Bound<'py, PyAny>,
        threads: Option<usize>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let rest = Rest::new(w2, a, b)?;
        let (w2, a, b) = rest.scalars()?;
        let pending = self.take()?;
        let committed = Committed::new(py, &pending)?;
        let (w1, model) = committed.scalars()?;
        let Pending {
            session,
            mut source,
            ..
        } = pending;
        let key = &self.key;
        let proof = run(py, threads, progress, move |progress| {
            let assignment = Assignment {
                model: &model,
                w1: &w1,
                w2: &w2,
                a: &a,
                b: &b,
            };
            key.finish(session, &assignment, &mut source, progress)
        })?;
        Ok(PyBytes::new(py, &proof.to_bytes()))
    }
}
