//! Additions in G1.

use std::mem::{offset_of, size_of};

use ark_bn254::{Fq, G1Affine, g1};

use super::{Fp, ONE, Places, from_scalars, invert_all, to_scalars};
use crate::curve::{Addition, Source, Words};
use crate::field::ifma::{load_words, store_words};

const _: () = assert!(
    offset_of!(G1Affine, y) == offset_of!(G1Affine, x) + 32 && size_of::<Fq>() == 32,
    "coordinates of a base are eight consecutive words"
);

/// Prefix products and differences of a batch.
#[derive(Debug, Default)]
pub(crate) struct BuffersG1 {
    prefixes: Vec<Fp>,
    differences: Vec<Fp>,
}

/// `slots[dst] += ±source[src]` for every addition, or nothing and `false` when two x-coordinates are equal.
///
/// # Safety
/// The processor has AVX-512 F, DQ, VL and IFMA. Destinations are distinct and below `slots.len()`, sources are in range.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub(crate) unsafe fn add_batch_g1(
    slots: &mut [Words<8>],
    source: &Source<'_, g1::Config>,
    additions: &[Addition],
    buffers: &mut BuffersG1,
) -> bool {
    let places = Places::new(slots, source, offset_of!(G1Affine, x));
    let mut spare = [0u64; 16];
    spare[8] = 1;
    let mut products = [Fp::splat(ONE); 2];
    buffers.prefixes.clear();
    buffers.differences.clear();
    for (k, eight) in additions.chunks(8).enumerate() {
        let pointers = places.of(eight, &mut spare);
        // SAFETY: places are in range by the caller's promise, spare points are eight words each.
        let (x1, x2) = unsafe {
            (
                Fp::from_words(load_words(pointers.dst.map(|p| p.cast_const()), 0)),
                Fp::from_words(load_words(pointers.src, 0)),
            )
        };
        // In (0.35 p, 3.65 p); products stay below 1.05 p.
        let difference = x2.minus(x1).plus_multiple::<2>().carried();
        buffers.differences.push(difference);
        buffers.prefixes.push(products[k % 2]);
        products[k % 2] = products[k % 2].times(difference);
    }
    let Some(inverse) = invert_all(to_scalars(products[0].times(products[1]))) else {
        return false;
    };
    let inverse = from_scalars(inverse);
    let mut inverses = [inverse.times(products[1]), inverse.times(products[0])];
    for (k, eight) in additions.chunks(8).enumerate().rev() {
        let pointers = places.of(eight, &mut spare);
        let inverted = inverses[k % 2].times(buffers.prefixes[k]);
        inverses[k % 2] = inverses[k % 2].times(buffers.differences[k]);
        // SAFETY: as above; each destination belongs to one lane alone, spare points apart.
        unsafe {
            let dst = pointers.dst.map(|p| p.cast_const());
            let (x1, y1) = (
                Fp::from_words(load_words(dst, 0)),
                Fp::from_words(load_words(dst, 4)),
            );
            let (x2, y2) = (
                Fp::from_words(load_words(pointers.src, 0)),
                Fp::from_words(load_words(pointers.src, 4)),
            );
            let rise = y2
                .negated_where(pointers.negate)
                .minus(y1)
                .plus_multiple::<4>()
                .carried();
            let slope = rise.times(inverted);
            let x3 = slope
                .square_raw()
                .minus(x1)
                .minus(x2)
                .plus_multiple::<4>()
                .reduced();
            let run = x1.minus(x3).plus_multiple::<2>().shifted::<2>().carried();
            let y3 = slope
                .times_raw(run)
                .minus(y1)
                .plus_multiple::<2>()
                .reduced();
            store_words(pointers.dst, 0, x3.to_words());
            store_words(pointers.dst, 4, y3.to_words());
        }
    }
    true
}
