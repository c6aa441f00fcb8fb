//! snarkjs' proving key, turned into ours.

use std::{fs::File, path::Path};

use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, PrimeField, Zero};
use assay_bn254::ntt::Domain;
use memmap2::Mmap;
use rayon::prelude::*;

use super::{
    super::container::{Container, Reader, limbs},
    A, B1, B2, CIRCUIT_HASH, COEFFICIENT, COEFFICIENTS, CONTRIBUTION, CONTRIBUTIONS, GROTH16, H,
    HEADER, IC, K, PROTOCOL,
};
use crate::{
    error::{Error, Result, bail},
    field::element,
    key::{
        KeyWriter,
        format::{Description, G1_SIZE, G2_SIZE, Origin, Section, put_g1, put_g2},
    },
    layout::Layout,
    verifying_key::VerifyingKey,
};

fn coordinate(bytes: &[u8]) -> Result<Fq> {
    let limbs = BigInt(limbs(bytes));
    if limbs >= Fq::MODULUS {
        bail!(InvalidInput, "zkey: a coordinate is not below p");
    }
    Ok(Fq::new_unchecked(limbs))
}

fn g1(bytes: &[u8]) -> Result<G1Affine> {
    let (x, y) = (coordinate(&bytes[..32])?, coordinate(&bytes[32..])?);
    if x.is_zero() && y.is_zero() {
        return Ok(G1Affine::identity());
    }
    let point = G1Affine::new_unchecked(x, y);
    if !point.is_on_curve() {
        bail!(InvalidInput, "zkey: a point is not on the curve");
    }
    Ok(point)
}

fn g2(bytes: &[u8]) -> Result<G2Affine> {
    let part = |i: usize| coordinate(&bytes[32 * i..32 * (i + 1)]);
    let (x, y) = (Fq2::new(part(0)?, part(1)?), Fq2::new(part(2)?, part(3)?));
    if x.is_zero() && y.is_zero() {
        return Ok(G2Affine::identity());
    }
    let point = G2Affine::new_unchecked(x, y);
    if !point.is_on_curve() || !point.is_in_correct_subgroup_assuming_on_curve() {
        bail!(InvalidInput, "zkey: a G2 point is not in the group");
    }
    Ok(point)
}

/// A section of exactly `count` points, each checked.
fn points<T: Send>(
    file: &Container<'_>,
    section: u32,
    count: usize,
    size: usize,
    read: fn(&[u8]) -> Result<T>,
) -> Result<Vec<T>> {
    let mut section = file.section(section)?;
    let items: Vec<&[u8]> = section.items(count, size)?.collect();
    section.end()?;
    items.into_par_iter().map(read).collect()
}

struct Header {
    layout: Layout,
    domain_size: usize,
    alpha: G1Affine,
    beta: G1Affine,
    beta_2: G2Affine,
    gamma_2: G2Affine,
    delta: G1Affine,
    delta_2: G2Affine,
}

fn header(mut reader: Reader<'_>) -> Result<Header> {
    reader.base_field()?;
    reader.scalar_field()?;
    let [n_wires, n_public, domain_size] = [reader.u32()?, reader.u32()?, reader.u32()?];
    let Some(n_w2) = n_wires.checked_sub(n_public).and_then(|n| n.checked_sub(1)) else {
        bail!(InvalidInput, "zkey: more public wires than wires");
    };
    let header = Header {
        layout: Layout::new(n_public, false, 0, 0, n_w2)?,
        domain_size: domain_size as usize,
        alpha: g1(reader.take(G1_SIZE)?)?,
        beta: g1(reader.take(G1_SIZE)?)?,
        beta_2: g2(reader.take(G2_SIZE)?)?,
        gamma_2: g2(reader.take(G2_SIZE)?)?,
        delta: g1(reader.take(G1_SIZE)?)?,
        delta_2: g2(reader.take(G2_SIZE)?)?,
    };
    reader.end()?;
    Ok(header)
}

/// Rows of the circuit: the last row that the coefficients name is the last input row. The coefficients themselves are what
/// snarkjs proves with, and are checked for their ranges alone.
fn count_constraints(mut reader: Reader<'_>, layout: &Layout) -> Result<usize> {
    let count = reader.u32()? as usize;
    let mut last = None;
    for entry in reader.items(count, COEFFICIENT)? {
        let word =
            |at: usize| u32::from_le_bytes(entry[at..at + 4].try_into().expect("four bytes"));
        let [matrix, row, wire] = [word(0), word(4), word(8)];
        if matrix > 1 || wire as usize >= layout.n_wires() {
            bail!(
                InvalidInput,
                "zkey: a coefficient of matrix {matrix} names wire {wire} of {}",
                layout.n_wires()
            );
        }
        if element(limbs(&entry[12..])).is_none() {
            bail!(InvalidInput, "zkey: a coefficient is not below r");
        }
        last = last.max(Some(row));
    }
    reader.end()?;
    match last.and_then(|row| (row as usize).checked_sub(layout.n_public as usize)) {
        Some(n_constraints) => Ok(n_constraints),
        None => bail!(InvalidInput, "zkey: the input rows are missing"),
    }
}

/// The ceremony's record is of the length that it tells. What it proves is not checked.
fn check_contributions(mut reader: Reader<'_>) -> Result<()> {
    reader.take(CIRCUIT_HASH)?;
    for _ in 0..reader.u32()? {
        reader.take(CONTRIBUTION)?;
        let parameters = reader.u32()? as usize;
        reader.take(parameters)?;
    }
    reader.end()
}

/// Converts a key; returns the verifying key. Its origin is `Imported`: what its ceremony was worth is not checked here.
///
/// # Errors
/// `InvalidInput` for other protocols, curves or versions, truncated or oversized sections, points off their group;
/// `InvalidKey` for a key that [`VerifyingKey::check`] refuses, such as one without a phase-2 contribution; `Io`.
pub fn import_zkey(bytes: &[u8], target: &Path) -> Result<VerifyingKey> {
    let file = Container::parse(bytes, "zkey", &[1])?;
    let mut protocol = file.section(PROTOCOL)?;
    if protocol.u32()? != GROTH16 {
        bail!(InvalidInput, "zkey: another protocol than Groth16");
    }
    protocol.end()?;
    let header = header(file.section(HEADER)?)?;
    let layout = header.layout;
    let n_constraints = count_constraints(file.section(COEFFICIENTS)?, &layout)?;
    check_contributions(file.section(CONTRIBUTIONS)?)?;
    let domain = Domain::new(n_constraints + layout.n_ic());
    if domain.map(|d| d.size()) != Some(header.domain_size) {
        bail!(
            InvalidInput,
            "zkey: a domain of {} rows for {n_constraints} constraints",
            header.domain_size
        );
    }
    let vk = VerifyingKey {
        alpha: header.alpha,
        beta: header.beta_2,
        gamma: header.gamma_2,
        delta: header.delta_2,
        delta_1: None,
        delta_m: None,
        ic: points(&file, IC, layout.n_ic(), G1_SIZE, g1)?,
    };
    vk.check()?;
    let wires = layout.n_wires();
    let a = points(&file, A, wires, G1_SIZE, g1)?;
    let b1 = points(&file, B1, wires, G1_SIZE, g1)?;
    let b2 = points(&file, B2, wires, G2_SIZE, g2)?;
    let k = points(&file, K, layout.w2().len(), G1_SIZE, g1)?;
    let h = points(&file, H, header.domain_size, G1_SIZE, g1)?;
    if h.iter().any(AffineRepr::is_zero) {
        bail!(InvalidInput, "zkey: a point of H is infinity");
    }
    if b1
        .iter()
        .zip(&b2)
        .any(|(left, right)| left.is_zero() != right.is_zero())
    {
        bail!(InvalidInput, "zkey: B's two sections disagree");
    }

    let mut writer = KeyWriter::create(target)?;
    writer.section(Section::VerifyingKey, &vk.to_bytes())?;
    let mut constants = Vec::new();
    let absent = G1Affine::identity();
    for point in [header.alpha, header.beta, header.delta, absent, absent] {
        put_g1(&mut constants, &point);
    }
    put_g2(&mut constants, &header.beta_2);
    put_g2(&mut constants, &header.delta_2);
    // Nothing in a zkey determines tau in G2: such a key cannot be checked.
    put_g2(&mut constants, &G2Affine::identity());
    put_g2(&mut constants, &G2Affine::identity());
    writer.section(Section::Constants, &constants)?;
    query(&mut writer, Section::IndexA, Section::A, &a)?;
    query(&mut writer, Section::IndexB, Section::B1, &b1)?;
    writer.begin(Section::B2)?;
    for point in b2.iter().filter(|p| !p.is_zero()) {
        let mut bytes = Vec::with_capacity(G2_SIZE);
        put_g2(&mut bytes, point);
        writer.append(Section::B2, &bytes)?;
    }
    query(&mut writer, Section::IndexK, Section::K, &k)?;
    for empty in [Section::IndexD, Section::D, Section::IndexM, Section::M] {
        writer.begin(empty)?;
    }
    let mut bytes = Vec::with_capacity(h.len() * G1_SIZE);
    h.iter().for_each(|point| put_g1(&mut bytes, point));
    writer.section(Section::H, &bytes)?;
    let description = Description {
        origin: Origin::Imported,
        merged: false,
        layout,
        n_constraints,
        domain_size: header.domain_size,
        rows: [0; 32],
    };
    writer.finish(&description, |_| absent)?;
    Ok(vk)
}

/// Converts a key file, mapped rather than read.
///
/// # Errors
/// As [`import_zkey`], and `Io` for the source.
pub fn import_zkey_file(source: &Path, target: &Path) -> Result<VerifyingKey> {
    let file = File::open(source).map_err(Error::io(source))?;
    if file.metadata().map_err(Error::io(source))?.len() == 0 {
        bail!(InvalidInput, "zkey: truncated");
    }
    // SAFETY: read-only; another process that truncates the file meanwhile ends this one with SIGBUS.
    let map = unsafe { Mmap::map(&file) }.map_err(Error::io(source))?;
    import_zkey(&map, target)
}

fn query(
    writer: &mut KeyWriter,
    index: Section,
    section: Section,
    points: &[G1Affine],
) -> Result<()> {
    let narrow = |i: usize| u32::try_from(i).expect("32-bit wires");
    writer.begin(index)?;
    if points.iter().any(AffineRepr::is_zero) {
        let kept = points.iter().enumerate().filter(|(_, p)| !p.is_zero());
        let bytes: Vec<u8> = kept.flat_map(|(i, _)| narrow(i).to_le_bytes()).collect();
        writer.append(index, &bytes)?;
    }
    let mut bytes = Vec::with_capacity(points.len() * G1_SIZE);
    for point in points.iter().filter(|p| !p.is_zero()) {
        put_g1(&mut bytes, point);
    }
    writer.section(section, &bytes)
}
