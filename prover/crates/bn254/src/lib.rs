#![doc = include_str!("../README.md")]

mod curve;
mod field;
pub mod fixed_base;
pub mod kernel;
pub mod msm;
pub mod ntt;
pub mod packed;
pub mod scalars;

pub use ark_bn254::{Fq, Fq2, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
pub use kernel::Kernel;
pub use packed::{PackedG1, PackedG2};
pub use scalars::Scalars;
