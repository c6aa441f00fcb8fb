//! Affine points as the kernels see them, and additions of many of them that share one inversion.
//!
//! A point at rest is its two coordinates as Montgomery words (R = 2^256), the layout of arkworks' affine points, so
//! that bases are read where they lie. Partial sums live in [`Curve::Slot`]s of the same layout, cache-line aligned;
//! the IFMA path leaves their coordinates below 2p rather than below p.

#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;
pub(crate) mod portable;

use ark_bn254::{Fq, Fq2, Fr, g1, g2};
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ff::{BigInt, PrimeField, Zero};

use crate::field::inverse::Invert;
use crate::kernel::Kernel;

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
    Bases(&'a [Affine<C>]),
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
    /// Coordinates at rest.
    type Slot: Copy + Send + Sync + std::fmt::Debug;

    /// Storage of the vector path.
    type Simd: Default + std::fmt::Debug;

    /// Contents of a slot not yet written.
    const BLANK: Self::Slot;

    /// A slot holding the point `(x, y)`.
    fn pack(x: Self::BaseField, y: Self::BaseField) -> Self::Slot;

    /// The canonical coordinates in a slot.
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

    /// A slot holding a base that is not infinity, or its negative.
    fn pack_base(base: &Affine<Self>, negate: bool) -> Self::Slot
    where
        Self: Sized,
    {
        Self::pack(base.x, if negate { -base.y } else { base.y })
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

/// Words of a coordinate pair, aligned to cache lines.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Words<const N: usize>(pub [u64; N]);

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

fn words_of(value: Fq) -> [u64; 4] {
    value.0.0
}

/// The field element whose Montgomery words are `words`, given below 2p.
fn field_of(words: &[u64]) -> Fq {
    let mut limbs = BigInt([words[0], words[1], words[2], words[3]]);
    if limbs >= Fq::MODULUS {
        ark_ff::BigInteger::sub_with_borrow(&mut limbs, &Fq::MODULUS);
    }
    debug_assert!(limbs < Fq::MODULUS);
    Fq::new_unchecked(limbs)
}

impl Curve for g1::Config {
    type Slot = Words<8>;
    #[cfg(target_arch = "x86_64")]
    type Simd = ifma::BuffersG1;
    #[cfg(not(target_arch = "x86_64"))]
    type Simd = ();

    const BLANK: Self::Slot = Words([0; 8]);

    fn pack(x: Fq, y: Fq) -> Self::Slot {
        let mut out = Self::BLANK;
        out.0[..4].copy_from_slice(&words_of(x));
        out.0[4..].copy_from_slice(&words_of(y));
        out
    }

    fn unpack(slot: &Self::Slot) -> (Fq, Fq) {
        (field_of(&slot.0[..4]), field_of(&slot.0[4..]))
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
    type Slot = Words<16>;
    #[cfg(target_arch = "x86_64")]
    type Simd = ifma::BuffersG2;
    #[cfg(not(target_arch = "x86_64"))]
    type Simd = ();

    const BLANK: Self::Slot = Words([0; 16]);

    fn pack(x: Fq2, y: Fq2) -> Self::Slot {
        let mut out = Self::BLANK;
        for (chunk, value) in out.0.chunks_exact_mut(4).zip([x.c0, x.c1, y.c0, y.c1]) {
            chunk.copy_from_slice(&words_of(value));
        }
        out
    }

    fn unpack(slot: &Self::Slot) -> (Fq2, Fq2) {
        let at = |i: usize| field_of(&slot.0[4 * i..4 * i + 4]);
        (Fq2::new(at(0), at(1)), Fq2::new(at(2), at(3)))
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
