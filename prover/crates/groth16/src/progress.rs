//! Progress and cancellation.

use crate::error::{Error, Result};

/// Told a stage and the fraction of it that is done (0 to 1); answers whether to go on.
pub type Progress<'a> = &'a (dyn Fn(&'static str, f64) -> bool + Sync);

/// For callers that do not care.
pub const SILENT: Progress<'static> = &|_, _| true;

/// Reports, and turns the caller's "no" into an error.
pub(crate) fn report(
    progress: Progress<'_>,
    stage: &'static str,
    done: usize,
    total: usize,
) -> Result<()> {
    #[allow(clippy::cast_precision_loss)]
    let fraction = if total == 0 {
        1.0
    } else {
        done as f64 / total as f64
    };
    if progress(stage, fraction) {
        Ok(())
    } else {
        Err(Error::Cancelled)
    }
}
