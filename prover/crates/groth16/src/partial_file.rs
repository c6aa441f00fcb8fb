//! A file that appears under its name only when it is whole.

use std::{
    fs::File,
    io::{BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::error::{Error, Result};

pub(crate) struct PartialFile {
    target: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
    complete: bool,
}

impl PartialFile {
    pub(crate) fn create(target: &Path) -> Result<Self> {
        let mut name = target.as_os_str().to_owned();
        name.push(format!(".partial-{}", std::process::id()));
        let partial = PathBuf::from(name);
        let file = File::create(&partial).map_err(Error::io(&partial))?;
        Ok(Self {
            target: target.to_owned(),
            partial,
            file: BufWriter::with_capacity(1 << 20, file),
            complete: false,
        })
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(Error::io(&self.partial))
    }

    /// Goes back to the first byte, to overwrite what was put there.
    pub(crate) fn rewind(&mut self) -> Result<()> {
        let moved = self.file.seek(SeekFrom::Start(0));
        moved.map(drop).map_err(Error::io(&self.partial))
    }

    /// Flushes to the disk and gives the file its name.
    pub(crate) fn finish(mut self) -> Result<()> {
        let io = Error::io(&self.partial);
        self.file.flush().map_err(&io)?;
        self.file.get_ref().sync_all().map_err(&io)?;
        std::fs::rename(&self.partial, &self.target).map_err(Error::io(&self.target))?;
        drop(io);
        self.complete = true;
        Ok(())
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.complete {
            // Nothing to tell: the error that brought us here is on its way, and a leftover is only a stray file.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}
