//! Poseidon over BN254's scalar field with circomlib's parameters: S-box x^5, 8 full rounds, widths 2 to 17.
//!
//! The state starts as `(0, inputs)`, the hash is the first element after the last round. Parameters are generated from
//! the Grain LFSR on first use (Grassi, Khovratovich, Rechberger, Roy, Schofnegger: "Poseidon", USENIX Security 2021) and
//! equal circomlib's tables.
//!
//! [`trace`] gives the wires a circuit needs: for each S-box, round by round, the square, the fourth and the fifth power.

mod grain;

use std::sync::OnceLock;

use ark_bn254::Fr;
use ark_ff::{Field, Zero};
use zeroize::Zeroizing;

/// Full rounds, half of them before and half after the partial ones.
pub const FULL_ROUNDS: usize = 8;
/// Largest number of inputs to one permutation.
pub const MAX_INPUTS: usize = 16;
/// Partial rounds for widths 2 to 17 (circomlib).
const PARTIAL_ROUNDS: [usize; MAX_INPUTS] = [
    56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68,
];

/// Constants of one width.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// State size, inputs + 1.
    pub width: usize,
    /// Partial rounds, between the two halves of the full ones.
    pub partial_rounds: usize,
    /// `width` constants a round, round by round.
    pub round_constants: Vec<Fr>,
    /// Row-major `width * width` matrix: new state i is the sum over j of `mds[i * width + j]` times old state j.
    pub mds: Vec<Fr>,
}

impl Parameters {
    fn generate(width: usize) -> Self {
        let partial_rounds = PARTIAL_ROUNDS[width - 2];
        let mut grain = grain::Grain::new(width, FULL_ROUNDS, partial_rounds);
        let round_constants = (0..width * (FULL_ROUNDS + partial_rounds))
            .map(|_| grain.element())
            .collect();
        let points = loop {
            let points: Vec<Fr> = (0..2 * width).map(|_| grain.element_reduced()).collect();
            let distinct = (0..points.len()).all(|i| !points[..i].contains(&points[i]));
            if distinct {
                break points;
            }
        };
        let (xs, ys) = points.split_at(width);
        let mds = xs
            .iter()
            .flat_map(|x| {
                ys.iter()
                    .map(move |y| (*x + y).inverse().expect("Cauchy matrix exists"))
            })
            .collect();
        Self {
            width,
            partial_rounds,
            round_constants,
            mds,
        }
    }

    /// Number of rounds.
    #[must_use]
    pub fn rounds(&self) -> usize {
        FULL_ROUNDS + self.partial_rounds
    }

    /// Whether every element of the state passes the S-box in `round`.
    #[must_use]
    pub fn is_full(&self, round: usize) -> bool {
        round < FULL_ROUNDS / 2 || round >= FULL_ROUNDS / 2 + self.partial_rounds
    }

    /// S-boxes in one permutation.
    #[must_use]
    pub fn sboxes(&self) -> usize {
        FULL_ROUNDS * self.width + self.partial_rounds
    }

    /// Runs the permutation; `observe` sees the square, fourth and fifth power of each S-box in order.
    fn permute(&self, state: &mut [Fr], mut observe: impl FnMut([Fr; 3])) {
        let width = self.width;
        let mut next = Zeroizing::new(vec![Fr::zero(); width]);
        for round in 0..self.rounds() {
            let constants = &self.round_constants[round * width..(round + 1) * width];
            for (value, constant) in state.iter_mut().zip(constants) {
                *value += constant;
            }
            let active = if self.is_full(round) { width } else { 1 };
            for value in &mut state[..active] {
                let square = value.square();
                let fourth = square.square();
                *value *= fourth;
                observe([square, fourth, *value]);
            }
            for (row, out) in self.mds.chunks_exact(width).zip(next.iter_mut()) {
                *out = row.iter().zip(state.iter()).map(|(m, s)| *m * s).sum();
            }
            state.copy_from_slice(&next);
        }
    }
}

/// Constants for a state of `width` elements, or `None` outside 2..=17.
#[must_use]
pub fn parameters(width: usize) -> Option<&'static Parameters> {
    static CACHE: [OnceLock<Parameters>; MAX_INPUTS] = [const { OnceLock::new() }; MAX_INPUTS];
    let slot = CACHE.get(width.checked_sub(2)?)?;
    Some(slot.get_or_init(|| Parameters::generate(width)))
}

fn start(inputs: &[Fr]) -> Option<(&'static Parameters, Zeroizing<Vec<Fr>>)> {
    let parameters = parameters(inputs.len() + 1)?;
    let mut state = Zeroizing::new(Vec::with_capacity(parameters.width));
    state.push(Fr::zero());
    state.extend_from_slice(inputs);
    Some((parameters, state))
}

/// Hash of 1 to 16 elements; `None` for any other number.
#[must_use]
pub fn hash(inputs: &[Fr]) -> Option<Fr> {
    let (parameters, mut state) = start(inputs)?;
    parameters.permute(&mut state, |_| ());
    Some(state[0])
}

/// Square, fourth and fifth power of every S-box, in order, and the hash; `None` unless there are 1 to 16 inputs.
#[must_use]
pub fn trace(inputs: &[Fr]) -> Option<(Vec<Fr>, Fr)> {
    let (parameters, mut state) = start(inputs)?;
    let mut wires = Vec::with_capacity(3 * parameters.sboxes());
    parameters.permute(&mut state, |powers| wires.extend_from_slice(&powers));
    Some((wires, state[0]))
}
