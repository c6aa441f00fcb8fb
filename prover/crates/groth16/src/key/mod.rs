//! The proving key on disk and in memory.

mod check;
pub mod format;
mod points;
mod proving;
mod sections;
mod tables;
mod weights;
mod writer;

pub use check::KeyCheck;
pub use proving::{ProvingKey, Query};
pub(crate) use tables::Tables;
pub use tables::Wide;
pub(crate) use weights::Weights;
pub(crate) use writer::KeyWriter;
