//! Layouts, matrix blocks and the circuit checker.

use assay_bn254::Scalars;
use assay_groth16::{Layout, MatrixBlock, Rows, field::limbs, matrix};
use numpy::{PyArray2, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::{
    convert::{Segment, Vector, items, limb_array},
    errors::raise,
    run::detached,
};

/// Wire indices of a circuit: `z = (1, x_1..x_n, c | m | w1 | w2)`.
#[pyclass(
    name = "Layout",
    module = "assay_prover._native",
    frozen,
    eq,
    from_py_object
)]
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct PyLayout(pub(crate) Layout);

fn span<'py>(py: Python<'py>, range: std::ops::Range<usize>) -> PyResult<Bound<'py, PyAny>> {
    py.import("builtins")?
        .getattr("range")?
        .call1((range.start, range.end))
}

#[pymethods]
impl PyLayout {
    #[new]
    #[pyo3(signature = (n_public, committed=false, n_model=0, n_w1=0, n_w2=0))]
    fn new(n_public: u32, committed: bool, n_model: u32, n_w1: u32, n_w2: u32) -> PyResult<Self> {
        Layout::new(n_public, committed, n_model, n_w1, n_w2)
            .map(Self)
            .map_err(raise)
    }

    #[getter]
    fn n_public(&self) -> u32 {
        self.0.n_public
    }

    #[getter]
    fn committed(&self) -> bool {
        self.0.committed
    }

    #[getter]
    fn n_model(&self) -> u32 {
        self.0.n_model
    }

    #[getter]
    fn n_w1(&self) -> u32 {
        self.0.n_w1
    }

    #[getter]
    fn n_w2(&self) -> u32 {
        self.0.n_w2
    }

    /// All wires.
    #[getter]
    fn n_wires(&self) -> usize {
        self.0.n_wires()
    }

    /// Index of the challenge, or None.
    #[getter]
    fn challenge(&self) -> Option<usize> {
        self.0.challenge()
    }

    /// Indices of the statement's words.
    #[getter]
    fn public<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        span(py, 1..1 + self.0.n_public as usize)
    }

    /// Indices of the model's wires.
    #[getter]
    fn model<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        span(py, self.0.model())
    }

    /// Indices of the committed wires.
    #[getter]
    fn w1<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        span(py, self.0.w1())
    }

    /// Indices of the other wires.
    #[getter]
    fn w2<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        span(py, self.0.w2())
    }

    fn __repr__(&self) -> String {
        let l = &self.0;
        let committed = if l.committed { "True" } else { "False" };
        format!(
            "Layout(n_public={}, committed={committed}, n_model={}, n_w1={}, n_w2={})",
            l.n_public, l.n_model, l.n_w1, l.n_w2
        )
    }
}

/// Borrowed `(ptr, col, coef)` arrays.
#[derive(FromPyObject)]
pub(crate) struct Arrays<'py>(
    pub(crate) PyReadonlyArray1<'py, i64>,
    pub(crate) PyReadonlyArray1<'py, u32>,
    pub(crate) Bound<'py, PyAny>,
);

/// The same rows of three matrices, borrowed.
pub(crate) struct Block<'py>([(Arrays<'py>, Segment<'py>); 3]);

impl<'py> Block<'py> {
    pub(crate) fn new(a: Arrays<'py>, b: Arrays<'py>, c: Arrays<'py>) -> PyResult<Self> {
        let with_coefficients = |arrays: Arrays<'py>| {
            let segment = Segment::new(&arrays.2, "coef")?;
            Ok::<_, PyErr>((arrays, segment))
        };
        Ok(Self([
            with_coefficients(a)?,
            with_coefficients(b)?,
            with_coefficients(c)?,
        ]))
    }

    pub(crate) fn view(&self) -> PyResult<BlockView<'_>> {
        let [a, b, c] = &self.0;
        Ok(BlockView([Self::raw(a)?, Self::raw(b)?, Self::raw(c)?]))
    }

    fn raw<'a>(part: &'a (Arrays<'py>, Segment<'py>)) -> PyResult<RawMatrix<'a>> {
        Ok((
            items(&part.0.0, "ptr")?,
            items(&part.0.1, "col")?,
            part.1.scalars("coef")?,
        ))
    }
}

type RawMatrix<'a> = (&'a [i64], &'a [u32], Scalars<'a>);

/// Plain slices: usable without the GIL.
pub(crate) struct BlockView<'a>([RawMatrix<'a>; 3]);

impl BlockView<'_> {
    pub(crate) fn rows(&self, layout: &Layout) -> assay_groth16::Result<Rows<'_>> {
        let matrix = |i: usize| {
            let (ptr, col, coef) = self.0[i];
            MatrixBlock::new(ptr, col, coef, layout.n_wires())
        };
        Ok(Rows {
            a: matrix(0)?,
            b: matrix(1)?,
            c: matrix(2)?,
        })
    }
}

type BlockArgument<'py> = (Arrays<'py>, Arrays<'py>, Arrays<'py>);

fn with_blocks<'py, T: Send>(
    py: Python<'py>,
    layout: &PyLayout,
    blocks: Vec<BlockArgument<'py>>,
    z: &Bound<'py, PyAny>,
    work: impl FnOnce(&[Rows<'_>], &[ark_bn254::Fr]) -> assay_groth16::Result<T> + Send,
) -> PyResult<T> {
    let blocks = blocks
        .into_iter()
        .map(|(a, b, c)| Block::new(a, b, c))
        .collect::<PyResult<Vec<_>>>()?;
    let views = blocks
        .iter()
        .map(Block::view)
        .collect::<PyResult<Vec<_>>>()?;
    let z = Vector::new(z, "z")?;
    let z = z.scalars()?;
    let layout = layout.0;
    detached(py, || {
        let rows = views
            .iter()
            .map(|view| view.rows(&layout))
            .collect::<assay_groth16::Result<Vec<_>>>()?;
        work(&rows, &matrix::dense(&z, layout.n_wires())?)
    })
}

/// Index of the first row with `<A, z> * <B, z> != <C, z>`, or None if the witness satisfies all.
///
/// `blocks` is a list of `(A, B, C)`, each `(ptr, col, coef)`; `z` is all wires in segments, the leading 1 included.
#[pyfunction]
pub(crate) fn check_r1cs<'py>(
    py: Python<'py>,
    layout: &PyLayout,
    blocks: Vec<BlockArgument<'py>>,
    z: &Bound<'py, PyAny>,
) -> PyResult<Option<usize>> {
    with_blocks(py, layout, blocks, z, matrix::first_unsatisfied)
}

/// `(A z, B z)` as `uint64[rows, 4]` each: the oracle for row evaluations known from inference.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub(crate) fn eval_rows<'py>(
    py: Python<'py>,
    layout: &PyLayout,
    blocks: Vec<BlockArgument<'py>>,
    z: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyArray2<u64>>, Bound<'py, PyArray2<u64>>)> {
    let (a, b) = with_blocks(py, layout, blocks, z, |rows, z| {
        let (a, b) = matrix::evaluate_rows(rows, z);
        let canonical = |v: Vec<_>| v.into_iter().map(limbs).collect::<Vec<_>>();
        Ok((canonical(a), canonical(b)))
    })?;
    Ok((limb_array(py, a)?, limb_array(py, b)?))
}
