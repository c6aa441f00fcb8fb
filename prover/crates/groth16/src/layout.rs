//! Wire indices: `z = (1, x_1..x_n, c | m | w1 | w2)`.

use std::ops::Range;

use crate::error::{Result, bail};

/// Largest number of public inputs a key may have; far above what a contract can afford.
pub const MAX_PUBLIC: u32 = 1 << 20;

/// How many wires of each group a circuit has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Statement words `x_1..x_n`.
    pub n_public: u32,
    /// Whether there is a commitment round, hence a challenge wire.
    pub committed: bool,
    /// Private weights, committed once per model.
    pub n_model: u32,
    /// Wires the challenge depends on; 0 unless committed.
    pub n_w1: u32,
    /// The rest.
    pub n_w2: u32,
}

impl Layout {
    /// A layout.
    ///
    /// # Errors
    /// `InvalidInput` when committed wires come without a commitment round or indices exceed 32 bits.
    pub fn new(n_public: u32, committed: bool, n_model: u32, n_w1: u32, n_w2: u32) -> Result<Self> {
        if n_public > MAX_PUBLIC {
            bail!(
                InvalidInput,
                "{n_public} public inputs; at most {MAX_PUBLIC}"
            );
        }
        if !committed && n_w1 != 0 {
            bail!(
                InvalidInput,
                "{n_w1} committed wires in a layout without a commitment round"
            );
        }
        let total = [1, n_public, u32::from(committed), n_model, n_w1, n_w2]
            .iter()
            .map(|&n| u64::from(n))
            .sum::<u64>();
        if total >= u64::from(u32::MAX) {
            bail!(InvalidInput, "{total} wires; indices are 32 bits");
        }
        Ok(Self {
            n_public,
            committed,
            n_model,
            n_w1,
            n_w2,
        })
    }

    /// Wires of the verifying key: `1, x, c`.
    #[must_use]
    pub fn n_ic(&self) -> usize {
        1 + self.n_public as usize + usize::from(self.committed)
    }

    /// All wires.
    #[must_use]
    pub fn n_wires(&self) -> usize {
        self.w2().end
    }

    /// Index of the challenge.
    #[must_use]
    pub fn challenge(&self) -> Option<usize> {
        self.committed.then(|| 1 + self.n_public as usize)
    }

    /// Whether the model's weights are private.
    #[must_use]
    pub fn private_weights(&self) -> bool {
        self.n_model > 0
    }

    /// Indices of the model wires.
    #[must_use]
    pub fn model(&self) -> Range<usize> {
        let start = self.n_ic();
        start..start + self.n_model as usize
    }

    /// Indices of the committed wires.
    #[must_use]
    pub fn w1(&self) -> Range<usize> {
        let start = self.model().end;
        start..start + self.n_w1 as usize
    }

    /// Indices of the remaining wires.
    #[must_use]
    pub fn w2(&self) -> Range<usize> {
        let start = self.w1().end;
        start..start + self.n_w2 as usize
    }
}
