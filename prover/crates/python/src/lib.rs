//! `assay_prover._native`: glue between Python and the core. Every array is borrowed, every computation releases the GIL.

mod circuit;
mod convert;
mod errors;
mod evm;
mod field;
mod hash;
mod interop;
mod key_check;
mod keys;
mod model_commitment;
mod run;
mod session;
mod setup;
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

/// The code path in use: "portable" or "ifma" (AVX-512, 8 lanes). ASSAY_KERNEL forces one.
#[pyfunction]
fn kernel() -> &'static str {
    assay_bn254::Kernel::active().name()
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    errors::register(module)?;
    module.add_class::<circuit::PyLayout>()?;
    module.add_class::<setup::PySetupBuilder>()?;
    module.add_class::<key_check::PyKeyCheck>()?;
    module.add_class::<keys::PyProvingKey>()?;
    module.add_class::<session::PySession>()?;
    module.add_class::<model_commitment::PyModelCommitment>()?;
    module.add_class::<model_commitment::PyPreparedModel>()?;
    macro_rules! functions {
        ($($function:path),+ $(,)?) => { $(module.add_function(wrap_pyfunction!($function, module)?)?;)+ };
    }
    functions![
        build_profile,
        kernel,
        circuit::check_r1cs,
        circuit::eval_rows,
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
        interop::r1cs_read,
        interop::r1cs_write,
        interop::wtns_read,
        interop::wtns_write,
        interop::zkey_import,
        interop::zkey_setup,
        run::panic_for_test,
        verify::verify,
        verify::verify_batch,
        verify::check_verifying_key,
        verify::verifying_key_hash,
    ];
    Ok(())
}
