//! The proving key on disk and in memory.

mod check;
pub mod format;
mod proving;
mod tables;
mod writer;

pub use check::KeyCheck;
pub(crate) use check::Weights;
pub use proving::{ProvingKey, Query};
pub(crate) use tables::Tables;
pub use tables::Wide;
pub(crate) use writer::KeyWriter;
