//! Inversion by an optimised binary gcd, in variable time.
//!
//! T. Pornin, "Optimized Binary GCD for Modular Inversion", IACR ePrint 2020/972, algorithm 2: 31 steps at a time on the
//! low 31 and top 33 bits of both operands, then one linear update of the operands and of the Bezout coefficients.
//! About four times as fast as the plain binary algorithm, which matters where a batch of additions is short.

use ark_bn254::{Fq, Fq2, FqConfig};
use ark_ff::{BigInt, Field, MontConfig, PrimeField};

/// Steps per update.
const STEPS: u32 = 31;

/// Updates after which any pair of 254-bit operands has reached (0, gcd).
const UPDATES: usize = 17;

const P: [u64; 4] = Fq::MODULUS.0;

/// -1/p modulo 2^31.
const NEGATED_INVERSE: u64 = {
    let mut inverse = 1u64;
    let mut k = 0;
    while k < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(P[0].wrapping_mul(inverse)));
        k += 1;
    }
    inverse.wrapping_neg() & ((1 << STEPS) - 1)
};

/// Base fields with a fast inversion.
pub(crate) trait Invert: Field {
    /// `1 / self`, or `None` of zero.
    fn inverted(self) -> Option<Self>;
}

impl Invert for Fq {
    fn inverted(self) -> Option<Self> {
        // The words hold x R: their inverse is 1 / (x R), and R^3 brings it back to R / x.
        let square = Self::new_unchecked(FqConfig::R2);
        let cube = square * square;
        Some(Self::new_unchecked(BigInt(invert_words(self.0.0)?)) * cube)
    }
}

impl Invert for Fq2 {
    fn inverted(self) -> Option<Self> {
        let inverse = (self.c0.square() + self.c1.square()).inverted()?;
        Some(Self::new(self.c0 * inverse, -(self.c1 * inverse)))
    }
}

/// The inverse modulo p of `value` < p, both plain integers.
fn invert_words(value: [u64; 4]) -> Option<[u64; 4]> {
    if value == [0; 4] {
        return None;
    }
    // Invariants: a = value * u and b = value * v modulo p, b odd.
    let (mut a, mut b) = (value, P);
    let (mut u, mut v) = ([1, 0, 0, 0], [0; 4]);
    for _ in 0..UPDATES {
        let [row_a, row_b] = steps(&a, &b);
        let (next_a, negate_a) = combine(&a, &b, row_a);
        let (next_b, negate_b) = combine(&a, &b, row_b);
        (a, b) = (next_a, next_b);
        let (row_a, row_b) = (signed(row_a, negate_a), signed(row_b, negate_b));
        (u, v) = (combine_modulo(&u, &v, row_a), combine_modulo(&u, &v, row_b));
    }
    debug_assert_eq!((a, b), ([0; 4], [1, 0, 0, 0]), "p is prime");
    Some(v)
}

fn signed([f, g]: [i64; 2], negate: bool) -> [i64; 2] {
    if negate { [-f, -g] } else { [f, g] }
}

/// The factors of the linear map that 31 binary steps on (a, b) amount to, times 2^31; |f| + |g| <= 2^31 in each row.
fn steps(a: &[u64; 4], b: &[u64; 4]) -> [[i64; 2]; 2] {
    let length = (0..4)
        .rev()
        .find(|&k| a[k] | b[k] != 0)
        .map_or(0, |k| 64 * k as u32 + 64 - (a[k] | b[k]).leading_zeros())
        .max(64);
    let (mut x, mut y) = (approximate(a, length), approximate(b, length));
    // A row is f + 2^32 g in wrapping arithmetic, both in (-2^31, 2^31], so that one operation updates both.
    let (mut row_x, mut row_y) = (1u64, 1u64 << 32);
    for _ in 0..STEPS {
        let odd = (x & 1).wrapping_neg();
        let swap = odd & u64::from(x < y).wrapping_neg();
        let exchanged = (x ^ y) & swap;
        x ^= exchanged;
        y ^= exchanged;
        let exchanged = (row_x ^ row_y) & swap;
        row_x ^= exchanged;
        row_y ^= exchanged;
        x = x.wrapping_sub(y & odd) >> 1;
        row_x = row_x.wrapping_sub(row_y & odd);
        row_y <<= 1;
    }
    [unpack(row_x), unpack(row_y)]
}

/// The f and g of a packed row.
fn unpack(row: u64) -> [i64; 2] {
    const HALF: u64 = (1 << STEPS) - 1;
    let offset = row.wrapping_add(HALF << 32 | HALF);
    [offset & u64::from(u32::MAX), offset >> 32].map(|half| half.cast_signed() - HALF.cast_signed())
}

/// The low 31 bits of a value of at most `length` >= 64 bits, and above them its top 33 bits.
fn approximate(value: &[u64; 4], length: u32) -> u64 {
    let shift = length - 33;
    let (word, bit) = ((shift / 64) as usize, shift % 64);
    let mut top = value[word] >> bit;
    if bit > 31 && word < 3 {
        top |= value[word + 1] << (64 - bit);
    }
    (value[0] & ((1 << STEPS) - 1)) | top << STEPS
}

/// `|f a + g b| / 2^31` and whether the sum is negative; the division is exact.
fn combine(a: &[u64; 4], b: &[u64; 4], row: [i64; 2]) -> ([u64; 4], bool) {
    let mut wide = linear(a, b, row);
    let negative = wide[4].cast_signed() < 0;
    if negative {
        let mut carry = true;
        for word in &mut wide {
            (*word, carry) = (!*word).overflowing_add(u64::from(carry));
        }
    }
    (shift_down(&wide), negative)
}

/// `(f u + g v) / 2^31` modulo p, in [0, p) as u and v are.
fn combine_modulo(u: &[u64; 4], v: &[u64; 4], row: [i64; 2]) -> [u64; 4] {
    let mut wide = linear(u, v, row);
    let quotient = wide[0].wrapping_mul(NEGATED_INVERSE) & ((1 << STEPS) - 1);
    let mut carry = 0u128;
    for (word, p) in wide.iter_mut().zip(P.into_iter().chain([0])) {
        carry += u128::from(*word) + u128::from(p) * u128::from(quotient);
        *word = carry as u64;
        carry >>= 64;
    }
    let negative = wide[4].cast_signed() < 0;
    let out = shift_down(&wide);
    // Between -p and 2p.
    let (less, borrow) = subtract(&out, &P);
    if negative {
        add(&out, &P)
    } else if borrow {
        out
    } else {
        less
    }
}

/// `f a + g b` in two's complement.
fn linear(a: &[u64; 4], b: &[u64; 4], [f, g]: [i64; 2]) -> [u64; 5] {
    let mut out = [0; 5];
    let mut carry = 0i128;
    for k in 0..4 {
        carry += i128::from(a[k]) * i128::from(f) + i128::from(b[k]) * i128::from(g);
        out[k] = carry as u64;
        carry >>= 64;
    }
    out[4] = carry as u64;
    out
}

fn shift_down(wide: &[u64; 5]) -> [u64; 4] {
    std::array::from_fn(|k| wide[k] >> STEPS | wide[k + 1] << (64 - STEPS))
}

fn add(a: &[u64; 4], b: &[u64; 4]) -> [u64; 4] {
    let mut carry = 0u128;
    std::array::from_fn(|k| {
        carry += u128::from(a[k]) + u128::from(b[k]);
        let word = carry as u64;
        carry >>= 64;
        word
    })
}

fn subtract(a: &[u64; 4], b: &[u64; 4]) -> ([u64; 4], bool) {
    let mut borrow = false;
    let out = std::array::from_fn(|k| {
        let (x, first) = a[k].overflowing_sub(b[k]);
        let (x, second) = x.overflowing_sub(u64::from(borrow));
        borrow = first | second;
        x
    });
    (out, borrow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{UniformRand, Zero};

    #[test]
    fn inverse_agrees_with_arkworks() {
        let mut rng = ark_std::test_rng();
        let small = (1..200u64).flat_map(|k| [Fq::from(k), -Fq::from(k)]);
        let powers = (0..254u32).map(|k| Fq::from(2u64).pow([u64::from(k)]));
        let raw = (0..254).map(|k| {
            let mut words = [0; 4];
            words[k / 64] = 1 << (k % 64);
            Fq::new_unchecked(BigInt(words))
        });
        let random: Vec<Fq> = (0..10_000).map(|_| Fq::rand(&mut rng)).collect();
        for x in small.chain(powers).chain(raw).chain(random) {
            assert_eq!(x.inverted(), x.inverse(), "{x}");
        }
        assert_eq!(Fq::zero().inverted(), None);
        for _ in 0..100 {
            let x = Fq2::rand(&mut rng);
            assert_eq!(x.inverted(), x.inverse());
        }
        assert_eq!(Fq2::zero().inverted(), None);
    }
}
