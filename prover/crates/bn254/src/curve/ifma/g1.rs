//! Additions in G1.

use ark_bn254::g1;

use super::{Fp, ONE, Places, from_scalars, invert_all, load_line, spare, store_line, to_scalars};
use crate::curve::{Addition, Source};
use crate::packed::PackedG1;

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
    slots: &mut [PackedG1],
    source: &Source<'_, g1::Config>,
    additions: &[Addition],
    buffers: &mut BuffersG1,
) -> bool {
    let places = Places::new(slots, source);
    let mut spare = spare();
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
        let differences = &buffers.differences[k];
        let inverted = Fp::times_raw_pair(inverses, buffers.prefixes[k]).map(|x| x.carried());
        inverses = Fp::times_raw_pair(inverses, *differences).map(|x| x.carried());
        // SAFETY: as above; slots are aligned to their size.
        let points = pointers
            .each_ref()
            .map(|at| unsafe { load_line(at.dst.map(|p| p.cast_const()), 0) });
        let rises = [0, 1].map(|k| {
            // SAFETY: as above.
            unsafe { pointers[k].load_src(4) }
                .negated_where(pointers[k].negate)
                .minus(points[k][1])
                .plus_multiple::<4>()
                .carried()
        });
        let slopes = Fp::times_raw_pair(rises, inverted).map(|x| x.carried());
        let squares = Fp::square_raw_pair(slopes);
        // x1 + x2 = 2 x1 + (x2 - x1): the difference at hand holds 2p besides.
        let x3 = [0, 1].map(|k| {
            squares[k]
                .minus(points[k][0].shifted::<1>())
                .minus(differences[k])
                .plus_multiple::<6>()
                .reduced()
        });
        let runs = [0, 1].map(|k| {
            points[k][0]
                .minus(x3[k])
                .plus_multiple::<2>()
                .shifted::<2>()
                .carried()
        });
        let products = Fp::times_raw_pair(slopes, runs);
        for k in 0..2 {
            let y3 = products[k]
                .minus(points[k][1])
                .plus_multiple::<2>()
                .reduced();
            // SAFETY: as above; each destination belongs to one lane alone, spare points apart.
            unsafe { store_line(pointers[k].dst, 0, [x3[k], y3]) };
        }
    }
    true
}
