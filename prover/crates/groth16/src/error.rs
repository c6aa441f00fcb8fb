//! The one error type.

/// Why something was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The proof does not prove the statement, or is not a proof's encoding.
    #[error("invalid proof: {0}")]
    InvalidProof(String),
    /// A verifying or proving key is malformed, damaged, stale or unsafe.
    #[error("invalid key: {0}")]
    InvalidKey(String),
    /// Wire values are out of range, of the wrong number, or do not satisfy the circuit.
    #[error("invalid witness: {0}")]
    InvalidWitness(String),
    /// A statement, matrix, file or argument is malformed.
    #[error("invalid input: {0}")]
    InvalidInput(String),
    /// The caller's progress callback asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// Reading or writing a file failed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Result with the crate's error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn io(path: &std::path::Path) -> impl Fn(std::io::Error) -> Self + '_ {
        |source| Self::Io {
            path: path.display().to_string(),
            source,
        }
    }
}

macro_rules! bail {
    ($kind:ident, $($message:tt)*) => {
        return Err($crate::error::Error::$kind(format!($($message)*)))
    };
}
pub(crate) use bail;
