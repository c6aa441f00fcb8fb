//! `.wtns`, version 2: all wires' values.

use ark_ff::{BigInt, PrimeField};

use super::container::{Container, ELEMENT, build, limbs, put, put_scalar_field};
use crate::{
    error::{Result, bail},
    field::Limbs,
};

const HEADER: u32 = 1;
const VALUES: u32 = 2;

/// Reads a witness: canonical values of all wires, the leading 1 included.
///
/// # Errors
/// `InvalidInput` for other fields or versions, truncated or oversized sections, values of r or more, a first wire that is
/// not 1.
pub fn read_wtns(bytes: &[u8]) -> Result<Vec<Limbs>> {
    let file = Container::parse(bytes, "wtns", &[2])?;
    let mut header = file.section(HEADER)?;
    header.scalar_field()?;
    let count = header.u32()? as usize;
    header.end()?;
    let mut section = file.section(VALUES)?;
    let values: Vec<Limbs> = section.items(count, ELEMENT)?.map(limbs).collect();
    section.end()?;
    if values.iter().any(|v| BigInt(*v) >= ark_bn254::Fr::MODULUS) {
        bail!(InvalidInput, "wtns: a value is not below r");
    }
    if values.first() != Some(&[1, 0, 0, 0]) {
        bail!(InvalidInput, "wtns: the first wire is not 1");
    }
    Ok(values)
}

/// Writes a witness.
///
/// # Errors
/// As [`read_wtns`] for values that it would refuse.
pub fn write_wtns(values: &[Limbs]) -> Result<Vec<u8>> {
    let Ok(count) = u32::try_from(values.len()) else {
        bail!(InvalidInput, "wtns: {} values", values.len());
    };
    let mut header = Vec::new();
    put_scalar_field(&mut header);
    header.extend(count.to_le_bytes());
    let mut body = Vec::with_capacity(values.len() * ELEMENT);
    for value in values {
        put(&mut body, value);
    }
    let out = build("wtns", 2, &[(HEADER, header), (VALUES, body)]);
    read_wtns(&out)?;
    Ok(out)
}
