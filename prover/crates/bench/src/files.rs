//! The bench circuit as files that snarkjs, and whoever reads its formats, can prove from.

use std::{error::Error, fs, path::Path};

use ark_ff::PrimeField;
use assay_groth16::{
    interop::{R1cs, setup_zkey, write_r1cs, write_wtns},
    progress::SILENT,
    random::Randomness,
};

use crate::{inputs::Values, squares::Squares};

/// Writes `circuit.r1cs`, `circuit.wtns`, `circuit.zkey` and the verifying key's bytes, `circuit.vk`.
pub fn write(circuit: &Squares, folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let path = |extension: &str| folder.join(format!("circuit.{extension}"));
    let r1cs = R1cs {
        n_outputs: 1,
        layout: circuit.layout(),
        n_constraints: circuit.n_constraints(),
        matrices: circuit.matrices(0..circuit.n_constraints()),
    };
    fs::write(path("r1cs"), write_r1cs(&r1cs)?)?;
    let mut wires = vec![[1, 0, 0, 0], circuit.public.into_bigint().0];
    match &circuit.wires {
        Values::Full(values) => wires.extend(values),
        Values::Small(values) => {
            for value in values {
                wires.push([u64::try_from(*value)?, 0, 0, 0]);
            }
        }
    }
    fs::write(path("wtns"), write_wtns(&wires)?)?;
    let mut randomness = Randomness::system();
    let vk = setup_zkey(&r1cs, &path("zkey"), &path("key"), &mut randomness, SILENT)?;
    fs::write(path("vk"), vk.to_bytes())?;
    Ok(())
}
