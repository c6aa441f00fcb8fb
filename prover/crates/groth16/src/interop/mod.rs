//! Files of snarkjs and circom, plain mode: `.r1cs`, `.wtns`, `.zkey`.
//!
//! All three share one container (iden3's binary format): four letters, a version, sections with a type and a length.
//! Wires are circom's: `1, outputs, public inputs | the rest`, which is [`crate::Layout`]'s order in plain mode.

mod container;
mod r1cs;
mod wtns;
mod zkey;

pub use r1cs::{Matrix, R1cs, read_r1cs, write_r1cs};
pub use wtns::{read_wtns, write_wtns};
pub use zkey::{import_zkey, import_zkey_file, setup_zkey};
