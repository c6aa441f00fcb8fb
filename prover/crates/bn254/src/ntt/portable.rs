//! The transform of a quotient on four 64-bit limbs: evaluations on the subgroup to evaluations on its odd coset.
//!
//! The inverse transform is the remainder tree of the polynomial whose coefficients are the values: from modulo `X^n - 1` to
//! modulo `X - w^-j`, halving at each level, in place, so that leaf k is for j the bit reversal of k. The transform back is
//! the tree upside down, its roots inverted, without its halvings. All of a block's butterflies have one root, blocks do not meet
//! again until the way up, and no value is ever brought to another place. Blocks that fit L2 go down and up at once.
//!
//! For 3m values, those with index t modulo 3 are transformed by themselves and joined at the leaves, as on eight lanes.

use ark_bn254::{Fr, FrConfig};
use ark_ff::{AdditiveGroup, BigInt, Field, MontConfig, One, PrimeField};
use rayon::prelude::*;

/// Values of a block that stays in L2: half a megabyte.
const BLOCK: usize = 1 << 14;

/// Butterflies of a task on larger blocks.
const PIECE: usize = 1 << 10;

/// What depends on the domain alone.
#[derive(Debug)]
pub(crate) struct Tables {
    /// `w^-j` for the bit reversals j of 0 to m / 2 - 1, w of order m: the root of block b at every level is entry b.
    roots: Vec<Fr>,
    leaves: Leaves,
}

/// Factors of leaf k, with j the bit reversal of k.
#[derive(Debug)]
enum Leaves {
    /// `eta^j / n`.
    Whole(Vec<Fr>),
    Thirds(Thirds),
}

#[derive(Debug)]
struct Thirds {
    /// `eta^-2j` and `eta^-4j`, over m, then `eta^(2t + 1)j` for t = 0, 1, 2; the first leaf of part 0 lacks its 1/m.
    factors: Vec<[Fr; 5]>,
    /// 1/m, a cube root of one, its square, 2/3.
    constants: [Fr; 4],
}

/// `first * base^j` for the bit reversals j of 0 to 2^bits - 1.
fn reversed_powers(first: Fr, base: Fr, bits: u32) -> Vec<Fr> {
    let mut steps: Vec<Fr> = std::iter::successors(Some(base), |step| Some(step.square()))
        .take(bits as usize)
        .collect();
    let mut out = Vec::with_capacity(1 << bits);
    out.push(first);
    while let Some(step) = steps.pop() {
        let done = out.len();
        out.resize(2 * done, Fr::ZERO);
        let (old, new) = out.split_at_mut(done);
        new.par_iter_mut()
            .zip(old)
            .with_min_len(PIECE)
            .for_each(|(new, old)| *new = *old * step);
    }
    out
}

fn inverse(value: Fr) -> Fr {
    value.inverse().expect("roots and sizes are not zero")
}

impl Tables {
    /// Tables of 2^k or 3 * 2^k values; eta is the coset's shift.
    pub fn new(size: usize, eta: Fr) -> Self {
        let thirds = !size.is_power_of_two();
        let part = if thirds { size / 3 } else { size };
        let bits = part.ilog2();
        let omega = eta.square();
        let root = if thirds { omega.pow([3]) } else { omega };
        let scale = inverse(Fr::from(part as u64));
        let leaves = if thirds {
            let powers = [2u64, 4].map(|e| reversed_powers(scale, inverse(eta.pow([e])), bits));
            let [p1, p2] = powers;
            let [t0, t1, t2] = [1u64, 3, 5].map(|e| reversed_powers(Fr::one(), eta.pow([e]), bits));
            let z = omega.pow([part as u64]);
            Leaves::Thirds(Thirds {
                factors: (0..part)
                    .map(|k| [p1[k], p2[k], t0[k], t1[k], t2[k]])
                    .collect(),
                constants: [
                    scale,
                    z,
                    z.square(),
                    Fr::from(2u64) * inverse(Fr::from(3u64)),
                ],
            })
        } else {
            Leaves::Whole(reversed_powers(scale, eta, bits))
        };
        Self {
            roots: reversed_powers(Fr::one(), inverse(root), bits.saturating_sub(1)),
            leaves,
        }
    }
}

/// Replaces evaluations on the subgroup by evaluations on its odd coset of the same polynomial.
pub(crate) fn to_odd_coset(values: &mut [Fr], tables: &Tables) {
    let roots = tables.roots.as_slice();
    match &tables.leaves {
        Leaves::Whole(factors) => {
            large(values, roots, &|block, first| {
                down(block, first / block.len(), roots);
                let factors = &factors[first..];
                block
                    .iter_mut()
                    .zip(factors)
                    .for_each(|(x, factor)| *x = times(*x, *factor));
                up(block, first / block.len(), roots);
            });
            let all = values.par_iter_mut().with_min_len(PIECE);
            all.for_each(|x| *x = canonical(*x));
        }
        Leaves::Thirds(thirds) => {
            let len = values.len() / 3;
            let mut parts: [Vec<Fr>; 3] = std::array::from_fn(|t| {
                (0..len)
                    .into_par_iter()
                    .map(|i| values[3 * i + t])
                    .collect()
            });
            for part in &mut parts {
                large_down(part, 0, roots);
                let blocks = part.par_chunks_mut(BLOCK).enumerate();
                blocks.for_each(|(b, block)| down(block, b, roots));
            }
            thirds.join(&mut parts);
            for part in &mut parts {
                let blocks = part.par_chunks_mut(BLOCK).enumerate();
                blocks.for_each(|(b, block)| up(block, b, roots));
                large_up(part, 0, roots);
            }
            let [p0, p1, p2] = &parts;
            values
                .par_chunks_exact_mut(3)
                .enumerate()
                .for_each(|(i, out)| {
                    out.copy_from_slice(&[p2[i], p0[i], p1[i]].map(canonical));
                });
        }
    }
}

impl Thirds {
    /// From P modulo X^m - z^t to P modulo X^m + z^t, leaf by leaf: with P = A0 + A1 X^m + A2 X^2m these differ by 2 z^t A1, and
    /// A1 = (P0 + z^2 P1 + z P2) / 3. What comes is scaled by m w^(tj), what goes by eta^(2t' + 1)j with t' = t + 1 modulo 3.
    fn join(&self, parts: &mut [Vec<Fr>; 3]) {
        let [scale, z, z2, two_thirds] = self.constants;
        let [p0, p1, p2] = parts;
        let leaves = p0.par_iter_mut().zip(p1).zip(p2).zip(&self.factors);
        leaves
            .with_min_len(PIECE)
            .for_each(|(((p0, p1), p2), [f1, f2, t0, t1, t2])| {
                *p0 = canonical(times(*p0, scale));
                *p1 = canonical(times(*p1, *f1));
                *p2 = canonical(times(*p2, *f2));
                let shift = (*p0 + z2 * *p1 + z * *p2) * two_thirds;
                *p0 = (*p0 - shift) * t1;
                *p1 = (*p1 - z * shift) * t2;
                *p2 = (*p2 - z2 * shift) * t0;
            });
    }
}

/// The levels above blocks of [`BLOCK`] values, down, `middle` on each block with the index of its first value, and up again.
fn large(values: &mut [Fr], roots: &[Fr], middle: &(impl Fn(&mut [Fr], usize) + Sync)) {
    large_down(values, 0, roots);
    let blocks = values.par_chunks_mut(BLOCK).enumerate();
    blocks.for_each(|(b, block)| middle(block, b * BLOCK));
    large_up(values, 0, roots);
}

/// How many parts a block larger than [`BLOCK`] falls into at once.
fn arity(len: usize) -> usize {
    if (len / BLOCK).ilog2().is_multiple_of(2) {
        4
    } else {
        2
    }
}

/// Splits block `index` of its level into blocks of [`BLOCK`] values.
fn large_down(values: &mut [Fr], index: usize, roots: &[Fr]) {
    let len = values.len();
    if len <= BLOCK {
        return;
    }
    let arity = arity(len);
    if arity == 4 {
        let pieces = quarters(values).map(|part| part.par_chunks_mut(PIECE));
        let [p0, p1, p2, p3] = pieces;
        let pieces = p0.zip(p1).zip(p2.zip(p3));
        pieces.for_each(|((p0, p1), (p2, p3))| split_in_four([p0, p1, p2, p3], index, roots));
    } else {
        let (p0, p1) = values.split_at_mut(len / 2);
        let pieces = p0.par_chunks_mut(PIECE).zip(p1.par_chunks_mut(PIECE));
        pieces.for_each(|(p0, p1)| split_in_two(p0, p1, index, roots));
    }
    let parts = values.par_chunks_mut(len / arity).enumerate();
    parts.for_each(|(k, part)| large_down(part, arity * index + k, roots));
}

/// The inverse of [`large_down`], times the number of blocks.
fn large_up(values: &mut [Fr], index: usize, roots: &[Fr]) {
    let len = values.len();
    if len <= BLOCK {
        return;
    }
    let arity = arity(len);
    let parts = values.par_chunks_mut(len / arity).enumerate();
    parts.for_each(|(k, part)| large_up(part, arity * index + k, roots));
    if arity == 4 {
        let pieces = quarters(values).map(|part| part.par_chunks_mut(PIECE));
        let [p0, p1, p2, p3] = pieces;
        let pieces = p0.zip(p1).zip(p2.zip(p3));
        pieces.for_each(|((p0, p1), (p2, p3))| merge_four([p0, p1, p2, p3], index, roots));
    } else {
        let (p0, p1) = values.split_at_mut(len / 2);
        let pieces = p0.par_chunks_mut(PIECE).zip(p1.par_chunks_mut(PIECE));
        pieces.for_each(|(p0, p1)| merge_two(p0, p1, index, roots));
    }
}

/// Splits block `index` of its level into its leaves.
fn down(block: &mut [Fr], index: usize, roots: &[Fr]) {
    let (mut size, mut first) = (block.len(), index);
    while size >= 4 {
        for (k, part) in block.chunks_exact_mut(size).enumerate() {
            split_in_four(quarters(part), first + k, roots);
        }
        size /= 4;
        first *= 4;
    }
    if size == 2 {
        for (k, pair) in block.chunks_exact_mut(2).enumerate() {
            let (x0, x1) = pair.split_at_mut(1);
            split_in_two(x0, x1, first + k, roots);
        }
    }
}

/// The inverse of [`down`], times the number of leaves.
fn up(block: &mut [Fr], index: usize, roots: &[Fr]) {
    let mut size = 4;
    if !block.len().ilog2().is_multiple_of(2) {
        size = 8;
        let first = index * (block.len() / 2);
        for (k, pair) in block.chunks_exact_mut(2).enumerate() {
            let (x0, x1) = pair.split_at_mut(1);
            merge_two(x0, x1, first + k, roots);
        }
    }
    while size <= block.len() {
        let first = index * (block.len() / size);
        for (k, part) in block.chunks_exact_mut(size).enumerate() {
            merge_four(quarters(part), first + k, roots);
        }
        size *= 4;
    }
}

fn quarters(values: &mut [Fr]) -> [&mut [Fr]; 4] {
    let quarter = values.len() / 4;
    let (left, right) = values.split_at_mut(2 * quarter);
    let (x0, x1) = left.split_at_mut(quarter);
    let (x2, x3) = right.split_at_mut(quarter);
    [x0, x1, x2, x3]
}

/// Halves of a block with root index `b`, modulo `X^h - root` and modulo `X^h + root`. Values below 4r, before and after.
fn split_in_two(x0: &mut [Fr], x1: &mut [Fr], b: usize, roots: &[Fr]) {
    for (x0, x1) in x0.iter_mut().zip(x1) {
        let (low, high) = (halved(*x0), times(*x1, roots[b]));
        *x0 = plus(low, high);
        *x1 = minus(low, high);
    }
}

/// The inverse of [`split_in_two`], times two. Values below 2r, before and after.
fn merge_two(x0: &mut [Fr], x1: &mut [Fr], b: usize, roots: &[Fr]) {
    for (x0, x1) in x0.iter_mut().zip(x1) {
        let (low, high) = (*x0, *x1);
        *x0 = halved(plus(low, high));
        *x1 = if b == 0 {
            halved(minus(low, high))
        } else {
            times(minus(high, low), roots[mirrored(b)])
        };
    }
}

/// Two levels of [`split_in_two`].
fn split_in_four([x0, x1, x2, x3]: [&mut [Fr]; 4], b: usize, roots: &[Fr]) {
    let (root, left, right) = (roots[b], roots[2 * b], roots[2 * b + 1]);
    for (((x0, x1), x2), x3) in x0.iter_mut().zip(x1).zip(x2).zip(x3) {
        let (y0, y1) = (halved(*x0), halved(*x1));
        // The first block's roots are one but for the last.
        let (y2, y3) = if b == 0 {
            (halved(*x2), halved(*x3))
        } else {
            (times(*x2, root), times(*x3, root))
        };
        let low = halved(plus(y0, y2));
        let high = if b == 0 {
            halved(plus(y1, y3))
        } else {
            times(plus(y1, y3), left)
        };
        (*x0, *x1) = (plus(low, high), minus(low, high));
        let low = halved(minus(y0, y2));
        let high = times(minus(y1, y3), right);
        (*x2, *x3) = (plus(low, high), minus(low, high));
    }
}

/// The inverse of [`split_in_four`], times four: two levels of [`merge_two`].
fn merge_four([x0, x1, x2, x3]: [&mut [Fr]; 4], b: usize, roots: &[Fr]) {
    let [root, left, right] = if b == 0 {
        [0, 0, 1].map(|k| roots[k])
    } else {
        let b = mirrored(b);
        [b, 2 * b + 1, 2 * b].map(|k| roots[k])
    };
    for (((x0, x1), x2), x3) in x0.iter_mut().zip(x1).zip(x2).zip(x3) {
        let (y0, y2) = (halved(plus(*x0, *x1)), halved(plus(*x2, *x3)));
        let y3 = times(minus(*x3, *x2), right);
        if b == 0 {
            let y1 = halved(minus(*x0, *x1));
            (*x2, *x3) = (halved(minus(y0, y2)), halved(minus(y1, y3)));
            (*x0, *x1) = (halved(plus(y0, y2)), halved(plus(y1, y3)));
        } else {
            let y1 = times(minus(*x1, *x0), left);
            *x2 = times(minus(y2, y0), root);
            *x3 = times(minus(y3, y1), root);
            (*x0, *x1) = (halved(plus(y0, y2)), halved(plus(y1, y3)));
        }
    }
}

/// Where, for b > 0, the negative of the inverse of root b stands: the exponent's negation turns all bits over above its lowest
/// one, which in b are those below its highest.
fn mirrored(b: usize) -> usize {
    b ^ ((1 << b.ilog2()) - 1)
}

// Arithmetic short of the last reduction, without a branch. Between the first and the last level, words are anything below 4r.

const R: [u64; 4] = Fr::MODULUS.0;
const TWICE: [u64; 4] = [
    R[0] << 1,
    R[1] << 1 | R[0] >> 63,
    R[2] << 1 | R[1] >> 63,
    R[3] << 1 | R[2] >> 63,
];

/// `a b / 2^256`, below 2r, for `a` below 4r and `b` below r: Montgomery's product by rows, whose partial sums stay below 2^256.
#[inline(always)]
fn times(a: Fr, b: Fr) -> Fr {
    let (a, b) = (a.0.0, b.0.0);
    let product = |x: u64, y: u64| u128::from(x) * u128::from(y);
    let mut sum = [0u64; 4];
    for factor in b {
        let t = product(a[0], factor) + u128::from(sum[0]);
        let m = (t as u64).wrapping_mul(FrConfig::INV);
        let mut high = (t >> 64) as u64;
        let mut carry = ((product(m, R[0]) + u128::from(t as u64)) >> 64) as u64;
        for j in 1..4 {
            let t = product(a[j], factor) + u128::from(sum[j]) + u128::from(high);
            high = (t >> 64) as u64;
            let t = product(m, R[j]) + u128::from(t as u64) + u128::from(carry);
            sum[j - 1] = t as u64;
            carry = (t >> 64) as u64;
        }
        sum[3] = high + carry;
    }
    Fr::new_unchecked(BigInt(sum))
}

/// `a - b` and whether it is negative.
#[inline(always)]
fn difference(a: [u64; 4], b: [u64; 4]) -> ([u64; 4], bool) {
    let mut out = [0; 4];
    let mut borrow = false;
    for k in 0..4 {
        let (x, first) = a[k].overflowing_sub(b[k]);
        let (x, second) = x.overflowing_sub(u64::from(borrow));
        (out[k], borrow) = (x, first | second);
    }
    (out, borrow)
}

#[inline(always)]
fn sum(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
    let mut out = [0; 4];
    let mut carry = false;
    for k in 0..4 {
        let (x, first) = a[k].overflowing_add(b[k]);
        let (x, second) = x.overflowing_add(u64::from(carry));
        (out[k], carry) = (x, first | second);
    }
    out
}

/// `a` less `b` unless that is negative.
#[inline(always)]
fn less(a: Fr, b: [u64; 4]) -> Fr {
    let (out, negative) = difference(a.0.0, b);
    let keep = u64::from(negative).wrapping_neg();
    let words = std::array::from_fn(|k| out[k] ^ ((out[k] ^ a.0.0[k]) & keep));
    Fr::new_unchecked(BigInt(words))
}

/// A value below 4r brought below 2r.
#[inline(always)]
fn halved(a: Fr) -> Fr {
    less(a, TWICE)
}

/// A value below 4r brought below r.
#[inline(always)]
fn canonical(a: Fr) -> Fr {
    less(less(a, TWICE), R)
}

/// The sum of values below 2r.
#[inline(always)]
fn plus(a: Fr, b: Fr) -> Fr {
    Fr::new_unchecked(BigInt(sum(a.0.0, b.0.0)))
}

/// The difference of values below 2r, and 2r.
#[inline(always)]
fn minus(a: Fr, b: Fr) -> Fr {
    Fr::new_unchecked(BigInt(difference(sum(a.0.0, TWICE), b.0.0).0))
}
