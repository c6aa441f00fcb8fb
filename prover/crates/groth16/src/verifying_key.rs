//! The verifying key: bytes, checks, hash.

use ark_bn254::{G1Affine, G2Affine};
use ark_ec::AffineRepr;

use crate::{
    challenge::keccak256,
    encoding::{G1_BYTES, G2_BYTES, Malformed, Reader, WORD, g1_bytes, g2_bytes},
    error::{Error, Result, bail},
    layout::{Layout, MAX_PUBLIC},
};

const MAGIC: &[u8; 4] = b"ASVK";
const VERSION: u8 = 1;
const COMMITTED: u8 = 1;
const PRIVATE_WEIGHTS: u8 = 2;

/// A verifying key that passed [`VerifyingKey::check`], or was made by setup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    /// `[alpha]_1`.
    pub alpha: G1Affine,
    /// `[beta]_2`.
    pub beta: G2Affine,
    /// `[gamma]_2`.
    pub gamma: G2Affine,
    /// `[delta]_2`.
    pub delta: G2Affine,
    /// `[delta_1]_2`, in committed mode.
    pub delta_1: Option<G2Affine>,
    /// `[delta_m]_2`, with private weights.
    pub delta_m: Option<G2Affine>,
    /// Elements of `1, x_1..x_n, c`.
    pub ic: Vec<G1Affine>,
}

impl VerifyingKey {
    /// Number of statement words.
    #[must_use]
    pub fn n_public(&self) -> usize {
        self.ic.len() - 1 - usize::from(self.delta_1.is_some())
    }

    /// Whether the layout's groups are this key's.
    #[must_use]
    pub fn matches(&self, layout: &Layout) -> bool {
        self.n_public() == layout.n_public as usize
            && self.delta_1.is_some() == layout.committed
            && self.delta_m.is_some() == layout.private_weights()
    }

    /// The normative bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut header = [0u8; WORD];
        header[..4].copy_from_slice(MAGIC);
        header[4] = VERSION;
        header[5] =
            self.delta_1.map_or(0, |_| COMMITTED) | self.delta_m.map_or(0, |_| PRIVATE_WEIGHTS);
        let n = u32::try_from(self.n_public()).expect("at most MAX_PUBLIC");
        header[8..12].copy_from_slice(&n.to_be_bytes());
        let mut out = header.to_vec();
        out.extend(g1_bytes(&self.alpha));
        for point in self.g2_elements() {
            out.extend(g2_bytes(point));
        }
        for point in &self.ic {
            out.extend(g1_bytes(point));
        }
        out
    }

    /// `vkHash`.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        keccak256(&self.to_bytes())
    }

    fn g2_elements(&self) -> impl Iterator<Item = &G2Affine> {
        [&self.beta, &self.gamma, &self.delta]
            .into_iter()
            .chain(&self.delta_1)
            .chain(&self.delta_m)
    }

    /// Reads and checks a key.
    ///
    /// # Errors
    /// `InvalidKey` for any other length than the header's, unknown versions or flags, points off their group, and
    /// whatever [`VerifyingKey::check`] refuses.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let Some(header) = bytes.first_chunk::<WORD>() else {
            bail!(
                InvalidKey,
                "a verifying key of {} bytes has no header",
                bytes.len()
            );
        };
        if &header[..4] != MAGIC {
            bail!(InvalidKey, "not a verifying key");
        }
        if header[4] != VERSION {
            bail!(
                InvalidKey,
                "verifying key of version {}; this build reads {VERSION}",
                header[4]
            );
        }
        let flags = header[5];
        let rest = header[6..8].iter().chain(&header[12..]);
        if flags & !(COMMITTED | PRIVATE_WEIGHTS) != 0 || rest.into_iter().any(|&b| b != 0) {
            bail!(InvalidKey, "the verifying key's header has unknown bits");
        }
        let committed = flags & COMMITTED != 0;
        let private = flags & PRIVATE_WEIGHTS != 0;
        let n = u32::from_be_bytes(header[8..12].try_into().expect("four bytes"));
        if n > MAX_PUBLIC {
            bail!(InvalidKey, "{n} public inputs; at most {MAX_PUBLIC}");
        }
        let ic_len = 1 + n as usize + usize::from(committed);
        let g2_len = 3 + usize::from(committed) + usize::from(private);
        let expected = WORD + G1_BYTES + g2_len * G2_BYTES + ic_len * G1_BYTES;
        if bytes.len() != expected {
            bail!(
                InvalidKey,
                "{} bytes where the header says {expected}",
                bytes.len()
            );
        }
        let named = |name: &str| {
            let name = name.to_owned();
            move |why: Malformed| Error::InvalidKey(format!("{name}: {why}"))
        };
        let mut reader = Reader::new(&bytes[WORD..]);
        let key = Self {
            alpha: reader.g1().map_err(named("alpha"))?,
            beta: reader.g2().map_err(named("beta"))?,
            gamma: reader.g2().map_err(named("gamma"))?,
            delta: reader.g2().map_err(named("delta"))?,
            delta_1: committed
                .then(|| reader.g2())
                .transpose()
                .map_err(named("delta_1"))?,
            delta_m: private
                .then(|| reader.g2())
                .transpose()
                .map_err(named("delta_m"))?,
            ic: (0..ic_len)
                .map(|i| reader.g1().map_err(named(&format!("IC[{i}]"))))
                .collect::<Result<_>>()?,
        };
        key.check()?;
        Ok(key)
    }

    /// Refuses keys under which anyone can prove anything: elements at infinity, two of gamma and the deltas equal up to
    /// sign, a delta left at the generator by a skipped ceremony phase, a statement word or challenge that binds nothing.
    ///
    /// # Errors
    /// `InvalidKey`, naming the element.
    pub fn check(&self) -> Result<()> {
        if self.alpha.is_zero() {
            bail!(InvalidKey, "alpha is infinity");
        }
        if self.beta.is_zero() {
            bail!(InvalidKey, "beta is infinity");
        }
        let named: Vec<(&str, G2Affine)> =
            [("gamma", Some(self.gamma)), ("delta", Some(self.delta))]
                .into_iter()
                .chain([("delta_1", self.delta_1), ("delta_m", self.delta_m)])
                .filter_map(|(name, point)| point.map(|p| (name, p)))
                .collect();
        let same_up_to_sign = |a: &G2Affine, b: &G2Affine| a == b || *a == -*b;
        for (i, (name, point)) in named.iter().enumerate() {
            if point.is_zero() {
                bail!(InvalidKey, "{name} is infinity");
            }
            if i > 0 && same_up_to_sign(point, &G2Affine::generator()) {
                bail!(
                    InvalidKey,
                    "{name} is the generator: a ceremony phase was skipped"
                );
            }
            if let Some((other, _)) = named[..i].iter().find(|(_, o)| same_up_to_sign(o, point)) {
                bail!(InvalidKey, "{name} equals {other} up to sign");
            }
        }
        if let Some(i) = self.ic.iter().skip(1).position(AffineRepr::is_zero) {
            bail!(InvalidKey, "IC[{}] is infinity: it binds nothing", i + 1);
        }
        Ok(())
    }
}
