//! Setup, proving keys and proofs.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use ark_bn254::Fr;
use assay_bn254::Scalars;
use assay_groth16::{
    Assignment, Job, ModelCommitment, PreparedModel, ProvingKey, Randomness, Session, SetupBuilder,
    encoding::{fr_from_word, fr_word, g1_bytes},
    key::Wide,
    proof::model_commitment_from_bytes,
};
use pyo3::{prelude::*, types::PyBytes};
use zeroize::Zeroizing;

use crate::{
    circuit::{Arrays, Block, PyLayout},
    convert::{Vector, integer, statement},
    errors::{invalid_input, raise},
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

/// A model's published commitment `M` and the secret `mu` that opens it.
#[pyclass(name = "ModelCommitment", module = "assay_prover._native", frozen)]
pub(crate) struct PyModelCommitment(ModelCommitment);

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
type OpenedModel<'py> = (Bound<'py, PyAny>, Vec<u8>, Vec<u8>);

/// What `commit` takes as a model.
#[derive(FromPyObject)]
enum ModelArgument<'py> {
    Prepared(Bound<'py, PyPreparedModel>),
    Opened(OpenedModel<'py>),
}

/// A model whose constant part of every proof is known.
#[pyclass(name = "PreparedModel", module = "assay_prover._native", frozen)]
pub(crate) struct PyPreparedModel(Arc<PreparedModel>);

/// A model as the core takes it; the wires are kept for `finish`.
enum ModelForm<'py> {
    Absent,
    Prepared(Arc<PreparedModel>),
    Opened(Model<'py>),
}

struct Model<'py> {
    wires: Bound<'py, PyAny>,
    commitment: ModelCommitment,
}

fn model_argument(argument: OpenedModel<'_>) -> PyResult<Model<'_>> {
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

/// `(session, w2, a, b)`.
type BatchJob<'py> = (
    Bound<'py, PySession>,
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
    Bound<'py, PyAny>,
);

type Scalars3<'a> = (Vec<Scalars<'a>>, Vec<Scalars<'a>>, Vec<Scalars<'a>>);

/// Arguments of `finish`, borrowed.
struct Rest<'py>(Vector<'py>, Vector<'py>, Vector<'py>);

impl<'py> Rest<'py> {
    fn new(w2: &Bound<'py, PyAny>, a: &Bound<'py, PyAny>, b: &Bound<'py, PyAny>) -> PyResult<Self> {
        Ok(Self(
            Vector::new(w2, "w2")?,
            Vector::new(a, "a")?,
            Vector::new(b, "b")?,
        ))
    }

    fn scalars(&self) -> PyResult<Scalars3<'_>> {
        Ok((self.0.scalars()?, self.1.scalars()?, self.2.scalars()?))
    }
}

struct Pending {
    session: Session,
    source: Randomness,
    w1: Py<PyAny>,
    model: Option<Py<PyAny>>,
}

/// Arguments of `commit`, borrowed again.
struct Committed<'py>(Vector<'py>, Option<Vector<'py>>);

impl<'py> Committed<'py> {
    fn new(py: Python<'py>, pending: &Pending) -> PyResult<Self> {
        let model = match &pending.model {
            Some(wires) => Some(Vector::new(wires.bind(py), "model")?),
            None => None,
        };
        Ok(Self(Vector::new(pending.w1.bind(py), "w1")?, model))
    }

    /// `(w1, model)`.
    fn scalars(&self) -> PyResult<(Vec<Scalars<'_>>, Vec<Scalars<'_>>)> {
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
    key: Arc<ProvingKey>,
    challenge: Option<Fr>,
    commitment: Option<[u8; 64]>,
    pending: Mutex<Option<Pending>>,
}

impl PySession {
    fn take(&self) -> PyResult<Pending> {
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
    fn finish<'py>(
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
