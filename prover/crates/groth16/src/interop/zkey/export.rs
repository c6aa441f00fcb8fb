//! A setup whose proving key snarkjs reads.
//!
//! snarkjs walks the matrices when it proves, so its key holds A and B beside the points; that is why a key is made for it
//! from a circuit's file, not from a proving key of ours.

use std::path::Path;

use ark_bn254::{Fr, FrConfig};
use ark_ff::MontConfig;
use assay_bn254::{PackedG1, PackedG2};
use zeroize::Zeroizing;

use super::{
    super::container::{put, put_base_field, put_scalar_field},
    A, B1, B2, CIRCUIT_HASH, COEFFICIENT, COEFFICIENTS, CONTRIBUTIONS, GROTH16, H, HEADER, IC, K,
    PROTOCOL,
};
use crate::{
    error::{Result, bail},
    field::element,
    interop::R1cs,
    key::format::{G1_SIZE, G2_SIZE, put_g1, put_g2},
    partial_file::PartialFile,
    progress::{Progress, report},
    random::Randomness,
    setup::{CHUNK, Elements, SetupBuilder},
    verifying_key::VerifyingKey,
};

/// Single-party setup of a circuit of circom's that writes its proving key twice, as `zkey` for snarkjs and as `key` for us;
/// both belong to the verifying key that is returned.
///
/// There was no ceremony, and the `zkey` says so: its circuit hash is zero and its list of contributions empty, so that
/// snarkjs' `zkey verify` refuses it.
///
/// # Errors
/// `InvalidInput` for a circuit that is too large; `Io`; `Cancelled`.
pub fn setup_zkey(
    circuit: &R1cs,
    zkey: &Path,
    key: &Path,
    randomness: &mut Randomness,
    progress: Progress<'_>,
) -> Result<VerifyingKey> {
    let layout = circuit.layout;
    if layout.committed || layout.private_weights() {
        bail!(
            InvalidInput,
            "zkey: only plain circuits without private weights can be written"
        );
    }
    let mut builder = SetupBuilder::with_power_of_two(layout, circuit.n_constraints, randomness)?;
    builder.push(&circuit.rows()?)?;
    builder.seal()?;
    let elements = Elements::new(&builder);
    let vk = elements.verifying_key();
    vk.check()?;
    let file = PartialFile::create(zkey)?;
    let writer = Writer {
        file,
        elements: &elements,
        progress,
    };
    let written = writer.write(circuit, &vk, builder.domain_size())?;
    elements.write_key(key, &vk, progress)?;
    written.finish()?;
    Ok(vk)
}

struct Writer<'a> {
    file: PartialFile,
    elements: &'a Elements<'a>,
    progress: Progress<'a>,
}

impl Writer<'_> {
    fn write(
        mut self,
        circuit: &R1cs,
        vk: &VerifyingKey,
        domain_size: usize,
    ) -> Result<PartialFile> {
        let layout = &circuit.layout;
        let wires = layout.n_wires();
        self.file.put(b"zkey")?;
        self.file.put(&words(&[1, 10]))?;
        self.section(PROTOCOL, &words(&[GROTH16]))?;
        self.section(HEADER, &self.header(circuit, vk, domain_size))?;
        let mut ic = Vec::with_capacity(vk.ic.len() * G1_SIZE);
        vk.ic.iter().for_each(|point| put_g1(&mut ic, point));
        self.section(IC, &ic)?;
        self.coefficients(circuit)?;
        let elements = self.elements;
        self.g1("zkey A", A, wires, &|i| elements.a(i))?;
        self.g1("zkey B1", B1, wires, &|i| elements.b(i))?;
        self.begin(B2, wires * G2_SIZE)?;
        for start in (0..wires).step_by(CHUNK) {
            report(self.progress, "zkey B2", start, wires)?;
            let scalars = (start..wires.min(start + CHUNK)).map(|i| elements.b(i));
            let scalars: Zeroizing<Vec<Fr>> = Zeroizing::new(scalars.collect());
            self.file
                .put(PackedG2::as_bytes(&elements.g2.mul_many(&scalars)))?;
        }
        let w2 = layout.w2();
        self.g1("zkey C", K, w2.len(), &|i| elements.w2(w2.start + i))?;
        let h = elements.h();
        self.g1("zkey H", H, h.len(), &|j| h[j])?;
        self.section(CONTRIBUTIONS, &[0; CIRCUIT_HASH + 4])?; // and no contributions
        Ok(self.file)
    }

    fn begin(&mut self, id: u32, length: usize) -> Result<()> {
        self.file.put(&id.to_le_bytes())?;
        self.file.put(&(length as u64).to_le_bytes())
    }

    fn section(&mut self, id: u32, bytes: &[u8]) -> Result<()> {
        self.begin(id, bytes.len())?;
        self.file.put(bytes)
    }

    fn header(&self, circuit: &R1cs, vk: &VerifyingKey, domain_size: usize) -> Vec<u8> {
        let [beta, delta] = self.elements.beta_and_delta();
        let mut out = Vec::new();
        put_base_field(&mut out);
        put_scalar_field(&mut out);
        let wires = narrow(circuit.layout.n_wires());
        out.extend(words(&[
            wires,
            circuit.layout.n_public,
            narrow(domain_size),
        ]));
        put_g1(&mut out, &vk.alpha);
        put_g1(&mut out, &beta);
        put_g2(&mut out, &vk.beta);
        put_g2(&mut out, &vk.gamma);
        put_g1(&mut out, &delta);
        put_g2(&mut out, &vk.delta);
        out
    }

    /// A's and B's entries, then the input rows: matrix, row, wire, and the value times R^2, so that its Montgomery product
    /// with a plain value is in Montgomery form.
    fn coefficients(&mut self, circuit: &R1cs) -> Result<()> {
        let rows = circuit.rows()?;
        let [a, b, _] = &circuit.matrices;
        let count = a.col.len() + b.col.len() + circuit.layout.n_ic();
        self.begin(COEFFICIENTS, 4 + count * COEFFICIENT)?;
        self.file.put(&words(&[narrow(count)]))?;
        let r = Fr::new(FrConfig::R);
        let entry = |matrix: u32, row: usize, wire: u32, value: Fr| -> [u8; COEFFICIENT] {
            let mut out = words(&[matrix, narrow(row), wire]);
            put(&mut out, &(value * r).0.0);
            out.try_into().expect("three words and an element")
        };
        for row in 0..circuit.n_constraints {
            for (number, (matrix, block)) in [(a, &rows.a), (b, &rows.b)].into_iter().enumerate() {
                for at in block.row(row) {
                    let value = element(matrix.coef[at]).expect("checked by the block");
                    self.file
                        .put(&entry(narrow(number), row, matrix.col[at], value))?;
                }
            }
        }
        for wire in 0..narrow(circuit.layout.n_ic()) {
            let row = circuit.n_constraints + wire as usize;
            self.file.put(&entry(0, row, wire, Fr::from(1u64)))?;
        }
        Ok(())
    }

    /// Points of all scalars, infinity included.
    fn g1(
        &mut self,
        stage: &'static str,
        id: u32,
        n: usize,
        scalar: &dyn Fn(usize) -> Fr,
    ) -> Result<()> {
        self.begin(id, n * G1_SIZE)?;
        for start in (0..n).step_by(CHUNK) {
            report(self.progress, stage, start, n)?;
            let scalars: Zeroizing<Vec<Fr>> =
                Zeroizing::new((start..n.min(start + CHUNK)).map(scalar).collect());
            self.file
                .put(PackedG1::as_bytes(&self.elements.g1.mul_many(&scalars)))?;
        }
        Ok(())
    }
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("indices are 32 bits")
}
