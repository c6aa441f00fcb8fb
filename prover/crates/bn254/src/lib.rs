//! BN254 kernels: multi-scalar multiplication, number-theoretic transforms and fixed-base tables.
//!
//! Types are arkworks' (Montgomery form, R = 2^256, four 64-bit limbs). All functions run on the current rayon pool.

pub mod fixed_base;
pub mod msm;
pub mod ntt;
pub mod scalars;

pub use ark_bn254::{Fq, Fq2, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
pub use scalars::Scalars;
