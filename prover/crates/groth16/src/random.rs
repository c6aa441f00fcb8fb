//! Where secrets come from: the operating system, or a seed in tests.

use ark_bn254::Fr;
use ark_ff::{UniformRand, Zero};
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, OsRng, RngCore, SeedableRng};

/// Randomness of one operation.
#[allow(missing_debug_implementations)]
pub struct Randomness(Source);

enum Source {
    System(OsRng),
    Seeded(Box<ChaCha20Rng>),
}

impl Randomness {
    /// The operating system's generator.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System(OsRng))
    }

    /// Reproducible, for tests alone: whoever knows the seed knows every secret drawn.
    #[must_use]
    pub fn insecure_from_seed(seed: [u8; 32]) -> Self {
        Self(Source::Seeded(Box::new(ChaCha20Rng::from_seed(seed))))
    }

    /// Whether a test's seed determines what is drawn.
    #[must_use]
    pub fn is_seeded(&self) -> bool {
        matches!(self.0, Source::Seeded(_))
    }

    /// Uniform in Fr (rejection sampling over 254 bits, no reduction).
    pub fn scalar(&mut self) -> Fr {
        match &mut self.0 {
            Source::System(rng) => Fr::rand(rng),
            Source::Seeded(rng) => Fr::rand(rng.as_mut()),
        }
    }

    /// Uniform and not zero.
    pub fn nonzero(&mut self) -> Fr {
        loop {
            let value = self.scalar();
            if !value.is_zero() {
                return value;
            }
        }
    }

    /// Not zero, below 2^128: a coefficient of a random combination.
    pub fn combination(&mut self) -> Fr {
        loop {
            let mut bytes = [0u8; 16];
            self.fill(&mut bytes);
            let value = u128::from_le_bytes(bytes);
            if value != 0 {
                return Fr::from(value);
            }
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        fn with(rng: &mut (impl RngCore + CryptoRng), bytes: &mut [u8]) {
            rng.fill_bytes(bytes);
        }
        match &mut self.0 {
            Source::System(rng) => with(rng, bytes),
            Source::Seeded(rng) => with(rng.as_mut(), bytes),
        }
    }
}
