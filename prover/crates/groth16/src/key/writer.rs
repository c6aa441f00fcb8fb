//! Writes a proving key section by section.

use std::path::Path;

use ark_bn254::G1Affine;

use super::{
    format::{ALIGNMENT, Description, G1_SIZE, HEADER, Header, SECTIONS, Section, put_g1},
    weights::Weights,
};
use crate::{error::Result, partial_file::PartialFile};

pub(crate) struct KeyWriter {
    file: PartialFile,
    hasher: blake3::Hasher,
    offset: u64,
    sections: [(u64, u64); SECTIONS],
}

impl KeyWriter {
    pub(crate) fn create(target: &Path) -> Result<Self> {
        let mut file = PartialFile::create(target)?;
        file.put(&[0; HEADER])?;
        Ok(Self {
            file,
            hasher: blake3::Hasher::new(),
            offset: HEADER as u64,
            sections: [(0, 0); SECTIONS],
        })
    }

    /// Starts a section at the next multiple of 64 bytes. Every section must be begun, in order, empty ones too.
    pub(crate) fn begin(&mut self, section: Section) -> Result<()> {
        let padding = self.offset.next_multiple_of(ALIGNMENT as u64) - self.offset;
        self.put(&[0; ALIGNMENT][..usize::try_from(padding).expect("below 64")])?;
        self.sections[section as usize] = (self.offset, 0);
        Ok(())
    }

    /// Appends to a section begun last.
    pub(crate) fn append(&mut self, section: Section, bytes: &[u8]) -> Result<()> {
        self.put(bytes)?;
        self.sections[section as usize].1 += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn section(&mut self, section: Section, bytes: &[u8]) -> Result<()> {
        self.begin(section)?;
        self.append(section, bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.offset += bytes.len() as u64;
        self.file.put(bytes)
    }

    /// Writes the header, flushes to the disk and gives the file its name. `hint` makes the one element that depends on all
    /// others; infinity in a key that cannot be checked.
    pub(crate) fn finish(
        mut self,
        description: &Description,
        hint: impl FnOnce(&Weights) -> G1Affine,
    ) -> Result<()> {
        let mut header = Header {
            description: *description,
            sections: self.sections,
            body_hash: *self.hasher.finalize().as_bytes(),
            hint: [0; G1_SIZE],
        };
        let mut point = Vec::with_capacity(G1_SIZE);
        put_g1(&mut point, &hint(&Weights::of(&header)));
        header.hint.copy_from_slice(&point);
        self.file.rewind()?;
        self.file.put(&header.to_bytes())?;
        self.file.finish()
    }
}
