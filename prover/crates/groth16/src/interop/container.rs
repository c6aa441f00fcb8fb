//! iden3's binary container.

use ark_bn254::{Fq, Fr};
use ark_ff::PrimeField;

use crate::{
    error::{Result, bail},
    field::{Limbs, element},
};

/// Bytes of a field element.
pub(super) const ELEMENT: usize = 32;
const MAX_SECTIONS: u32 = 64;

/// Sections of a file, by type.
pub(super) struct Container<'a> {
    kind: &'static str,
    sections: Vec<(u32, &'a [u8])>,
}

impl<'a> Container<'a> {
    /// Splits a file; its sections must fill it exactly.
    pub(super) fn parse(bytes: &'a [u8], kind: &'static str, versions: &[u32]) -> Result<Self> {
        let mut reader = Reader::new(bytes, kind);
        if reader.take(4)? != kind.as_bytes() {
            bail!(InvalidInput, "not a .{} file", kind.trim_end());
        }
        let version = reader.u32()?;
        if !versions.contains(&version) {
            bail!(
                InvalidInput,
                "{kind}: version {version}; this build reads {versions:?}"
            );
        }
        let count = reader.u32()?;
        if count > MAX_SECTIONS {
            bail!(InvalidInput, "{kind}: {count} sections");
        }
        let mut sections: Vec<(u32, &[u8])> = Vec::new();
        for _ in 0..count {
            let id = reader.u32()?;
            let length = reader.u64()?;
            let Ok(length) = usize::try_from(length) else {
                bail!(InvalidInput, "{kind}: section {id} of {length} bytes");
            };
            if sections.iter().any(|(other, _)| *other == id) {
                bail!(InvalidInput, "{kind}: section {id} occurs twice");
            }
            sections.push((id, reader.take(length)?));
        }
        reader.end()?;
        Ok(Self { kind, sections })
    }

    /// Refuses a section of any other type: what it asks for would be left out.
    pub(super) fn only(&self, known: &[u32]) -> Result<()> {
        match self.sections.iter().find(|(id, _)| !known.contains(id)) {
            Some((id, _)) => bail!(InvalidInput, "{}: section {id} is not known", self.kind),
            None => Ok(()),
        }
    }

    /// Whether a section is there.
    pub(super) fn has(&self, id: u32) -> bool {
        self.sections.iter().any(|(other, _)| *other == id)
    }

    /// One section's contents.
    pub(super) fn section(&self, id: u32) -> Result<Reader<'a>> {
        match self.sections.iter().find(|(other, _)| *other == id) {
            Some((_, bytes)) => Ok(Reader::new(bytes, self.kind)),
            None => bail!(InvalidInput, "{}: section {id} is missing", self.kind),
        }
    }
}

/// Reads little-endian fields and refuses to read past the end.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    kind: &'static str,
}

impl<'a> Reader<'a> {
    fn new(rest: &'a [u8], kind: &'static str) -> Self {
        Self { rest, kind }
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(length) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => bail!(InvalidInput, "{}: truncated", self.kind),
        }
    }

    /// `count` items of `size` bytes; nothing is allocated on the word of a length prefix.
    pub(super) fn items(
        &mut self,
        count: usize,
        size: usize,
    ) -> Result<std::slice::ChunksExact<'a, u8>> {
        match count.checked_mul(size) {
            Some(length) => Ok(self.take(length)?.chunks_exact(size)),
            None => bail!(InvalidInput, "{}: truncated", self.kind),
        }
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(
            self.take(4)?.try_into().expect("four bytes"),
        ))
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(
            self.take(8)?.try_into().expect("eight bytes"),
        ))
    }

    /// A length-prefixed modulus that must be BN254's r.
    pub(super) fn scalar_field(&mut self) -> Result<()> {
        self.modulus(Fr::MODULUS.0)
    }

    /// A length-prefixed modulus that must be BN254's p.
    pub(super) fn base_field(&mut self) -> Result<()> {
        self.modulus(Fq::MODULUS.0)
    }

    fn modulus(&mut self, expected: Limbs) -> Result<()> {
        let size = self.u32()?;
        if size as usize != ELEMENT || limbs(self.take(ELEMENT)?) != expected {
            bail!(InvalidInput, "{}: another field than BN254's", self.kind);
        }
        Ok(())
    }

    /// A canonical scalar.
    pub(super) fn scalar(&mut self) -> Result<Limbs> {
        let value = limbs(self.take(ELEMENT)?);
        if element(value).is_none() {
            bail!(InvalidInput, "{}: a value is not below r", self.kind);
        }
        Ok(value)
    }

    pub(super) fn end(&self) -> Result<()> {
        if !self.rest.is_empty() {
            bail!(
                InvalidInput,
                "{}: {} bytes too many",
                self.kind,
                self.rest.len()
            );
        }
        Ok(())
    }
}

/// Little-endian limbs of 32 bytes.
pub(super) fn limbs(bytes: &[u8]) -> Limbs {
    let mut out = [0u64; 4];
    for (limb, chunk) in out.iter_mut().zip(bytes.chunks_exact(8)) {
        *limb = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
    }
    out
}

/// Builds a file of sections.
pub(super) fn build(kind: &str, version: u32, sections: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut out = kind.as_bytes().to_vec();
    out.extend(version.to_le_bytes());
    out.extend((sections.len() as u32).to_le_bytes());
    for (id, bytes) in sections {
        out.extend(id.to_le_bytes());
        out.extend((bytes.len() as u64).to_le_bytes());
        out.extend(bytes);
    }
    out
}

/// Appends 32 little-endian bytes.
pub(super) fn put(out: &mut Vec<u8>, value: &Limbs) {
    for limb in value {
        out.extend(limb.to_le_bytes());
    }
}

/// Appends a length-prefixed modulus r.
pub(super) fn put_scalar_field(out: &mut Vec<u8>) {
    out.extend((ELEMENT as u32).to_le_bytes());
    put(out, &Fr::MODULUS.0);
}

/// Appends a length-prefixed modulus p.
pub(super) fn put_base_field(out: &mut Vec<u8>) {
    out.extend((ELEMENT as u32).to_le_bytes());
    put(out, &Fq::MODULUS.0);
}
