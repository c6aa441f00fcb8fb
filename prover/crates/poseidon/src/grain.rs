//! The Grain LFSR that Poseidon's parameters are drawn from (Grassi et al., USENIX Security 2021, appendix E).

use ark_bn254::Fr;
use ark_ff::{BigInt, PrimeField};

const FIELD_BITS: u32 = 254;

/// Self-shrinking 80-bit generator, seeded with the instance's description.
pub(crate) struct Grain {
    state: u128,
}

impl Grain {
    /// Generator for a prime field with S-box x^5 and the given width and rounds.
    pub(crate) fn new(width: usize, full_rounds: usize, partial_rounds: usize) -> Self {
        let mut grain = Self { state: 0 };
        let mut filled = 0;
        let mut put = |value: u128, bits: u32| {
            for bit in (0..bits).rev() {
                grain.state |= ((value >> bit) & 1) << filled;
                filled += 1;
            }
        };
        put(1, 2); // prime field
        put(0, 4); // S-box x^alpha
        put(u128::from(FIELD_BITS), 12);
        put(width as u128, 12);
        put(full_rounds as u128, 10);
        put(partial_rounds as u128, 10);
        put((1 << 30) - 1, 30);
        for _ in 0..160 {
            grain.step();
        }
        grain
    }

    fn step(&mut self) -> u128 {
        let s = self.state;
        let bit = ((s >> 62) ^ (s >> 51) ^ (s >> 38) ^ (s >> 23) ^ (s >> 13) ^ s) & 1;
        self.state = (s >> 1) | (bit << 79);
        bit
    }

    fn bit(&mut self) -> u64 {
        loop {
            let keep = self.step();
            let bit = self.step();
            if keep == 1 {
                return bit as u64;
            }
        }
    }

    fn integer(&mut self) -> [u64; 4] {
        let mut limbs = [0u64; 4];
        for position in (0..FIELD_BITS as usize).rev() {
            limbs[position / 64] |= self.bit() << (position % 64);
        }
        limbs
    }

    /// Uniform element: integers of r or more are drawn again. Used for round constants.
    pub(crate) fn element(&mut self) -> Fr {
        loop {
            if let Some(value) = Fr::from_bigint(BigInt(self.integer())) {
                return value;
            }
        }
    }

    /// Integer reduced modulo r, as the reference script draws the matrix.
    pub(crate) fn element_reduced(&mut self) -> Fr {
        let mut bytes = [0u8; 32];
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(self.integer()) {
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
        Fr::from_le_bytes_mod_order(&bytes)
    }
}
