//! A new file for what only its owner may read: keystores, and whole databases.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::error::CommandError;

/// A new file that only its owner may read. It is made before the gateway is asked for anything, so
/// that no key is lost because there is no place for it; unless it is written, it goes again.
#[derive(Debug)]
pub(super) struct NewFile {
    path: PathBuf,
    file: File,
    written: bool,
}

impl NewFile {
    /// Makes the file; one that exists is never touched.
    pub(super) fn create(path: &Path) -> Result<Self, CommandError> {
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match opened {
            Ok(file) => Ok(Self { path: path.to_owned(), file, written: false }),
            Err(source) => Err(CommandError::Write { path: path.to_owned(), source }),
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// For what is written piece by piece, to be [kept](Self::keep) in the end.
    pub(super) fn writer(&mut self) -> BufWriter<&mut File> {
        BufWriter::new(&mut self.file)
    }

    /// Keeps what was written.
    pub(super) fn keep(mut self) -> Result<(), CommandError> {
        let synced = self.file.sync_all();
        self.written = synced.is_ok();
        synced.map_err(|source| CommandError::Write { path: self.path.clone(), source })
    }

    /// Writes the text and keeps the file.
    pub(super) fn write(mut self, text: &str) -> Result<(), CommandError> {
        let written =
            writeln!(self.file, "{}", text.trim_end()).and_then(|()| self.file.sync_all());
        self.written = written.is_ok();
        written.map_err(|source| CommandError::Write { path: self.path.clone(), source })
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.written {
            // Empty or half a keystore: of no use to anybody.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    type Outcome = Result<(), Box<dyn Error>>;

    #[test]
    fn a_written_file_stays_and_is_its_owners_alone() -> Outcome {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("bot.json");
        NewFile::create(&path)?.write("{}")?;
        assert_eq!(fs::read_to_string(&path)?, "{}\n");
        assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
        Ok(())
    }

    #[test]
    fn a_file_that_was_not_written_goes_again() -> Outcome {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("bot.json");
        drop(NewFile::create(&path)?);
        assert!(!path.exists());
        Ok(())
    }

    #[test]
    fn a_file_that_exists_is_never_touched() -> Outcome {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("bot.json");
        fs::write(&path, "the only copy")?;
        assert!(NewFile::create(&path).is_err());
        assert_eq!(fs::read_to_string(&path)?, "the only copy");
        Ok(())
    }
}
