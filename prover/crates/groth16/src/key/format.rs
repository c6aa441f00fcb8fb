//! The proving key's file: a header of 512 bytes, then sections at multiples of 64 bytes.
//!
//! Points are affine, in Montgomery form with R = 2^256, little-endian limbs, `x || y`: 64 bytes in G1, 128 in G2, which is
//! what the kernels read, so that a mapped file needs no parsing. No query holds infinity; a query that skips wires is
//! preceded by the sorted list of those it keeps.

use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, PrimeField, Zero};

use crate::{
    error::{Result, bail},
    layout::Layout,
};

pub(crate) const MAGIC: &[u8; 8] = b"ASSAYPK\0";
/// Changes whenever the bytes or the meaning of a section do.
pub(crate) const VERSION: u32 = 2;
pub(crate) const HEADER: usize = 512;
pub(crate) const ALIGNMENT: usize = 64;
pub(crate) const G1_SIZE: usize = 64;
pub(crate) const G2_SIZE: usize = 128;
const BODY_HASH_AT: usize = 56 + 16 * SECTIONS;
const ROWS_AT: usize = BODY_HASH_AT + 32;
const HINT_AT: usize = ROWS_AT + 32;
const HASH_AT: usize = HEADER - 32;

/// Sections in file order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Section {
    VerifyingKey,
    Constants,
    IndexA,
    A,
    IndexB,
    B1,
    B2,
    IndexK,
    K,
    IndexD,
    D,
    IndexM,
    M,
    H,
}

pub(crate) const SECTIONS: usize = Section::H as usize + 1;

/// Who knew the secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Origin {
    /// One party drew them: whoever ran setup could forge proofs. For development.
    Development = 1,
    /// A multi-party ceremony: safe if one participant was honest.
    Ceremony = 2,
    /// Converted from another tool's file.
    Imported = 3,
    /// Made from a seed that others may know: for tests alone.
    Test = 4,
}

impl Origin {
    fn from_code(code: u32) -> Option<Self> {
        [
            Self::Development,
            Self::Ceremony,
            Self::Imported,
            Self::Test,
        ]
        .into_iter()
        .find(|o| *o as u32 == code)
    }

    /// One word for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Ceremony => "ceremony",
            Self::Imported => "imported",
            Self::Test => "test",
        }
    }
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub origin: Origin,
    /// Whether the K query covers all wires and holds the half of C (`docs/quotient.md`); otherwise it covers `w2` alone.
    pub merged: bool,
    pub layout: Layout,
    pub n_constraints: usize,
    pub domain_size: usize,
    /// Digest of the circuit's rows; zero in an imported key, which cannot be checked.
    pub rows: [u8; 32],
}

impl Description {
    /// Wires that the K query is about.
    pub(crate) fn k_wires(&self) -> usize {
        if self.merged {
            self.layout.n_wires()
        } else {
            self.layout.w2().len()
        }
    }
}

/// What the first 512 bytes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub description: Description,
    pub sections: [(u64, u64); SECTIONS],
    pub body_hash: [u8; 32],
    /// `[sum rho_i w_i(tau)]_1` with the weights that the rest of the header determines ([`super::check`]); raw bytes.
    pub hint: [u8; G1_SIZE],
}

impl Header {
    pub(crate) fn file_len(&self) -> u64 {
        let (offset, length) = self.sections[SECTIONS - 1];
        offset.saturating_add(length)
    }

    /// All that the hint's weights are hashed from.
    pub(crate) fn without_hint(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        let d = &self.description;
        out.extend((d.origin as u32).to_le_bytes());
        let l = &d.layout;
        for value in [
            l.n_public,
            u32::from(l.committed),
            l.n_model,
            l.n_w1,
            l.n_w2,
            u32::from(d.merged),
        ] {
            out.extend(value.to_le_bytes());
        }
        out.extend((d.n_constraints as u64).to_le_bytes());
        out.extend((d.domain_size as u64).to_le_bytes());
        for (offset, length) in self.sections {
            out.extend(offset.to_le_bytes());
            out.extend(length.to_le_bytes());
        }
        out.extend(self.body_hash);
        out.extend(d.rows);
        out
    }

    pub(crate) fn to_bytes(&self) -> [u8; HEADER] {
        let mut out = self.without_hint();
        out.extend(self.hint);
        out.resize(HASH_AT, 0);
        let hash = blake3::hash(&out);
        out.extend(hash.as_bytes());
        out.try_into().expect("512 bytes")
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if !bytes.starts_with(MAGIC) {
            bail!(InvalidKey, "not a proving key");
        }
        if bytes.len() < HEADER {
            bail!(
                InvalidKey,
                "truncated: {} bytes, less than a header",
                bytes.len()
            );
        }
        let u32_at =
            |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let u64_at =
            |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let version = u32_at(8);
        if version != VERSION {
            bail!(
                InvalidKey,
                "made in format {version}, this build reads {VERSION}: run setup again"
            );
        }
        if blake3::hash(&bytes[..HASH_AT]).as_bytes() != &bytes[HASH_AT..HEADER] {
            bail!(InvalidKey, "the header is damaged (its hash differs)");
        }
        let Some(origin) = Origin::from_code(u32_at(12)) else {
            bail!(InvalidKey, "unknown origin {}", u32_at(12));
        };
        if u32_at(20) > 1 || u32_at(36) > 1 {
            bail!(InvalidKey, "the header has unknown bits");
        }
        let layout = Layout::new(
            u32_at(16),
            u32_at(20) != 0,
            u32_at(24),
            u32_at(28),
            u32_at(32),
        )?;
        if bytes[HINT_AT + G1_SIZE..HASH_AT].iter().any(|&b| b != 0) {
            bail!(InvalidKey, "the header has unknown bytes");
        }
        let mut sections = [(0, 0); SECTIONS];
        for (i, section) in sections.iter_mut().enumerate() {
            *section = (u64_at(56 + 16 * i), u64_at(64 + 16 * i));
        }
        Ok(Self {
            description: Description {
                origin,
                merged: u32_at(36) == 1,
                layout,
                n_constraints: size(u64_at(40))?,
                domain_size: size(u64_at(48))?,
                rows: bytes[ROWS_AT..HINT_AT].try_into().expect("32 bytes"),
            },
            sections,
            body_hash: bytes[BODY_HASH_AT..ROWS_AT].try_into().expect("32 bytes"),
            hint: bytes[HINT_AT..HINT_AT + G1_SIZE]
                .try_into()
                .expect("a point"),
        })
    }
}

fn size(value: u64) -> Result<usize> {
    match usize::try_from(value) {
        Ok(value) => Ok(value),
        Err(_) => bail!(InvalidKey, "{value} rows do not fit this machine"),
    }
}

fn put(out: &mut Vec<u8>, value: &Fq) {
    for limb in value.0.0 {
        out.extend(limb.to_le_bytes());
    }
}

fn get(bytes: &[u8]) -> Result<Fq> {
    let mut limbs = [0u64; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
        *limb = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
    }
    // Arithmetic on words above the prime need not even end.
    if BigInt(limbs) >= Fq::MODULUS {
        bail!(InvalidKey, "a constant is out of range");
    }
    Ok(Fq::new_unchecked(BigInt(limbs)))
}

/// Raw bytes of a point; infinity is all zeros.
pub(crate) fn put_g1(out: &mut Vec<u8>, point: &G1Affine) {
    let (x, y) = point.xy().unwrap_or_default();
    put(out, &x);
    put(out, &y);
}

/// Raw bytes of a G2 point; infinity is all zeros.
pub(crate) fn put_g2(out: &mut Vec<u8>, point: &G2Affine) {
    let (x, y) = point.xy().unwrap_or_default();
    for value in [x.c0, x.c1, y.c0, y.c1] {
        put(out, &value);
    }
}

/// The point of 64 raw bytes, not checked to be on the curve.
pub(crate) fn get_g1(bytes: &[u8]) -> Result<G1Affine> {
    let (x, y) = (get(&bytes[..32])?, get(&bytes[32..])?);
    if x.is_zero() && y.is_zero() {
        return Ok(G1Affine::identity());
    }
    Ok(G1Affine::new_unchecked(x, y))
}

/// The point of 128 raw bytes, not checked to be on the curve.
pub(crate) fn get_g2(bytes: &[u8]) -> Result<G2Affine> {
    let at = |k: usize| get(&bytes[k..k + 32]);
    let (x, y) = (Fq2::new(at(0)?, at(32)?), Fq2::new(at(64)?, at(96)?));
    if x.is_zero() && y.is_zero() {
        return Ok(G2Affine::identity());
    }
    Ok(G2Affine::new_unchecked(x, y))
}
