//! Field arithmetic that arkworks does not have.

#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;
pub(crate) mod inverse;
