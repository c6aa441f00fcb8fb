//! `.zkey`, version 1 (Groth16): snarkjs' proving key, turned into ours ([`import_zkey`]) or made by our setup
//! ([`setup_zkey`]).
//!
//! Points have the same bytes in both files (Montgomery, R = 2^256, little-endian limbs), and the H sections are the same
//! elements: snarkjs' odd half of the 2n-point Lagrange basis over delta is the odd coset's basis times Z / (-2 delta). What
//! differs is K, which here does not hold the half of C, so that an imported key proves with six transforms.

mod export;
mod import;

use super::container::ELEMENT;
use crate::key::format::{G1_SIZE, G2_SIZE};

pub use export::setup_zkey;
pub use import::{import_zkey, import_zkey_file};

const PROTOCOL: u32 = 1;
const GROTH16: u32 = 1;
const HEADER: u32 = 2;
const IC: u32 = 3;
const COEFFICIENTS: u32 = 4;
const A: u32 = 5;
const B1: u32 = 6;
const B2: u32 = 7;
const K: u32 = 8;
const H: u32 = 9;
const CONTRIBUTIONS: u32 = 10;
const COEFFICIENT: usize = 12 + ELEMENT;
const CIRCUIT_HASH: usize = 64;
/// Three points of G1, one of G2, a transcript's hash, a type; a length and so many bytes of parameters follow.
const CONTRIBUTION: usize = 3 * G1_SIZE + G2_SIZE + 64 + 4;
