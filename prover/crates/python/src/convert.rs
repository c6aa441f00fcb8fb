//! Python integers and numpy buffers to the core's types, without a copy of anything large.

use ark_bn254::Fr;
use assay_bn254::Scalars;
use assay_groth16::{encoding, field::Limbs, verify::statement_from_words};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::{prelude::*, types::PyBytes};

use crate::errors::{invalid_input, raise};

/// A non-negative integer below 2^256 as a big-endian word.
pub(crate) fn word(value: &Bound<'_, PyAny>) -> PyResult<[u8; 32]> {
    let bytes = value
        .call_method1("__index__", ())
        .and_then(|v| v.call_method1("to_bytes", (32, "big")))
        .map_err(|_| invalid_input("expected integers in [0, 2^256)"))?;
    Ok(bytes.cast::<PyBytes>()?.as_bytes().try_into()?)
}

/// An integer in [0, r).
pub(crate) fn scalar(value: &Bound<'_, PyAny>) -> PyResult<Fr> {
    encoding::fr_from_word(&word(value)?).map_err(|why| invalid_input(why.to_string()))
}

/// A scalar as a Python integer.
pub(crate) fn integer<'py>(py: Python<'py>, value: Fr) -> PyResult<Bound<'py, PyAny>> {
    let bytes = PyBytes::new(py, &encoding::fr_word(value));
    py.get_type::<pyo3::types::PyInt>()
        .call_method1("from_bytes", (bytes, "big"))
}

/// A statement: a sequence of integers in [0, r), or an `n x 4` array of limbs.
pub(crate) fn statement(value: &Bound<'_, PyAny>) -> PyResult<Vec<Fr>> {
    if let Ok(array) = value.cast::<PyArray2<u64>>() {
        let array = array.readonly();
        return limbs(&array, "statement")?
            .iter()
            .enumerate()
            .map(|(i, &l)| {
                assay_groth16::field::element(l).ok_or_else(|| {
                    invalid_input(format!("public input {i}: a word is not below r"))
                })
            })
            .collect();
    }
    let words = value
        .try_iter()?
        .map(|item| word(&item?))
        .collect::<PyResult<Vec<_>>>()?;
    statement_from_words(&words).map_err(raise)
}

/// The rows of a C-contiguous `n x 4` array.
pub(crate) fn limbs<'a>(array: &'a PyReadonlyArray2<'_, u64>, name: &str) -> PyResult<&'a [Limbs]> {
    use numpy::PyUntypedArrayMethods;
    if array.shape()[1] != 4 {
        return Err(invalid_input(format!("{name}: limbs have shape (n, 4)")));
    }
    let flat = array
        .as_slice()
        .map_err(|_| invalid_input(format!("{name}: the array is not C-contiguous")))?;
    Ok(flat.as_chunks::<4>().0)
}

/// The items of a contiguous vector.
pub(crate) fn items<'a, T: numpy::Element>(
    array: &'a PyReadonlyArray1<'_, T>,
    name: &str,
) -> PyResult<&'a [T]> {
    array
        .as_slice()
        .map_err(|_| invalid_input(format!("{name}: the array is not contiguous")))
}

/// One borrowed segment of a scalar vector, or the coefficients of a matrix.
pub(crate) enum Segment<'py> {
    Small(PyReadonlyArray1<'py, i64>),
    Full(PyReadonlyArray2<'py, u64>),
}

impl<'py> Segment<'py> {
    /// `int64[n]` or `uint64[n, 4]`; anything else is refused by name.
    pub(crate) fn new(value: &Bound<'py, PyAny>, name: &str) -> PyResult<Self> {
        if let Ok(array) = value.cast::<PyArray1<i64>>() {
            return Ok(Self::Small(array.readonly()));
        }
        if let Ok(array) = value.cast::<PyArray2<u64>>() {
            return Ok(Self::Full(array.readonly()));
        }
        Err(invalid_input(format!(
            "{name}: expected an int64[n] or uint64[n, 4] array, not {}",
            describe(value)
        )))
    }

    pub(crate) fn scalars(&self, name: &str) -> PyResult<Scalars<'_>> {
        match self {
            Self::Small(array) => Ok(Scalars::Small(items(array, name)?)),
            Self::Full(array) => Ok(Scalars::Full(limbs(array, name)?)),
        }
    }
}

/// The type, and for arrays dtype and shape, of a value that was refused.
fn describe(value: &Bound<'_, PyAny>) -> String {
    let attribute = |name: &str| value.getattr(name).ok().map(|v| v.to_string());
    match (attribute("dtype"), attribute("shape")) {
        (Some(dtype), Some(shape)) => format!("{dtype}{shape}"),
        _ => value
            .get_type()
            .name()
            .map_or_else(|_| "an object".to_owned(), |n| n.to_string()),
    }
}

/// A scalar vector: a list of segments, or one array.
pub(crate) struct Vector<'py>(Vec<Segment<'py>>, &'static str);

impl<'py> Vector<'py> {
    pub(crate) fn new(value: &Bound<'py, PyAny>, name: &'static str) -> PyResult<Self> {
        if value.hasattr("dtype")? {
            return Ok(Self(vec![Segment::new(value, name)?], name));
        }
        let segments = value
            .try_iter()?
            .map(|item| Segment::new(&item?, name))
            .collect::<PyResult<_>>()?;
        Ok(Self(segments, name))
    }

    pub(crate) fn scalars(&self) -> PyResult<Vec<Scalars<'_>>> {
        self.0.iter().map(|s| s.scalars(self.1)).collect()
    }
}

/// Limbs as an `n x 4` array, without a copy.
pub(crate) fn limb_array<'py>(
    py: Python<'py>,
    values: Vec<Limbs>,
) -> PyResult<Bound<'py, PyArray2<u64>>> {
    let n = values.len();
    values.into_flattened().into_pyarray(py).reshape([n, 4])
}
