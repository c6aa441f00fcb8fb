//! Writes a proving key section by section; the file appears under its name only when it is whole.

use std::{
    fs::File,
    io::{BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::format::{ALIGNMENT, Description, HEADER, Header, SECTIONS, Section};
use crate::error::{Error, Result};

pub(crate) struct KeyWriter {
    target: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    offset: u64,
    sections: [(u64, u64); SECTIONS],
    complete: bool,
}

impl KeyWriter {
    pub(crate) fn create(target: &Path) -> Result<Self> {
        let mut name = target.as_os_str().to_owned();
        name.push(format!(".partial-{}", std::process::id()));
        let partial = PathBuf::from(name);
        let file = File::create(&partial).map_err(Error::io(&partial))?;
        let mut writer = Self {
            target: target.to_owned(),
            partial,
            file: BufWriter::with_capacity(1 << 20, file),
            hasher: blake3::Hasher::new(),
            offset: 0,
            sections: [(0, 0); SECTIONS],
            complete: false,
        };
        writer
            .file
            .write_all(&[0; HEADER])
            .map_err(Error::io(&writer.partial))?;
        writer.offset = HEADER as u64;
        Ok(writer)
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
        self.file.write_all(bytes).map_err(Error::io(&self.partial))
    }

    /// Writes the header, flushes to the disk and gives the file its name.
    pub(crate) fn finish(mut self, description: &Description) -> Result<()> {
        let header = Header {
            description: *description,
            sections: self.sections,
            body_hash: *self.hasher.finalize().as_bytes(),
        };
        let io = Error::io(&self.partial);
        self.file.seek(SeekFrom::Start(0)).map_err(&io)?;
        self.file.write_all(&header.to_bytes()).map_err(&io)?;
        self.file.flush().map_err(&io)?;
        self.file.get_ref().sync_all().map_err(&io)?;
        std::fs::rename(&self.partial, &self.target).map_err(Error::io(&self.target))?;
        drop(io);
        self.complete = true;
        Ok(())
    }
}

impl Drop for KeyWriter {
    fn drop(&mut self) {
        if !self.complete {
            // Nothing to tell: the error that brought us here is on its way, and a leftover is only a stray file.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}
