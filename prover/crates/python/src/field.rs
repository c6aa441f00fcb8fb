//! Element-wise field arithmetic for witness generation.

use assay_groth16::field;
use numpy::{PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::{
    convert::{integer, items, limb_array, limbs, scalar},
    run::detached,
};

type Array<'py> = Bound<'py, PyArray2<u64>>;

/// `1 / (c - v)` for each v. Raises InvalidWitness if c equals a value.
#[pyfunction]
pub(crate) fn field_inverse_differences<'py>(
    py: Python<'py>,
    c: &Bound<'py, PyAny>,
    values: PyReadonlyArray1<'py, i64>,
) -> PyResult<Array<'py>> {
    let (c, values) = (scalar(c)?, items(&values, "values")?);
    let out = detached(py, || field::inverse_differences(c, values))?;
    limb_array(py, out)
}

/// `c - v` for each v.
#[pyfunction]
pub(crate) fn field_sub_from<'py>(
    py: Python<'py>,
    c: &Bound<'py, PyAny>,
    values: PyReadonlyArray1<'py, i64>,
) -> PyResult<Array<'py>> {
    let (c, values) = (scalar(c)?, items(&values, "values")?);
    let out = detached(py, || Ok(field::sub_from(c, values)))?;
    limb_array(py, out)
}

/// Signed integers as field elements.
#[pyfunction]
pub(crate) fn field_from_small<'py>(
    py: Python<'py>,
    values: PyReadonlyArray1<'py, i64>,
) -> PyResult<Array<'py>> {
    let values = items(&values, "values")?;
    let out = detached(py, || Ok(field::from_small(values)))?;
    limb_array(py, out)
}

/// `f_i * v_i`. Raises InvalidWitness for limbs of r or more.
#[pyfunction]
pub(crate) fn field_mul_small<'py>(
    py: Python<'py>,
    elements: PyReadonlyArray2<'py, u64>,
    values: PyReadonlyArray1<'py, i64>,
) -> PyResult<Array<'py>> {
    let (elements, values) = (limbs(&elements, "elements")?, items(&values, "values")?);
    let out = detached(py, || field::mul_small(elements, values))?;
    limb_array(py, out)
}

macro_rules! binary {
    ($name:ident, $function:path, $doc:literal) => {
        #[doc = $doc]
        #[pyfunction]
        pub(crate) fn $name<'py>(
            py: Python<'py>,
            left: PyReadonlyArray2<'py, u64>,
            right: PyReadonlyArray2<'py, u64>,
        ) -> PyResult<Array<'py>> {
            let (left, right) = (limbs(&left, "left")?, limbs(&right, "right")?);
            let out = detached(py, || $function(left, right))?;
            limb_array(py, out)
        }
    };
}

binary!(
    field_add,
    field::add,
    "`f_i + g_i`. Raises InvalidWitness for limbs of r or more."
);
binary!(
    field_sub,
    field::sub,
    "`f_i - g_i`. Raises InvalidWitness for limbs of r or more."
);
binary!(
    field_mul,
    field::mul,
    "`f_i * g_i`. Raises InvalidWitness for limbs of r or more."
);

/// `c * f_i`. Raises InvalidWitness for limbs of r or more.
#[pyfunction]
pub(crate) fn field_scale<'py>(
    py: Python<'py>,
    c: &Bound<'py, PyAny>,
    elements: PyReadonlyArray2<'py, u64>,
) -> PyResult<Array<'py>> {
    let (c, elements) = (scalar(c)?, limbs(&elements, "elements")?);
    let out = detached(py, || field::scale(c, elements))?;
    limb_array(py, out)
}

/// `1 / f_i`. Raises InvalidWitness for zero, or limbs of r or more.
#[pyfunction]
pub(crate) fn field_inverse<'py>(
    py: Python<'py>,
    elements: PyReadonlyArray2<'py, u64>,
) -> PyResult<Array<'py>> {
    let elements = limbs(&elements, "elements")?;
    let out = detached(py, || field::inverse(elements))?;
    limb_array(py, out)
}

/// The sum of all elements. Raises InvalidWitness for limbs of r or more.
#[pyfunction]
pub(crate) fn field_sum<'py>(
    py: Python<'py>,
    elements: PyReadonlyArray2<'py, u64>,
) -> PyResult<Bound<'py, PyAny>> {
    let elements = limbs(&elements, "elements")?;
    let out = detached(py, || field::sum(elements))?;
    integer(py, out)
}
