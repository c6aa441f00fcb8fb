//! Groth16 over BN254, plain and with one commitment round (MIRAGE).
//!
//! `docs/protocol.md` is normative for every byte. A circuit is a [`Layout`] and rows of three sparse matrices;
//! [`SetupBuilder`] streams them into a key file, [`ProvingKey`] maps that file, [`Session`] proves, [`verify::verify`]
//! checks. The prover takes time that depends on the witness: do not run it where others can time it finely.

pub mod challenge;
pub mod encoding;
pub mod error;
pub mod field;
mod gather;
pub mod interop;
pub mod key;
pub mod layout;
pub mod matrix;
mod partial_file;
pub mod precompile;
pub mod progress;
pub mod proof;
pub mod prove;
mod quotient;
pub mod random;
mod rows_digest;
pub mod setup;
pub mod verify;
pub mod verifying_key;

pub use error::{Error, Result};
pub use key::{KeyCheck, ProvingKey, format::Origin};
pub use layout::Layout;
pub use matrix::{MatrixBlock, Rows};
pub use proof::Proof;
pub use prove::{Assignment, Job, ModelCommitment, PreparedModel, Session};
pub use random::Randomness;
pub use setup::SetupBuilder;
pub use verifying_key::VerifyingKey;
