//! The proving key on disk and in memory.

pub mod format;
mod proving;
mod writer;

pub use proving::{ProvingKey, Query};
pub(crate) use writer::KeyWriter;
