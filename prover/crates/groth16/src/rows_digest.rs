//! A digest of a circuit's rows that does not depend on the blocks in which they come.

use assay_bn254::Scalars;
use rayon::prelude::*;

use crate::{
    field::limbs,
    matrix::{MatrixBlock, Rows},
};

/// Bytes hashed at a time: enough for the hash's wide path, and no more than stays in the cache.
const BUFFER: usize = 1 << 16;

/// Hashes the three matrices side by side. A row is its number of entries, then the wire (4 bytes) and the coefficient
/// (32 bytes) of each, little-endian; two ways to write one coefficient are the same bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowsDigest([blake3::Hasher; 3]);

impl RowsDigest {
    pub(crate) fn push(&mut self, rows: &Rows<'_>) {
        self.0
            .par_iter_mut()
            .zip([&rows.a, &rows.b, &rows.c])
            .for_each(|(hasher, block)| hash_block(hasher, block));
    }

    pub(crate) fn finish(&self) -> [u8; 32] {
        let mut whole = blake3::Hasher::new_derive_key("assay/proving-key/rows/v1");
        for hasher in &self.0 {
            whole.update(hasher.finalize().as_bytes());
        }
        *whole.finalize().as_bytes()
    }
}

fn hash_block(hasher: &mut blake3::Hasher, block: &MatrixBlock<'_>) {
    let mut buffer = Vec::with_capacity(BUFFER + 64);
    for row in 0..block.rows() {
        let entries = block.row(row);
        buffer.extend((entries.len() as u64).to_le_bytes());
        for entry in entries {
            buffer.extend(block.col[entry].to_le_bytes());
            let coefficient = match block.coef {
                Scalars::Full(values) => values[entry], // below r, as the block was checked
                Scalars::Small(values) => match u64::try_from(values[entry]) {
                    Ok(value) => [value, 0, 0, 0],
                    Err(_) => limbs(block.coef.get(entry)),
                },
            };
            for limb in coefficient {
                buffer.extend(limb.to_le_bytes());
            }
            if buffer.len() >= BUFFER {
                hasher.update(&buffer);
                buffer.clear();
            }
        }
    }
    hasher.update(&buffer);
}
