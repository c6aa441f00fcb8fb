//! Additions in G1.

use std::mem::{offset_of, size_of};

use ark_bn254::{Fq, G1Affine, g1};

use super::{Fp, ONE, Places, from_scalars, invert_all, to_scalars};
use crate::curve::{Addition, Source, Words};

const _: () = assert!(
    offset_of!(G1Affine, y) == offset_of!(G1Affine, x) + 32 && size_of::<Fq>() == 32,
    "coordinates of a base are eight consecutive words"
);

/// Prefix products and differences of a batch, sixteen additions at a time.
#[derive(Debug, Default)]
pub(crate) struct BuffersG1 {
    prefixes: Vec<[Fp; 2]>,
    differences: Vec<[Fp; 2]>,
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
    for sixteen in additions.chunks(16) {
        let pointers = places.of_pair(sixteen, &mut spare);
        let differences = pointers.each_ref().map(|at| {
            // SAFETY: places are in range by the caller's promise, spare points are eight words each.
            let (x1, x2) = unsafe { (at.load_dst(0), at.load_src(0)) };
            // In (0.35 p, 3.65 p); products stay below 1.05 p.
            x2.minus(x1).plus_multiple::<2>().carried()
        });
        buffers.differences.push(differences);
        buffers.prefixes.push(products);
        products = Fp::times_raw_pair(products, differences).map(|x| x.carried());
    }
    let [first, second] = products;
    let Some(inverse) = invert_all(to_scalars(first.times(second))) else {
        return false;
    };
    let mut inverses =
        Fp::times_raw_pair([from_scalars(inverse); 2], [second, first]).map(|x| x.carried());
    for (k, sixteen) in additions.chunks(16).enumerate().rev() {
        let pointers = places.of_pair(sixteen, &mut spare);
        let inverted = Fp::times_raw_pair(inverses, buffers.prefixes[k]).map(|x| x.carried());
        inverses = Fp::times_raw_pair(inverses, buffers.differences[k]).map(|x| x.carried());
        // SAFETY: as above.
        let rises = pointers.each_ref().map(|at| unsafe {
            at.load_src(4)
                .negated_where(at.negate)
                .minus(at.load_dst(4))
                .plus_multiple::<4>()
                .carried()
        });
        let slopes = Fp::times_raw_pair(rises, inverted).map(|x| x.carried());
        let squares = Fp::square_raw_pair(slopes);
        // SAFETY: as above.
        let x1 = pointers.each_ref().map(|at| unsafe { at.load_dst(0) });
        let x3 = [0, 1].map(|k| {
            // SAFETY: as above.
            let x2 = unsafe { pointers[k].load_src(0) };
            squares[k]
                .minus(x1[k])
                .minus(x2)
                .plus_multiple::<4>()
                .reduced()
        });
        let runs = [0, 1].map(|k| {
            x1[k]
                .minus(x3[k])
                .plus_multiple::<2>()
                .shifted::<2>()
                .carried()
        });
        let products = Fp::times_raw_pair(slopes, runs);
        for k in 0..2 {
            // SAFETY: as above; each destination belongs to one lane alone, spare points apart.
            unsafe {
                let y3 = products[k]
                    .minus(pointers[k].load_dst(4))
                    .plus_multiple::<2>()
                    .reduced();
                pointers[k].store(0, x3[k]);
                pointers[k].store(4, y3);
            }
        }
    }
    true
}
