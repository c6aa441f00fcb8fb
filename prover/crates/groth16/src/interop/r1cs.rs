//! `.r1cs`, version 1: circom's constraints.

use assay_bn254::Scalars;

use super::container::{Container, ELEMENT, build, put, put_scalar_field};
use crate::{
    error::{Result, bail},
    field::Limbs,
    layout::Layout,
    matrix::{MatrixBlock, Rows},
};

const HEADER: u32 = 1;
const CONSTRAINTS: u32 = 2;
const LABELS: u32 = 3;
const LABEL: usize = 8;

/// Rows of one matrix, owned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix {
    /// Row pointers.
    pub ptr: Vec<i64>,
    /// Wires.
    pub col: Vec<u32>,
    /// Canonical coefficients.
    pub coef: Vec<Limbs>,
}

impl Matrix {
    fn block(&self, n_wires: usize) -> Result<MatrixBlock<'_>> {
        MatrixBlock::new(&self.ptr, &self.col, Scalars::Full(&self.coef), n_wires)
    }
}

/// A circuit as circom writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct R1cs {
    /// Outputs among the public wires; they come first.
    pub n_outputs: u32,
    /// Plain mode: outputs and public inputs are the statement.
    pub layout: Layout,
    /// Number of rows.
    pub n_constraints: usize,
    /// `A, B, C`.
    pub matrices: [Matrix; 3],
}

impl R1cs {
    /// All rows.
    ///
    /// # Errors
    /// `InvalidInput` if the matrices are inconsistent (none that [`read_r1cs`] returned are).
    pub fn rows(&self) -> Result<Rows<'_>> {
        let [a, b, c] = &self.matrices;
        let n = self.layout.n_wires();
        let rows = Rows {
            a: a.block(n)?,
            b: b.block(n)?,
            c: c.block(n)?,
        };
        if rows.count()? != self.n_constraints {
            bail!(
                InvalidInput,
                "r1cs: {} rows where there are {} constraints",
                rows.count()?,
                self.n_constraints
            );
        }
        Ok(rows)
    }
}

/// Reads a circuit.
///
/// # Errors
/// `InvalidInput` for other fields or versions, truncated, duplicate or oversized sections, wires or values out of range,
/// and custom gates.
pub fn read_r1cs(bytes: &[u8]) -> Result<R1cs> {
    let file = Container::parse(bytes, "r1cs", &[1])?;
    file.only(&[HEADER, CONSTRAINTS, LABELS])?; // custom gates have sections of their own
    let mut header = file.section(HEADER)?;
    header.scalar_field()?;
    let n_wires = header.u32()?;
    // How many private inputs the source has; circom's optimiser may have left fewer wires.
    let [n_outputs, n_inputs, _private] = [header.u32()?, header.u32()?, header.u32()?];
    let _labels = header.u64()?;
    let n_constraints = header.u32()? as usize;
    header.end()?;
    let public = n_outputs.checked_add(n_inputs);
    let rest = public.and_then(|p| n_wires.checked_sub(p)?.checked_sub(1));
    let (Some(n_public), Some(n_w2)) = (public, rest) else {
        bail!(InvalidInput, "r1cs: more public wires than wires");
    };
    let layout = Layout::new(n_public, false, 0, 0, n_w2)?;
    let mut section = file.section(CONSTRAINTS)?;
    let mut matrices: [Matrix; 3] = Default::default();
    for matrix in &mut matrices {
        matrix.ptr.push(0);
    }
    for _ in 0..n_constraints {
        for matrix in &mut matrices {
            let terms = section.u32()?;
            for _ in 0..terms {
                let wire = section.u32()?;
                if wire >= n_wires {
                    bail!(
                        InvalidInput,
                        "r1cs: a constraint names wire {wire} of {n_wires}"
                    );
                }
                matrix.col.push(wire);
                matrix.coef.push(section.scalar()?);
            }
            matrix
                .ptr
                .push(i64::try_from(matrix.col.len()).expect("fits memory"));
        }
    }
    section.end()?;
    if file.has(LABELS) {
        let mut labels = file.section(LABELS)?;
        labels.take(LABEL * n_wires as usize)?;
        labels.end()?;
    } else {
        // Memory is taken for each wire: without labels, what bears a number out are its uses.
        let used: usize = matrices.iter().map(|m| m.col.len()).sum();
        if n_w2 as usize > used {
            bail!(
                InvalidInput,
                "r1cs: {n_wires} wires, which neither labels nor constraints bear out"
            );
        }
    }
    Ok(R1cs {
        n_outputs,
        layout,
        n_constraints,
        matrices,
    })
}

/// Writes a plain circuit; every wire's label is its index.
///
/// # Errors
/// `InvalidInput` for a committed or private-weights layout, which the format has no place for, and for inconsistent
/// matrices or more outputs than public wires.
pub fn write_r1cs(circuit: &R1cs) -> Result<Vec<u8>> {
    let layout = &circuit.layout;
    if layout.committed || layout.private_weights() {
        bail!(
            InvalidInput,
            "r1cs: only plain circuits without private weights can be written"
        );
    }
    let Some(n_inputs) = layout.n_public.checked_sub(circuit.n_outputs) else {
        bail!(
            InvalidInput,
            "r1cs: {} outputs among {} public wires",
            circuit.n_outputs,
            layout.n_public
        );
    };
    let narrow = |n: usize| u32::try_from(n).expect("indices are 32 bits");
    let n_wires = narrow(layout.n_wires());
    let mut header = Vec::new();
    put_scalar_field(&mut header);
    for value in [n_wires, circuit.n_outputs, n_inputs, 0] {
        header.extend(value.to_le_bytes());
    }
    header.extend(u64::from(n_wires).to_le_bytes());
    header.extend(narrow(circuit.n_constraints).to_le_bytes());
    let mut constraints = Vec::new();
    let rows = circuit.rows()?;
    for j in 0..circuit.n_constraints {
        for (matrix, block) in circuit.matrices.iter().zip([&rows.a, &rows.b, &rows.c]) {
            let row = block.row(j);
            constraints.reserve(4 + row.len() * (4 + ELEMENT));
            constraints.extend(narrow(row.len()).to_le_bytes());
            for entry in row {
                constraints.extend(matrix.col[entry].to_le_bytes());
                put(&mut constraints, &matrix.coef[entry]);
            }
        }
    }
    let labels = (0..u64::from(n_wires)).flat_map(u64::to_le_bytes).collect();
    Ok(build(
        "r1cs",
        1,
        &[
            (HEADER, header),
            (CONSTRAINTS, constraints),
            (LABELS, labels),
        ],
    ))
}
