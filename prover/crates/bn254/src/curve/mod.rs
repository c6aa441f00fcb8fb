//! Affine points as the kernels see them, and additions of many of them that share one inversion.
//!
//! Bases and partial sums are [`crate::packed`] points; the IFMA path leaves the coordinates of sums below 2p rather than
//! below p.

// Without the vector path its selector and its buffers have no reader.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_variables))]

#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;
pub(crate) mod portable;

use ark_bn254::{Fq, Fq2, Fr, g1, g2};
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ff::Zero;

use crate::field::inverse::Invert;
use crate::kernel::Kernel;
use crate::packed::{PackedG1, PackedG2};

/// Additions that share an inversion; the working set (points, differences, prefix products) stays in L2.
pub(crate) const BATCH: usize = 1024;

/// `slots[dst] += ±source[src]`; the top bit of `src` asks for the negative.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addition {
    pub dst: u32,
    pub src: u32,
}

/// Bit of [`Addition::src`] that negates the source point.
pub(crate) const NEGATE: u32 = 1 << 31;

/// Where the added points come from.
#[derive(Debug)]
pub(crate) enum Source<'a, C: Curve> {
    /// The bases of a multi-scalar multiplication; none that is used may be infinity.
    Bases(&'a [C::Slot]),
    /// The slots themselves; no slot may be the destination of one addition and the source of another.
    Slots,
}

/// Storage that a batch needs, reused from batch to batch.
#[derive(Debug)]
pub(crate) struct Workspace<C: Curve> {
    portable: portable::Buffers<C>,
    simd: C::Simd,
}

impl<C: Curve> Default for Workspace<C> {
    fn default() -> Self {
        Self {
            portable: portable::Buffers::default(),
            simd: C::Simd::default(),
        }
    }
}

/// The two groups of BN254.
pub(crate) trait Curve: SWCurveConfig<ScalarField = Fr, BaseField: Invert> {
    /// A point at rest: a base, or a partial sum in a bucket.
    type Slot: Copy + Send + Sync + std::fmt::Debug;

    /// Storage of the vector path.
    type Simd: Default + std::fmt::Debug;

    /// Contents of a slot not yet written.
    const BLANK: Self::Slot;

    /// A slot holding the point `(x, y)`.
    fn pack(x: Self::BaseField, y: Self::BaseField) -> Self::Slot;

    /// The coordinates in a slot, canonical whatever words it holds.
    fn unpack(slot: &Self::Slot) -> (Self::BaseField, Self::BaseField);

    /// Performs additions whose destinations are distinct and hold points; at most [`BATCH`].
    ///
    /// Every destination whose sum is infinity is appended to `cancelled`, and its slot holds nothing afterwards.
    fn add_batch(
        kernel: Kernel,
        slots: &mut [Self::Slot],
        source: Source<'_, Self>,
        additions: &[Addition],
        workspace: &mut Workspace<Self>,
        cancelled: &mut Vec<u32>,
    ) where
        Self: Sized;

    /// `rows[w][i] = 2^(width w) bases[i]`, canonical; infinity stays infinity.
    fn multiples(kernel: Kernel, bases: &[Self::Slot], width: u32, rows: &mut [&mut [Self::Slot]])
    where
        Self: Sized;

    /// Whether a base is infinity.
    fn is_infinity(base: &Self::Slot) -> bool;

    /// A base that is not infinity, or its negative.
    fn signed(base: &Self::Slot, negate: bool) -> Self::Slot
    where
        Self: Sized,
    {
        if !negate {
            return *base;
        }
        let (x, y) = Self::unpack(base);
        Self::pack(x, -y)
    }

    /// The point in a slot.
    fn point(slot: &Self::Slot) -> Projective<Self>
    where
        Self: Sized,
    {
        let (x, y) = Self::unpack(slot);
        Affine::new_unchecked(x, y).into()
    }
}

/// Panics unless every index of `additions` is in range.
fn check_range<C: Curve>(additions: &[Addition], slots: usize, source: &Source<'_, C>) {
    let sources = match source {
        Source::Bases(bases) => bases.len(),
        Source::Slots => slots,
    };
    let (dst, src) = additions.iter().fold((0, 0), |(dst, src), a| {
        (dst.max(a.dst), src.max(a.src & !NEGATE))
    });
    assert!(
        additions.is_empty() || ((dst as usize) < slots && (src as usize) < sources),
        "an addition names a slot or a base that does not exist"
    );
}

impl Curve for g1::Config {
    type Slot = PackedG1;
    #[cfg(target_arch = "x86_64")]
    type Simd = ifma::BuffersG1;
    #[cfg(not(target_arch = "x86_64"))]
    type Simd = ();

    const BLANK: Self::Slot = PackedG1::INFINITY;

    fn pack(x: Fq, y: Fq) -> Self::Slot {
        PackedG1::pack(x, y)
    }

    fn unpack(slot: &Self::Slot) -> (Fq, Fq) {
        slot.coordinates()
    }

    fn is_infinity(base: &Self::Slot) -> bool {
        base.is_infinity()
    }

    fn multiples(kernel: Kernel, bases: &[PackedG1], width: u32, rows: &mut [&mut [PackedG1]]) {
        #[cfg(target_arch = "x86_64")]
        if kernel.is_ifma() && !bases.iter().any(Self::is_infinity) {
            // SAFETY: this kernel exists only where the processor has its instructions.
            if unsafe { ifma::multiples_g1(bases, width, rows) } {
                return;
            }
        }
        portable::multiples::<Self>(bases, width, rows);
    }

    fn add_batch(
        kernel: Kernel,
        slots: &mut [Self::Slot],
        source: Source<'_, Self>,
        additions: &[Addition],
        workspace: &mut Workspace<Self>,
        cancelled: &mut Vec<u32>,
    ) {
        #[cfg(target_arch = "x86_64")]
        if kernel.is_ifma() {
            check_range(additions, slots.len(), &source);
            // SAFETY: this kernel exists only where the processor has its instructions; the indices were checked.
            let done =
                unsafe { ifma::add_batch_g1(slots, &source, additions, &mut workspace.simd) };
            if done {
                return;
            }
        }
        portable::add_batch(slots, source, additions, &mut workspace.portable, cancelled);
    }
}

impl Curve for g2::Config {
    type Slot = PackedG2;
    #[cfg(target_arch = "x86_64")]
    type Simd = ifma::BuffersG2;
    #[cfg(not(target_arch = "x86_64"))]
    type Simd = ();

    const BLANK: Self::Slot = PackedG2::INFINITY;

    fn pack(x: Fq2, y: Fq2) -> Self::Slot {
        PackedG2::pack(x, y)
    }

    fn unpack(slot: &Self::Slot) -> (Fq2, Fq2) {
        slot.coordinates()
    }

    fn is_infinity(base: &Self::Slot) -> bool {
        base.is_infinity()
    }

    fn multiples(kernel: Kernel, bases: &[PackedG2], width: u32, rows: &mut [&mut [PackedG2]]) {
        #[cfg(target_arch = "x86_64")]
        if kernel.is_ifma() && !bases.iter().any(Self::is_infinity) {
            // SAFETY: this kernel exists only where the processor has its instructions.
            if unsafe { ifma::multiples_g2(bases, width, rows) } {
                return;
            }
        }
        portable::multiples::<Self>(bases, width, rows);
    }

    fn add_batch(
        kernel: Kernel,
        slots: &mut [Self::Slot],
        source: Source<'_, Self>,
        additions: &[Addition],
        workspace: &mut Workspace<Self>,
        cancelled: &mut Vec<u32>,
    ) {
        #[cfg(target_arch = "x86_64")]
        if kernel.is_ifma() {
            check_range(additions, slots.len(), &source);
            // SAFETY: as for G1.
            let done =
                unsafe { ifma::add_batch_g2(slots, &source, additions, &mut workspace.simd) };
            if done {
                return;
            }
        }
        portable::add_batch(slots, source, additions, &mut workspace.portable, cancelled);
    }
}

/// The point an accumulated option stands for.
pub(crate) fn point_or_zero<C: Curve>(slot: Option<&C::Slot>) -> Projective<C> {
    slot.map_or_else(Projective::zero, C::point)
}
