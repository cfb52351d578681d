//! A disk that keeps only what it was told to keep.
//!
//! A killed process loses nothing: the kernel still has what it wrote. A power cut does lose it, so
//! these files are rebuilt from a log of system calls without the writes that no sync followed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::strace_log::{Call, Event};

/// The files of one folder.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    folder: PathBuf,
    files: BTreeMap<PathBuf, File>,
}

#[derive(Clone, Debug, Default)]
struct File {
    /// Whether its name would survive: it was there at the start, or its folder was synced since.
    named: bool,
    created: usize,
    contents: Vec<u8>,
    waiting: Vec<Change>,
}

#[derive(Clone, Debug)]
struct Change {
    ended: usize,
    kind: ChangeKind,
}

#[derive(Clone, Debug)]
enum ChangeKind {
    Write { offset: u64, bytes: Vec<u8> },
    Truncate { length: u64 },
}

/// What becomes of the writes that nothing synced. A disk may lose all, and it may lose some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced {
    /// None of them arrived.
    Lost,
    /// Every second one arrived, from the first or from the second on.
    Half { from: usize },
}

impl Disk {
    /// A disk on which everything in `folder` has long been written.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // Sockets are no files, and the lock belongs to whoever runs.
            if entry.file_name().to_string_lossy().starts_with("sealpost.db") {
                let contents = fs::read(entry.path())?;
                files.insert(entry.path(), File { named: true, contents, ..File::default() });
            }
        }
        Ok(Self { folder: folder.to_owned(), files })
    }

    /// Does to the disk what the process did.
    pub fn replay(&mut self, events: &[Event]) {
        for event in events {
            match &event.call {
                Call::Write { file, offset, bytes } => {
                    let kind = ChangeKind::Write { offset: *offset, bytes: bytes.clone() };
                    self.file(file).waiting.push(Change { ended: event.ended, kind });
                }
                Call::Truncate { file, length } => {
                    let kind = ChangeKind::Truncate { length: *length };
                    self.file(file).waiting.push(Change { ended: event.ended, kind });
                }
                Call::Create { file } => {
                    let created = event.ended;
                    self.files
                        .entry(file.clone())
                        .or_insert_with(|| File { created, ..File::default() });
                }
                Call::Sync { path } if *path == self.folder => self.sync_names(event.began),
                Call::Sync { path } => self.file(path).sync(event.began),
                Call::Answer { .. } => {}
            }
        }
    }

    fn file(&mut self, path: &Path) -> &mut File {
        self.files.entry(path.to_owned()).or_default()
    }

    fn sync_names(&mut self, began: usize) {
        for file in self.files.values_mut() {
            file.named |= file.created < began;
        }
    }

    /// How many changes no sync has followed.
    pub fn unsynced(&self) -> usize {
        self.files.values().map(|file| file.waiting.len()).sum()
    }

    /// Writes the files into another folder, as a machine would find them after a power cut.
    pub fn write_to(&self, folder: &Path, unsynced: Unsynced) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        for (path, file) in &self.files {
            if file.named || unsynced != Unsynced::Lost {
                let name = path.file_name().unwrap_or_default();
                fs::write(folder.join(name), file.after_power_cut(unsynced))?;
            }
        }
        Ok(())
    }
}

impl File {
    /// Keeps what was written before the sync began.
    fn sync(&mut self, began: usize) {
        let waiting = std::mem::take(&mut self.waiting);
        for change in waiting {
            if change.ended < began {
                change.kind.apply(&mut self.contents);
            } else {
                self.waiting.push(change);
            }
        }
    }

    fn after_power_cut(&self, unsynced: Unsynced) -> Vec<u8> {
        let mut contents = self.contents.clone();
        if let Unsynced::Half { from } = unsynced {
            self.waiting.iter().skip(from).step_by(2).for_each(|change| {
                change.kind.apply(&mut contents);
            });
        }
        contents
    }
}

impl ChangeKind {
    fn apply(&self, contents: &mut Vec<u8>) {
        let place = |number: u64| usize::try_from(number).expect("a file that fits into memory");
        match self {
            Self::Write { offset, bytes } => {
                let (start, end) = (place(*offset), place(*offset) + bytes.len());
                contents.resize(contents.len().max(end), 0);
                contents[start..end].copy_from_slice(bytes);
            }
            Self::Truncate { length } => contents.resize(place(*length), 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: &str, at: usize, offset: u64, bytes: &[u8]) -> Event {
        let call = Call::Write { file: file.into(), offset, bytes: bytes.to_vec() };
        Event { began: at, ended: at, call }
    }

    fn sync(path: &str, began: usize, ended: usize) -> Event {
        Event { began, ended, call: Call::Sync { path: path.into() } }
    }

    fn contents(disk: &Disk, unsynced: Unsynced) -> Option<Vec<u8>> {
        let folder = tempfile::tempdir().expect("a folder");
        disk.write_to(folder.path(), unsynced).expect("a folder to write to");
        fs::read(folder.path().join("sealpost.db")).ok()
    }

    fn disk(events: &[Event]) -> Disk {
        let mut disk = Disk { folder: "/d".into(), ..Disk::default() };
        disk.files.insert("/d/sealpost.db".into(), File { named: true, ..File::default() });
        disk.replay(events);
        disk
    }

    #[test]
    fn what_no_sync_followed_is_lost() {
        let file = "/d/sealpost.db";
        let disk = disk(&[write(file, 1, 0, b"ab"), sync(file, 2, 3), write(file, 4, 2, b"cd")]);
        assert_eq!(disk.unsynced(), 1);
        assert_eq!(contents(&disk, Unsynced::Lost).as_deref(), Some(&b"ab"[..]));
        assert_eq!(contents(&disk, Unsynced::Half { from: 0 }).as_deref(), Some(&b"abcd"[..]));
    }

    #[test]
    fn a_sync_does_not_cover_what_was_written_while_it_ran() {
        let file = "/d/sealpost.db";
        let disk = disk(&[write(file, 2, 0, b"x"), sync(file, 1, 3)]);
        assert_eq!(contents(&disk, Unsynced::Lost).as_deref(), Some(&b""[..]));
    }

    #[test]
    fn a_new_file_needs_a_sync_of_its_folder() {
        let file = "/d/sealpost.db";
        let create = Event { began: 1, ended: 1, call: Call::Create { file: file.into() } };
        let mut disk = Disk { folder: "/d".into(), ..Disk::default() };
        disk.replay(&[create, write(file, 2, 0, b"x"), sync(file, 3, 3)]);
        assert_eq!(contents(&disk, Unsynced::Lost), None);
        disk.replay(&[sync("/d", 4, 4)]);
        assert_eq!(contents(&disk, Unsynced::Lost).as_deref(), Some(&b"x"[..]));
    }
}
