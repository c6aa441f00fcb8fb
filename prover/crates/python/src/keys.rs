//! Proving keys, and the proofs that are made with them.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use assay_groth16::{Assignment, Job, ProvingKey, encoding::g1_bytes, key::Wide};
use pyo3::{prelude::*, types::PyBytes};

use crate::{
    circuit::PyLayout,
    convert::{Vector, statement},
    errors::invalid_input,
    model_commitment::{
        ModelArgument, ModelForm, OpenedModel, PyModelCommitment, PyPreparedModel, model_argument,
    },
    run::{randomness, run},
    session::{BatchJob, Committed, Pending, PySession, Rest},
};

/// A proving key mapped from its file.
#[pyclass(name = "ProvingKey", module = "assay_prover._native", frozen)]
pub(crate) struct PyProvingKey(pub(crate) Arc<ProvingKey>);

#[pymethods]
impl PyProvingKey {
    /// Maps a key. `verify` hashes all of it; without it only the header is checked.
    #[staticmethod]
    #[pyo3(signature = (path, *, verify=true))]
    fn open(py: Python<'_>, path: PathBuf, verify: bool) -> PyResult<Self> {
        run(py, None, None, move |_| ProvingKey::open(&path, verify)).map(|key| Self(Arc::new(key)))
    }

    /// The verifying key's bytes.
    #[getter]
    fn vk<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.vk_bytes())
    }

    /// `keccak256(vk)`.
    #[getter]
    fn vk_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.vk_hash())
    }

    #[getter]
    fn layout(&self) -> PyLayout {
        PyLayout(*self.0.layout())
    }

    #[getter]
    fn n_constraints(&self) -> usize {
        self.0.n_constraints()
    }

    #[getter]
    fn domain_size(&self) -> usize {
        self.0.domain().size()
    }

    /// Size of the file.
    #[getter]
    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// 32 bytes that identify the file: the hash of its header, which holds the hash of the rest.
    #[getter]
    fn file_hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.file_hash())
    }

    /// Whether a KeyCheck can check it; a key that was converted from another tool's file cannot be.
    #[getter]
    fn checkable(&self) -> bool {
        self.0.is_checkable()
    }

    /// "development" (one party knew the secrets), "test" (made from a seed), "ceremony" or "imported".
    #[getter]
    fn origin(&self) -> &'static str {
        self.0.origin().name()
    }

    /// Computes tables of multiples within `budget` bytes, so that later proofs with this key are faster and the same; returns
    /// the bytes they take. `wide_wires` asks for those of the wires, too, which only values wider than 64 bits use.
    #[pyo3(signature = (*, wide_wires=false, budget=ProvingKey::TABLES_BUDGET, threads=None))]
    fn prepare_tables(
        &self,
        py: Python<'_>,
        wide_wires: bool,
        budget: usize,
        threads: Option<usize>,
    ) -> PyResult<usize> {
        let wide = if wide_wires {
            Wide::Wires
        } else {
            Wide::Quotient
        };
        run(py, threads, None, |_| {
            Ok(self.0.prepare_tables(wide, budget))
        })
    }

    /// Commits to a model's private weights, once for each model.
    #[pyo3(signature = (m, *, threads=None, rng_seed=None))]
    fn commit_model(
        &self,
        py: Python<'_>,
        m: &Bound<'_, PyAny>,
        threads: Option<usize>,
        rng_seed: Option<&[u8]>,
    ) -> PyResult<PyModelCommitment> {
        let wires = Vector::new(m, "model")?;
        let wires = wires.scalars()?;
        let mut source = randomness(rng_seed)?;
        run(py, threads, None, |_| {
            self.0.commit_model(&wires, &mut source)
        })
        .map(PyModelCommitment)
    }

    /// Adds up once what a model's wires contribute to every proof. `model` is `(m, M, mu)`; raises InvalidWitness if M
    /// does not open to these wires.
    #[pyo3(signature = (model, *, threads=None))]
    fn prepare_model(
        &self,
        py: Python<'_>,
        model: OpenedModel<'_>,
        threads: Option<usize>,
    ) -> PyResult<PyPreparedModel> {
        let model = model_argument(model)?;
        let wires = Vector::new(&model.wires, "model")?;
        let wires = wires.scalars()?;
        let commitment = model.commitment.clone();
        run(py, threads, None, |_| {
            self.0.prepare_model(commitment, &wires)
        })
        .map(|model| PyPreparedModel(Arc::new(model)))
    }

    /// Fixes statement, model and committed wires and derives the challenge.
    #[pyo3(signature = (public, w1, *, model=None, threads=None, rng_seed=None))]
    fn commit<'py>(
        &self,
        py: Python<'py>,
        public: &Bound<'py, PyAny>,
        w1: &Bound<'py, PyAny>,
        model: Option<ModelArgument<'py>>,
        threads: Option<usize>,
        rng_seed: Option<&[u8]>,
    ) -> PyResult<PySession> {
        let public = statement(public)?;
        let model = match model {
            None => ModelForm::Absent,
            Some(ModelArgument::Prepared(model)) => ModelForm::Prepared(Arc::clone(&model.get().0)),
            Some(ModelArgument::Opened(model)) => ModelForm::Opened(model_argument(model)?),
        };
        let vector = Vector::new(w1, "w1")?;
        let scalars = vector.scalars()?;
        let mut source = randomness(rng_seed)?;
        let commitment = match &model {
            ModelForm::Opened(model) => Some(model.commitment.clone()),
            _ => None,
        };
        let prepared = match &model {
            ModelForm::Prepared(model) => Some(Arc::clone(model)),
            _ => None,
        };
        let session = run(py, threads, None, |_| match prepared {
            Some(prepared) => self
                .0
                .commit_prepared(public, &scalars, prepared, &mut source),
            None => self.0.commit(public, &scalars, commitment, &mut source),
        })?;
        Ok(PySession {
            key: Arc::clone(&self.0),
            challenge: session.challenge(),
            commitment: session.commitment().map(g1_bytes),
            pending: Mutex::new(Some(Pending {
                session,
                source,
                w1: w1.clone().unbind(),
                model: match model {
                    ModelForm::Opened(model) => Some(model.wires.unbind()),
                    _ => None,
                },
            })),
        })
    }

    /// Completes several sessions of this key together, which is faster for small circuits than one after the other.
    ///
    /// `jobs` are `(session, w2, a, b)`; proofs come in their order.
    #[pyo3(signature = (jobs, *, threads=None, progress=None))]
    fn finish_batch<'py>(
        &self,
        py: Python<'py>,
        jobs: Vec<BatchJob<'py>>,
        threads: Option<usize>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let vectors = jobs
            .iter()
            .map(|(_, w2, a, b)| Rest::new(w2, a, b))
            .collect::<PyResult<Vec<_>>>()?;
        let rest = vectors
            .iter()
            .map(Rest::scalars)
            .collect::<PyResult<Vec<_>>>()?;
        for (i, (session, ..)) in jobs.iter().enumerate() {
            let session = session.get();
            if !Arc::ptr_eq(&session.key, &self.0) {
                return Err(invalid_input(format!("job {i}: a session of another key")));
            }
            if jobs[..i]
                .iter()
                .any(|(other, ..)| std::ptr::eq(other.get(), session))
            {
                return Err(invalid_input(format!(
                    "job {i}: this session is there already"
                )));
            }
        }
        let pending = jobs
            .iter()
            .map(|(session, ..)| session.get().take())
            .collect::<PyResult<Vec<_>>>()?;
        let committed = pending
            .iter()
            .map(|p| Committed::new(py, p))
            .collect::<PyResult<Vec<_>>>()?;
        let committed = committed
            .iter()
            .map(Committed::scalars)
            .collect::<PyResult<Vec<_>>>()?;
        let jobs: Vec<Job<'_>> = pending
            .into_iter()
            .zip(committed.iter().zip(&rest))
            .map(|(pending, ((w1, model), (w2, a, b)))| Job {
                session: pending.session,
                assignment: Assignment {
                    model,
                    w1,
                    w2,
                    a,
                    b,
                },
                randomness: pending.source,
            })
            .collect();
        let key = &self.0;
        let proofs = run(py, threads, progress, move |progress| {
            key.finish_batch(jobs, progress)
        })?;
        Ok(proofs
            .iter()
            .map(|p| PyBytes::new(py, &p.to_bytes()))
            .collect())
    }

    /// A proof in one call, for circuits without a challenge.
    #[pyo3(signature = (public, w2, a, b, *, model=None, threads=None, rng_seed=None, progress=None))]
    #[allow(clippy::too_many_arguments)]
    fn prove<'py>(
        &self,
        py: Python<'py>,
        public: &Bound<'py, PyAny>,
        w2: &Bound<'py, PyAny>,
        a: &Bound<'py, PyAny>,
        b: &Bound<'py, PyAny>,
        model: Option<ModelArgument<'py>>,
        threads: Option<usize>,
        rng_seed: Option<&[u8]>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        if self.0.layout().committed {
            return Err(invalid_input(
                "this circuit has a challenge: use commit, then finish",
            ));
        }
        let nothing = pyo3::types::PyList::empty(py);
        let session = self.commit(py, public, &nothing, model, threads, rng_seed)?;
        session.finish(py, w2, a, b, threads, progress)
    }
}
