//! Additions in G2.

use ark_bn254::{Fq2, g2};

use super::{
    Fp, ONE, Places, Pointers, from_scalars, invert_all, load_line, spare, store_line, to_scalars,
};
use crate::curve::{Addition, Source};
use crate::field::ifma::Wide;
use crate::packed::PackedG2;

/// Eight elements `c0 + c1 u` of Fq2, u^2 = -1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fp2 {
    c0: Fp,
    c1: Fp,
}

impl Fp2 {
    /// Elements of the base field.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn of(c0: Fp) -> Self {
        let c1 = Fp::splat([0; 5]);
        Self { c0, c1 }
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn map2(self, other: Self, f: impl Fn(Fp, Fp) -> Fp) -> Self {
        Self {
            c0: f(self.c0, other.c0),
            c1: f(self.c1, other.c1),
        }
    }

    /// `self * other / 2^260`, not carried. Inputs below A p and B p with A, B <= 40, carried; c0 is above -A B p / 84.6
    /// and below (A B / 84.6 + 1) p, c1 is in [0, (2 A B / 84.6 + 1) p). Karatsuba: 3 products, 2 reductions.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn times_raw(self, other: Self) -> Self {
        let v0 = self.c0.times_wide(other.c0);
        let v1 = self.c1.times_wide(other.c1);
        let sums = self
            .c0
            .plus(self.c1)
            .carried()
            .times_wide(other.c0.plus(other.c1).carried());
        let [c0, c1] = Wide::redc_pair([v0.minus(v1), sums.minus(v0).minus(v1)]);
        Self { c0, c1 }
    }

    /// `self * other / 2^260`, carried, below 2.15 p where inputs are below A p and B p with A B <= 12.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn times(self, other: Self) -> Self {
        let raw = self.times_raw(other);
        Self {
            c0: raw.c0.plus_multiple::<1>().carried(),
            c1: raw.c1.carried(),
        }
    }

    /// `self factor / 2^260`, carried, for a factor in the base field; carried inputs.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn scaled(self, factor: Fp) -> Self {
        let [c0, c1] = Fp::times_raw_pair([self.c0, self.c1], [factor; 2]).map(|x| x.carried());
        Self { c0, c1 }
    }

    /// `self^2 / 2^260` of a carried value below A p with A <= K, not carried, in [0, (2 A (A + K) / 84.6 + 1) p).
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub fn square_raw<const K: usize>(self) -> Self {
        let sum = self.c0.plus(self.c1).carried();
        let difference = self.c0.minus(self.c1).plus_multiple::<K>().carried();
        let double = self.c1.shifted::<1>().carried();
        let [c0, c1] = Fp::times_raw_pair([sum, self.c0], [difference, double]);
        Self { c0, c1 }
    }

    /// The element in cache line `line` of each point: 0 holds x, 1 y.
    ///
    /// # Safety
    /// The points are readable and aligned to cache lines.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub unsafe fn load(at: [*const u64; 8], line: usize) -> Self {
        // SAFETY: by the caller's promise.
        let [c0, c1] = unsafe { load_line(at, line) };
        Self { c0, c1 }
    }

    /// The inverse of [`Self::load`].
    ///
    /// # Safety
    /// As [`Self::load`], writable.
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    #[inline]
    pub unsafe fn store(self, at: [*mut u64; 8], line: usize) {
        // SAFETY: by the caller's promise.
        unsafe { store_line(at, line, [self.c0, self.c1]) };
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    pub fn inverted(self) -> Option<Self> {
        let (c0, c1) = (to_scalars(self.c0), to_scalars(self.c1));
        let inverses = invert_all(std::array::from_fn(|lane| Fq2::new(c0[lane], c1[lane])))?;
        Some(Self {
            c0: from_scalars(inverses.map(|x| x.c0)),
            c1: from_scalars(inverses.map(|x| x.c1)),
        })
    }
}

/// Prefix products and differences of a batch.
#[derive(Debug, Default)]
pub(crate) struct BuffersG2 {
    prefixes: Vec<Fp2>,
    differences: Vec<Fp2>,
}

/// `slots[dst] += ±source[src]` for every addition, or nothing and `false` when two x-coordinates are equal.
///
/// # Safety
/// The processor has AVX-512 F, DQ, VL and IFMA. Destinations and sources are in range.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub(crate) unsafe fn add_batch_g2(
    slots: &mut [PackedG2],
    source: &Source<'_, g2::Config>,
    additions: &[Addition],
    buffers: &mut BuffersG2,
) -> bool {
    let places = Places::new(slots, source);
    let mut spare = spare();
    let mut products = [Fp2::of(Fp::splat(ONE)); 2];
    buffers.prefixes.clear();
    buffers.differences.clear();
    for (k, eight) in additions.chunks(8).enumerate() {
        let Pointers { dst, src, .. } = places.of(eight, &mut spare);
        // SAFETY: places are in range by the caller's promise, spare points are sixteen words each.
        let (x1, x2) = unsafe { (Fp2::load(dst.map(|p| p.cast_const()), 0), Fp2::load(src, 0)) };
        // In (0.35 p, 3.65 p); with products below 2.1 p the next are below 2.1 p.
        let difference = x2.map2(x1, |a, b| a.minus(b).plus_multiple::<2>().carried());
        buffers.differences.push(difference);
        buffers.prefixes.push(products[k % 2]);
        products[k % 2] = products[k % 2].times(difference);
    }
    let Some(inverse) = products[0].times(products[1]).inverted() else {
        return false;
    };
    let mut inverses = [inverse.times(products[1]), inverse.times(products[0])];
    for (k, eight) in additions.chunks(8).enumerate().rev() {
        let Pointers { dst, src, negate } = places.of(eight, &mut spare);
        let inverted = inverses[k % 2].times(buffers.prefixes[k]);
        inverses[k % 2] = inverses[k % 2].times(buffers.differences[k]);
        let from = dst.map(|p| p.cast_const());
        // SAFETY: as above; each destination belongs to one lane alone, spare points apart.
        unsafe {
            let (x1, y1, y2) = (Fp2::load(from, 0), Fp2::load(from, 1), Fp2::load(src, 1));
            // Below 5.65 p, so that c0 of the slope is below 2.15 p and c1 below 1.3 p.
            let rise = y2.map2(y1, |a, b| {
                a.negated_where(negate)
                    .minus(b)
                    .plus_multiple::<4>()
                    .carried()
            });
            let slope = rise.times(inverted);
            // x1 + x2 = 2 x1 + (x2 - x1): the difference at hand holds 2p besides.
            let sum = x1.map2(buffers.differences[k], |a, b| a.shifted::<1>().plus(b));
            // The square is below 1.3 p.
            let x3 = slope
                .square_raw::<3>()
                .map2(sum, |a, b| a.minus(b).plus_multiple::<6>().reduced());
            let run = x1.map2(x3, |a, b| {
                a.minus(b).plus_multiple::<2>().shifted::<2>().carried()
            });
            // Between 1.1 p and 4.4 p before reduction, since the product is above -0.23 p.
            let y3 = slope
                .times_raw(run)
                .map2(y1, |a, b| a.minus(b).plus_multiple::<3>().reduced());
            x3.store(dst, 0);
            y3.store(dst, 1);
        }
    }
    true
}
