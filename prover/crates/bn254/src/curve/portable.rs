//! Batch-affine addition on four 64-bit limbs, complete: it doubles and cancels where it must.

use ark_ec::short_weierstrass::Projective;
use ark_ec::{AdditiveGroup, AffineRepr, CurveGroup};
use ark_ff::{Field, One, Zero};

use super::{Addition, Curve, NEGATE, Source};
use crate::field::inverse::Invert;

/// Denominators and prefix products of a batch.
#[derive(Debug)]
pub(crate) struct Buffers<C: Curve> {
    denominators: Vec<C::BaseField>,
    prefixes: Vec<C::BaseField>,
}

impl<C: Curve> Default for Buffers<C> {
    fn default() -> Self {
        Self {
            denominators: Vec::new(),
            prefixes: Vec::new(),
        }
    }
}

fn source_point<C: Curve>(
    slots: &[C::Slot],
    source: &Source<'_, C>,
    src: u32,
) -> (C::BaseField, C::BaseField) {
    let index = (src & !NEGATE) as usize;
    let (x, y) = C::unpack(match source {
        Source::Bases(bases) => &bases[index],
        Source::Slots => &slots[index],
    });
    (x, if src & NEGATE == 0 { y } else { -y })
}

/// See [`Curve::add_batch`]. Six multiplications an addition: three for its share of the inversion (Montgomery's
/// trick), one for the slope, a squaring and one for y.
pub(crate) fn add_batch<C: Curve>(
    slots: &mut [C::Slot],
    source: Source<'_, C>,
    additions: &[Addition],
    buffers: &mut Buffers<C>,
    cancelled: &mut Vec<u32>,
) {
    buffers.denominators.clear();
    buffers.prefixes.clear();
    let mut product = C::BaseField::one();
    for addition in additions {
        let (x1, y1) = C::unpack(&slots[addition.dst as usize]);
        let (x2, y2) = source_point(slots, &source, addition.src);
        let mut denominator = x2 - x1;
        if denominator.is_zero() && y1 == y2 {
            denominator = y1.double();
        }
        buffers.denominators.push(denominator);
        buffers.prefixes.push(product);
        if !denominator.is_zero() {
            product *= denominator;
        }
    }
    let mut inverse = product
        .inverted()
        .expect("a product of non-zero denominators");
    for (k, addition) in additions.iter().enumerate().rev() {
        let denominator = buffers.denominators[k];
        if denominator.is_zero() {
            cancelled.push(addition.dst);
            continue;
        }
        let inverted = inverse * buffers.prefixes[k];
        inverse *= denominator;
        let (x1, y1) = C::unpack(&slots[addition.dst as usize]);
        let (x2, y2) = source_point(slots, &source, addition.src);
        let numerator = if x1 == x2 {
            let square = x1.square();
            square.double() + square
        } else {
            y2 - y1
        };
        let slope = numerator * inverted;
        let x3 = slope.square() - x1 - x2;
        slots[addition.dst as usize] = C::pack(x3, slope * (x1 - x3) - y1);
    }
}

/// See [`Curve::multiples`]: chains of doublings, whose points share inversions.
pub(crate) fn multiples<C: Curve>(bases: &[C::Slot], width: u32, rows: &mut [&mut [C::Slot]]) {
    let windows = rows.len();
    let mut chains = Vec::with_capacity(bases.len() * windows);
    for base in bases {
        let mut point = if C::is_infinity(base) {
            Projective::<C>::default()
        } else {
            C::point(base)
        };
        for window in 0..windows {
            for _ in 0..if window == 0 { 0 } else { width } {
                point.double_in_place();
            }
            chains.push(point);
        }
    }
    for (k, point) in Projective::normalize_batch(&chains).into_iter().enumerate() {
        rows[k % windows][k / windows] = point.xy().map_or(C::BLANK, |(x, y)| C::pack(x, y));
    }
}
