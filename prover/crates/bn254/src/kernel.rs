//! Choice of the code path: portable 64-bit limbs, or 8-way AVX-512 IFMA.

use std::sync::OnceLock;

/// Environment variable that forces a path: `portable` or `ifma`.
pub const KERNEL_VARIABLE: &str = "ASSAY_KERNEL";

/// A code path that this processor can run; both give the same group elements and the same field elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel(Path);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Ifma,
}

impl Kernel {
    /// The path of four 64-bit limbs, which every processor runs.
    pub const PORTABLE: Self = Self(Path::Portable);

    /// The path of eight lanes of five 52-bit limbs, or `None` where the processor lacks AVX-512 F, DQ, VL or IFMA.
    #[must_use]
    pub fn ifma() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512ifma")
        {
            return Some(Self(Path::Ifma));
        }
        None
    }

    /// Every path this processor can run.
    #[must_use]
    pub fn all() -> Vec<Self> {
        std::iter::once(Self::PORTABLE)
            .chain(Self::ifma())
            .collect()
    }

    /// The path in use: the one [`KERNEL_VARIABLE`] names when first asked, otherwise the fastest available.
    ///
    /// # Panics
    /// When the variable names an unknown path, or one that this processor cannot run: a forced path that silently
    /// became another would make every measurement a lie.
    #[must_use]
    pub fn active() -> Self {
        static ACTIVE: OnceLock<Kernel> = OnceLock::new();
        *ACTIVE.get_or_init(|| match std::env::var(KERNEL_VARIABLE).as_deref() {
            Ok("portable") => Self::PORTABLE,
            Ok("ifma") => {
                Self::ifma().expect("ASSAY_KERNEL=ifma on a processor without AVX-512 IFMA")
            }
            Ok("") | Err(_) => Self::ifma().unwrap_or(Self::PORTABLE),
            Ok(other) => panic!("ASSAY_KERNEL={other}: expected portable or ifma"),
        })
    }

    /// `portable` or `ifma`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Path::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Path::Ifma => "ifma",
        }
    }

    /// Whether this is the IFMA path; true only where the processor has its instructions.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub(crate) fn is_ifma(self) -> bool {
        self != Self::PORTABLE
    }
}

/// Asks for the cache lines of `value` ahead of their use.
#[inline]
pub(crate) fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = std::ptr::from_ref(value).cast::<i8>();
        for line in (0..size_of::<T>()).step_by(64) {
            // SAFETY: a prefetch changes no memory and faults at no address; SSE is part of the x86-64 baseline.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(line)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
