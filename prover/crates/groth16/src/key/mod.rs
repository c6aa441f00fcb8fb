//! The proving key on disk and in memory.

pub mod format;
mod proving;
mod tables;
mod writer;

pub use proving::{ProvingKey, Query};
pub(crate) use tables::Tables;
pub use tables::Wide;
pub(crate) use writer::KeyWriter;
