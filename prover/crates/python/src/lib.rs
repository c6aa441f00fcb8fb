//! `assay_prover._native`: glue between Python and the core. Every array is borrowed, every computation releases the GIL.

mod convert;
mod errors;
mod evm;
mod field;
mod hash;
mod verify;

use pyo3::prelude::*;

/// "release" or "debug"; benches refuse the latter.
#[pyfunction]
fn build_profile() -> &'static str {
    if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    }
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    errors::register(module)?;
    macro_rules! functions {
        ($($function:path),+ $(,)?) => { $(module.add_function(wrap_pyfunction!($function, module)?)?;)+ };
    }
    functions![
        build_profile,
        evm::evm_ecadd,
        evm::evm_ecmul,
        evm::evm_ecpairing,
        hash::poseidon,
        hash::poseidon_trace,
        hash::poseidon_parameters,
        hash::keccak256,
        field::field_inverse_differences,
        field::field_sub_from,
        field::field_from_small,
        field::field_mul_small,
        field::field_add,
        field::field_sub,
        field::field_mul,
        field::field_scale,
        field::field_inverse,
        field::field_sum,
        verify::verify,
        verify::verify_batch,
        verify::check_verifying_key,
        verify::verifying_key_hash,
    ];
    Ok(())
}
