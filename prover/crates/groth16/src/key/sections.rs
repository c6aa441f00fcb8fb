//! Where a key's parts lie in its file, and whether they fit its layout.

use assay_bn254::PackedG1;
use memmap2::Mmap;

use super::{
    format::{ALIGNMENT, G1_SIZE, G2_SIZE, HEADER, Header, Section},
    proving::CONSTANTS_SIZE,
};
use crate::error::{Result, bail};

/// The mapped file's sections, as its header lists them.
pub(super) struct Sections<'a> {
    pub(super) map: &'a Mmap,
    pub(super) header: &'a Header,
}

impl<'a> Sections<'a> {
    /// Every section lies inside the file, aligned, after the one before, and holds as many items as the layout says.
    pub(super) fn check(&self) -> Result<()> {
        let mut end = HEADER as u64;
        for (offset, length) in self.header.sections {
            if offset != end.next_multiple_of(ALIGNMENT as u64) || length > self.map.len() as u64 {
                bail!(InvalidKey, "the header's table of sections is inconsistent");
            }
            end = offset + length;
        }
        let description = &self.header.description;
        let l = &description.layout;
        self.check_query(Section::IndexA, &[(Section::A, G1_SIZE)], l.n_wires())?;
        self.check_query(
            Section::IndexB,
            &[(Section::B1, G1_SIZE), (Section::B2, G2_SIZE)],
            l.n_wires(),
        )?;
        self.check_query(
            Section::IndexK,
            &[(Section::K, G1_SIZE)],
            description.k_wires(),
        )?;
        self.check_query(Section::IndexD, &[(Section::D, G1_SIZE)], l.n_w1 as usize)?;
        self.check_query(
            Section::IndexM,
            &[(Section::M, G1_SIZE)],
            l.n_model as usize,
        )?;
        for section in [
            Section::A,
            Section::B1,
            Section::K,
            Section::D,
            Section::M,
            Section::H,
        ] {
            if PackedG1::from_bytes(self.bytes(section)).is_none() {
                bail!(InvalidKey, "a section of points is out of line");
            }
        }
        let h = self.bytes(Section::H).len();
        let constants = self.bytes(Section::Constants).len();
        if Some(h) != description.domain_size.checked_mul(G1_SIZE) || constants != CONSTANTS_SIZE {
            bail!(InvalidKey, "a section has the wrong size");
        }
        Ok(())
    }

    fn check_query(&self, index: Section, points: &[(Section, usize)], wires: usize) -> Result<()> {
        if !self.bytes(index).len().is_multiple_of(4) {
            bail!(InvalidKey, "a query's list of wires has a broken entry");
        }
        let list = self.index(index);
        if !list.is_sorted_by(|a, b| a < b) || list.last().is_some_and(|&i| i as usize >= wires) {
            bail!(
                InvalidKey,
                "a query's list of wires is out of order or out of range"
            );
        }
        for &(section, size) in points {
            let bytes = self.bytes(section).len();
            let count = bytes / size;
            // An empty list stands for "all wires", and for "none" where there are no points either.
            let fits = if list.is_empty() {
                count == wires || count == 0
            } else {
                count == list.len()
            };
            if !bytes.is_multiple_of(size) || !fits {
                bail!(InvalidKey, "a query has the wrong number of points");
            }
        }
        Ok(())
    }

    pub(super) fn bytes(&self, section: Section) -> &'a [u8] {
        let (offset, length) = self.header.sections[section as usize];
        let at = |v: u64| usize::try_from(v).expect("inside the mapping");
        &self.map[at(offset)..at(offset + length)]
    }

    pub(super) fn index(&self, section: Section) -> Vec<u32> {
        self.bytes(section)
            .chunks_exact(4)
            .map(|c| u32::from_le_bytes(c.try_into().expect("four bytes")))
            .collect()
    }
}
