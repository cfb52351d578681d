//! A file that is being written: it takes its place whole and durable, or is gone.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::domain::attachment::Content;
use crate::domain::ports::Written;

/// The temporary file is removed when it is dropped before it took its place.
pub(super) struct Draft {
    file: NamedTempFile,
    length: u64,
    digest: Sha256,
}

impl Draft {
    /// An empty file, for its owner's eyes only, in the folder of unfinished ones.
    pub(super) fn begin(unfinished: &Path) -> io::Result<Self> {
        let file = tempfile::Builder::new().prefix("upload-").tempfile_in(unfinished)?;
        Ok(Self { file, length: 0, digest: Sha256::new() })
    }

    pub(super) fn append(mut self, pieces: &[Bytes]) -> io::Result<Self> {
        for piece in pieces {
            self.file.as_file_mut().write_all(piece)?;
            self.digest.update(piece);
            self.length += piece.len() as u64;
        }
        Ok(self)
    }

    /// Syncs the file and moves it to `place`, unless there is one already; that stays as it is.
    pub(super) fn keep(self, place: &Path) -> io::Result<Written> {
        let given = Content { length: self.length, digest: self.digest.finalize().into() };
        self.file.as_file().sync_all()?;
        let folder = place.parent().unwrap_or(Path::new("."));
        make_folder(folder)?;
        let kept = match self.file.persist_noclobber(place) {
            Ok(_) => given,
            Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => content(place)?,
            Err(refused) => return Err(refused.error),
        };
        // Also for a file that an earlier upload wrote: it may have broken off just before this.
        sync_folder(folder)?;
        Ok(Written { given, kept })
    }
}

/// What a file holds.
fn content(path: &Path) -> io::Result<Content> {
    let mut file = File::open(path)?;
    let (mut length, mut digest) = (0, Sha256::new());
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Content { length, digest: digest.finalize().into() });
        }
        digest.update(&buffer[..read]);
        length += read as u64;
    }
}

/// Makes a folder that only its owner may enter, durably.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => path.parent().map_or(Ok(()), sync_folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes everything in a folder.
pub(super) fn empty_folder(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        fs::remove_file(entry?.path())?;
    }
    Ok(())
}
