//! A proving key mapped from its file.

use std::{
    fs::File,
    path::Path,
    sync::{OnceLock, atomic::AtomicUsize},
};

use ark_bn254::{G1Affine, G1Projective, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::Zero;
use assay_bn254::{PackedG1, PackedG2, ntt::Domain};
use memmap2::Mmap;

use super::format::{G1_SIZE, G2_SIZE, HEADER, Header, Origin, Section, get_g1, get_g2};
use super::{check::is_one, sections::Sections, tables::Tables};
use crate::{
    error::{Error, Result, bail},
    layout::Layout,
    random::Randomness,
    verifying_key::VerifyingKey,
};

/// Group elements that the prover needs once a proof.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Constants {
    pub alpha: G1Affine,
    pub beta: G1Affine,
    pub delta: G1Affine,
    pub delta_1: G1Affine,
    pub delta_m: G1Affine,
    pub beta_2: G2Affine,
    pub delta_2: G2Affine,
    /// `[tau]_2` and `[tau^n - 1]_2`, for the check alone; infinity in an imported key.
    pub tau_2: G2Affine,
    pub vanishing_2: G2Affine,
}

pub(crate) const CONSTANTS_SIZE: usize = 5 * G1_SIZE + 4 * G2_SIZE;

/// Points of some wires of a group: all of them, or those that `index` lists in ascending order.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a, P> {
    /// Positions within the group; `None` when no wire is skipped.
    pub index: Option<&'a [u32]>,
    /// One point for each kept wire, none of them infinity.
    pub points: &'a [P],
}

/// A proving key. The file's pages are shared between processes and loaded on first use.
pub struct ProvingKey {
    map: Mmap,
    header: Header,
    vk: VerifyingKey,
    vk_bytes: Vec<u8>,
    vk_hash: [u8; 32],
    domain: Domain,
    pub(crate) constants: Constants,
    hint: G1Affine,
    hashed: bool,
    indices: [Vec<u32>; 5],
    pub(crate) tables: OnceLock<Tables>,
    /// Proofs that batches have asked for.
    pub(crate) batched: AtomicUsize,
}

impl std::fmt::Debug for ProvingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProvingKey")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

const INDEX_SECTIONS: [Section; 5] = [
    Section::IndexA,
    Section::IndexB,
    Section::IndexK,
    Section::IndexD,
    Section::IndexM,
];

impl ProvingKey {
    /// Maps a key. `verify` hashes the whole file (about a third of a second for a gigabyte); without it only the header and
    /// the elements that blind proofs are checked. The hash guards against damage, not malice: a [`super::KeyCheck`] tells
    /// whether the points are what the circuit and the verifying key make them.
    ///
    /// # Errors
    /// `InvalidKey` for a foreign, stale, truncated, oversized or damaged file; `Io`.
    pub fn open(path: &Path, verify: bool) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        if file.metadata().map_err(Error::io(path))?.len() < HEADER as u64 {
            bail!(
                InvalidKey,
                "{}: not a proving key: too short",
                path.display()
            );
        }
        // SAFETY: the mapping is read-only. Another process that truncates the file while it is mapped ends this one with
        // SIGBUS; setup never does (it writes elsewhere and renames).
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path))?;
        Self::from_map(map, verify).map_err(|error| match error {
            Error::InvalidKey(why) | Error::InvalidInput(why) => {
                Error::InvalidKey(format!("{}: {why}", path.display()))
            }
            other => other,
        })
    }

    fn from_map(map: Mmap, verify: bool) -> Result<Self> {
        let header = Header::from_bytes(&map)?;
        let expected = header.file_len();
        if map.len() as u64 != expected {
            let how = if (map.len() as u64) < expected {
                "truncated"
            } else {
                "oversized"
            };
            bail!(
                InvalidKey,
                "{how}: {} bytes, the header says {expected}",
                map.len()
            );
        }
        if verify {
            let mut hasher = blake3::Hasher::new();
            hasher.update_rayon(&map[HEADER..]);
            if hasher.finalize().as_bytes() != &header.body_hash {
                bail!(InvalidKey, "damaged: its contents do not match its hash");
            }
        }
        let sections = Sections {
            map: &map,
            header: &header,
        };
        sections.check()?;
        let vk_bytes = sections.bytes(Section::VerifyingKey).to_vec();
        let vk = VerifyingKey::from_bytes(&vk_bytes)?;
        if !vk.matches(&header.description.layout) {
            bail!(
                InvalidKey,
                "the verifying key inside belongs to another layout"
            );
        }
        let description = header.description;
        let rows = description
            .n_constraints
            .checked_add(description.layout.n_ic());
        let domain = [Domain::smallest, Domain::new]
            .into_iter()
            .filter_map(|domain| rows.and_then(domain))
            .find(|domain| domain.size() == description.domain_size);
        let Some(domain) = domain else {
            bail!(
                InvalidKey,
                "a domain of {} rows does not fit",
                description.domain_size
            )
        };
        let c = sections.bytes(Section::Constants);
        let g1 = |i: usize| get_g1(&c[i * G1_SIZE..(i + 1) * G1_SIZE]);
        let g2 = |i: usize| {
            let at = 5 * G1_SIZE + i * G2_SIZE;
            get_g2(&c[at..at + G2_SIZE])
        };
        let constants = Constants {
            alpha: g1(0)?,
            beta: g1(1)?,
            delta: g1(2)?,
            delta_1: g1(3)?,
            delta_m: g1(4)?,
            beta_2: g2(0)?,
            delta_2: g2(1)?,
            tau_2: g2(2)?,
            vanishing_2: g2(3)?,
        };
        let hint = get_g1(&header.hint)?;
        if !hint.is_on_curve() {
            bail!(InvalidKey, "the hint is no point of the group");
        }
        let indices = INDEX_SECTIONS.map(|s| sections.index(s));
        let key = Self {
            vk_hash: vk.hash(),
            vk,
            vk_bytes,
            domain,
            constants,
            indices,
            header,
            map,
            hint,
            hashed: verify,
            tables: OnceLock::new(),
            batched: AtomicUsize::new(0),
        };
        key.check_constants()?;
        Ok(key)
    }

    /// The elements that blind a proof are those of the verifying key: with `[delta]_1` at infinity, say, proofs would verify
    /// and tell the witness.
    pub(crate) fn check_constants(&self) -> Result<()> {
        let (c, vk) = (&self.constants, &self.vk);
        let (one_1, one_2) = (G1Affine::generator(), G2Affine::generator());
        if (c.alpha, c.beta_2, c.delta_2) != (vk.alpha, vk.beta, vk.delta) {
            bail!(
                InvalidKey,
                "alpha, beta or delta is not that of the verifying key inside"
            );
        }
        let elements = [
            ("beta", c.beta, Some(vk.beta)),
            ("delta", c.delta, Some(vk.delta)),
            ("delta_1", c.delta_1, vk.delta_1),
            ("delta_m", c.delta_m, vk.delta_m),
        ];
        // All in one product, with random weights: opening a small key takes hardly longer than a pairing.
        let mut randomness = Randomness::system();
        let mut sum = G1Projective::zero();
        let mut pairs = Vec::with_capacity(5);
        for (name, point, other) in elements {
            let Some(other) = other else {
                if !point.is_zero() {
                    bail!(InvalidKey, "[{name}]_1 is of a mode that the key has not");
                }
                continue;
            };
            if !point.is_on_curve() {
                bail!(InvalidKey, "[{name}]_1 is no point of the group");
            }
            let weight = randomness.combination();
            sum += point * weight;
            pairs.push(((-one_1 * weight).into_affine(), other));
        }
        pairs.push((sum.into_affine(), one_2));
        if is_one(&pairs) {
            return Ok(());
        }
        for (name, point, other) in elements {
            if other.is_some_and(|other| !is_one(&[(point, one_2), (-one_1, other)])) {
                bail!(
                    InvalidKey,
                    "[{name}]_1 is not that of the verifying key inside"
                );
            }
        }
        bail!(
            InvalidKey,
            "its elements are not those of the verifying key inside"
        )
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn hint(&self) -> G1Affine {
        self.hint
    }

    /// Whether the key has what a [`super::KeyCheck`] needs; an imported key has not.
    #[must_use]
    pub fn is_checkable(&self) -> bool {
        self.header.description.merged && self.header.description.origin != Origin::Imported
    }

    /// Whether the file's contents were hashed when it was opened.
    #[must_use]
    pub fn is_hashed(&self) -> bool {
        self.hashed
    }

    /// What identifies the file: the hash of its header, which holds the hash of the rest.
    #[must_use]
    pub fn file_hash(&self) -> [u8; 32] {
        self.map[HEADER - 32..HEADER]
            .try_into()
            .expect("a header was read")
    }

    /// The verifying key.
    #[must_use]
    pub fn vk(&self) -> &VerifyingKey {
        &self.vk
    }

    /// The verifying key's normative bytes.
    #[must_use]
    pub fn vk_bytes(&self) -> &[u8] {
        &self.vk_bytes
    }

    /// `vkHash`.
    #[must_use]
    pub fn vk_hash(&self) -> &[u8; 32] {
        &self.vk_hash
    }

    /// The circuit's wires.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.header.description.layout
    }

    /// Rows of the circuit, without the input rows.
    #[must_use]
    pub fn n_constraints(&self) -> usize {
        self.header.description.n_constraints
    }

    /// Rows of the domain.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Size of the file.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.map.len()
    }

    /// Who knew the secrets.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.header.description.origin
    }

    /// `[delta]_1`.
    pub fn delta_g1(&self) -> G1Affine {
        self.constants.delta
    }

    /// `[delta_1]_1`, infinity without a commitment round.
    pub fn delta_1_g1(&self) -> G1Affine {
        self.constants.delta_1
    }

    fn sections(&self) -> Sections<'_> {
        Sections {
            map: &self.map,
            header: &self.header,
        }
    }

    fn g1(&self, section: Section) -> &[PackedG1] {
        PackedG1::from_bytes(self.sections().bytes(section)).expect("checked when opened")
    }

    fn query(&self, index: Section, points: Section) -> Query<'_, PackedG1> {
        Query {
            index: self.index(index),
            points: self.g1(points),
        }
    }

    fn index(&self, section: Section) -> Option<&[u32]> {
        let slot = INDEX_SECTIONS
            .iter()
            .position(|s| *s == section)
            .expect("an index");
        let index = &self.indices[slot];
        (!index.is_empty()).then_some(index.as_slice())
    }

    /// `[u_i]_1` of all wires.
    pub(crate) fn query_a(&self) -> Query<'_, PackedG1> {
        self.query(Section::IndexA, Section::A)
    }

    /// `[v_i]_1` of all wires.
    pub(crate) fn query_b1(&self) -> Query<'_, PackedG1> {
        self.query(Section::IndexB, Section::B1)
    }

    /// `[v_i]_2` of all wires.
    pub(crate) fn query_b2(&self) -> Query<'_, PackedG2> {
        let points = self.sections().bytes(Section::B2);
        Query {
            index: self.index(Section::IndexB),
            points: PackedG2::from_bytes(points).expect("checked when opened"),
        }
    }

    /// Whether the K query covers all wires and holds the half of C, or `w2` alone, as in an imported key.
    pub(crate) fn is_merged(&self) -> bool {
        self.header.description.merged
    }

    /// Merged, `[w_i Z / (2 delta)]_1` of all wires, plus `[K_i / delta]_1` for those of `w2`; otherwise the latter alone.
    pub(crate) fn query_k(&self) -> Query<'_, PackedG1> {
        self.query(Section::IndexK, Section::K)
    }

    /// `[K_i / delta_1]_1` of `w1`.
    pub(crate) fn query_d(&self) -> Query<'_, PackedG1> {
        self.query(Section::IndexD, Section::D)
    }

    /// `[K_i / delta_m]_1` of the model wires.
    pub(crate) fn query_m(&self) -> Query<'_, PackedG1> {
        self.query(Section::IndexM, Section::M)
    }

    /// `[-L_j Z / (2 delta)]_1` with the odd coset's Lagrange basis.
    pub(crate) fn query_h(&self) -> &[PackedG1] {
        self.g1(Section::H)
    }
}
