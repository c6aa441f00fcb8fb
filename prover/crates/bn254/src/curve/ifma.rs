//! Batch-affine addition on eight lanes of 52-bit limbs, for both groups.

use std::arch::x86_64::{
    __m256i, __m512i, __mmask8, _mm256_loadu_si256, _mm256_storeu_si256, _mm512_castsi256_si512,
    _mm512_castsi512_si256, _mm512_extracti64x4_epi64, _mm512_inserti64x4,
    _mm512_permutex2var_epi64, _mm512_set_epi64, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};
use std::mem::{offset_of, size_of};

use ark_bn254::{Fq, G1Affine, g1};
use ark_ff::{BigInt, BigInteger, Field, PrimeField, Zero};

use super::{Addition, NEGATE, Source, Words};
use crate::field::ifma::{FqModulus, Lanes};

type Fp = Lanes<FqModulus>;

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

/// Addresses of the points of eight additions.
struct Pointers {
    dst: [*mut u64; 8],
    src: [*const u64; 8],
    negate: __mmask8,
}

/// Where an addition's points lie.
struct Places {
    slots: *mut u64,
    slot_words: usize,
    sources: *const u64,
    source_words: usize,
}

impl Places {
    /// Lanes without an addition work on `spare`, two points with different x.
    fn of(&self, additions: &[Addition], spare: &mut [u64]) -> Pointers {
        let (first, second) = spare.split_at_mut(self.slot_words);
        let mut out = Pointers {
            dst: [first.as_mut_ptr(); 8],
            src: [second.as_ptr(); 8],
            negate: 0,
        };
        for (lane, addition) in additions.iter().enumerate() {
            out.dst[lane] = self
                .slots
                .wrapping_add(addition.dst as usize * self.slot_words);
            let index = (addition.src & !NEGATE) as usize;
            out.src[lane] = self.sources.wrapping_add(index * self.source_words);
            out.negate |= u8::from(addition.src & NEGATE != 0) << lane;
        }
        out
    }
}

/// Words 0 to 3 at each pointer, transposed: vector `k` holds word `k` of all lanes.
///
/// # Safety
/// Four words are readable at each pointer.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
#[inline]
unsafe fn load_words<P: Copy + Into<*const u64>>(at: [P; 8], offset: usize) -> [__m512i; 4] {
    let row = |lane: usize| -> __m256i {
        let pointer: *const u64 = at[lane].into();
        // SAFETY: readable by the caller's promise.
        unsafe { _mm256_loadu_si256(pointer.wrapping_add(offset).cast()) }
    };
    let pair =
        |lane: usize| _mm512_inserti64x4::<1>(_mm512_castsi256_si512(row(lane)), row(lane + 4));
    let (z0, z1, z2, z3) = (pair(0), pair(1), pair(2), pair(3));
    let (even01, odd01) = (_mm512_unpacklo_epi64(z0, z1), _mm512_unpackhi_epi64(z0, z1));
    let (even23, odd23) = (_mm512_unpacklo_epi64(z2, z3), _mm512_unpackhi_epi64(z2, z3));
    let low = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0);
    let high = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
    [
        _mm512_permutex2var_epi64(even01, low, even23),
        _mm512_permutex2var_epi64(odd01, low, odd23),
        _mm512_permutex2var_epi64(even01, high, even23),
        _mm512_permutex2var_epi64(odd01, high, odd23),
    ]
}

/// The inverse of [`load_words`].
///
/// # Safety
/// Four words are writable at each pointer.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
#[inline]
unsafe fn store_words(at: [*mut u64; 8], offset: usize, w: [__m512i; 4]) {
    let low = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    let high = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    let (even01, odd01) = (
        _mm512_unpacklo_epi64(w[0], w[1]),
        _mm512_unpackhi_epi64(w[0], w[1]),
    );
    let (even23, odd23) = (
        _mm512_unpacklo_epi64(w[2], w[3]),
        _mm512_unpackhi_epi64(w[2], w[3]),
    );
    for (first, rows) in [
        (0, _mm512_permutex2var_epi64(even01, low, even23)),
        (1, _mm512_permutex2var_epi64(odd01, low, odd23)),
        (4, _mm512_permutex2var_epi64(even01, high, even23)),
        (5, _mm512_permutex2var_epi64(odd01, high, odd23)),
    ] {
        // SAFETY: writable by the caller's promise.
        unsafe {
            _mm256_storeu_si256(
                at[first].wrapping_add(offset).cast(),
                _mm512_castsi512_si256(rows),
            );
            _mm256_storeu_si256(
                at[first + 2].wrapping_add(offset).cast(),
                _mm512_extracti64x4_epi64::<1>(rows),
            );
        }
    }
}

/// 2^262 / t for each lane's t 2^260 below 2^256, or `None` when one is zero modulo p.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
fn invert_lanes(product: Fp) -> Option<Fp> {
    let words = product.to_words();
    let mut lanes = [Fq::zero(); 8];
    // SAFETY: vectors and arrays of eight words have the same size and any bits are valid.
    let words: [[u64; 8]; 4] = unsafe { std::mem::transmute(words) };
    for (lane, value) in lanes.iter_mut().enumerate() {
        let mut limbs = BigInt([
            words[0][lane],
            words[1][lane],
            words[2][lane],
            words[3][lane],
        ]);
        while limbs >= Fq::MODULUS {
            limbs.sub_with_borrow(&Fq::MODULUS);
        }
        *value = Fq::new_unchecked(limbs);
    }
    // As Montgomery words with R = 2^256 the lanes stand for 16 t, and the results for 2^6 / t = 2^10 / (16 t).
    let mut prefixes = [Fq::zero(); 8];
    let mut product = Fq::from(1u64);
    for (prefix, value) in prefixes.iter_mut().zip(&lanes) {
        *prefix = product;
        product *= value;
    }
    let mut inverse = product.inverse()? * Fq::from(1u64 << 10);
    let mut out = [[0u64; 8]; 4];
    for lane in (0..8).rev() {
        let inverted = (inverse * prefixes[lane]).0.0;
        inverse *= lanes[lane];
        for k in 0..4 {
            out[k][lane] = inverted[k];
        }
    }
    // SAFETY: as above.
    Some(Fp::from_words(unsafe {
        std::mem::transmute::<[[u64; 8]; 4], [__m512i; 4]>(out)
    }))
}

/// `slots[dst] += ±source[src]` for every addition, or nothing and `false` when two x-coordinates are equal.
///
/// Coordinates of slots are below 1.65 p before and after, those of bases below p. Exponents of two: coordinates carry
/// 2^256, differences and prefixes 2^260, inverses 2^262; hence slopes 2^258, their squares 2^256, and
/// y3 = slope * 4 (x1 - x3) - y1 carries 2^256 again.
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
    let slots_pointer: *mut u64 = slots.as_mut_ptr().cast();
    let places = match source {
        Source::Bases(bases) => Places {
            slots: slots_pointer,
            slot_words: 8,
            sources: bases
                .as_ptr()
                .cast::<u8>()
                .wrapping_add(offset_of!(G1Affine, x))
                .cast(),
            source_words: size_of::<G1Affine>() / 8,
        },
        Source::Slots => Places {
            slots: slots_pointer,
            slot_words: 8,
            sources: slots_pointer,
            source_words: 8,
        },
    };
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
                Fp::from_words_times_16(load_words(pointers.dst.map(|p| p.cast_const()), 0)),
                Fp::from_words_times_16(load_words(pointers.src, 0)),
            )
        };
        // 16 (x2 - x1 + 2p) lies in (5 p, 59 p), and products stay below 3.3 p.
        let difference = x2.minus(x1).plus_multiple::<32>().carried();
        buffers.differences.push(difference);
        buffers.prefixes.push(products[k % 2]);
        products[k % 2] = products[k % 2].times(difference);
    }
    let Some(inverse) = invert_lanes(products[0].times(products[1])) else {
        return false;
    };
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

/// 2^260 mod p in limbs.
const ONE: [u64; 5] = {
    // 2^260 = 16 * 2^256, and 2^256 mod p is Montgomery's one.
    let one = <ark_bn254::FqConfig as ark_ff::MontConfig<4>>::R.0;
    let shifted = [
        one[0] << 4,
        one[0] >> 60 | one[1] << 4,
        one[1] >> 60 | one[2] << 4,
        one[2] >> 60 | one[3] << 4,
        one[3] >> 60,
    ];
    crate::field::ifma::limbs(shifted)
};
