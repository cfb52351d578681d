//! Files in a folder of the data directory.
//!
//! A file is called by its id and stands in a folder called by the first byte of it, so that no
//! folder grows beyond measure. What is being written stands in `unfinished`, which is emptied at
//! every start: the data directory belongs to one process at a time.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::task::spawn_blocking;

use super::draft::{self, Draft};
use crate::domain::Fault;
use crate::domain::ids::AttachmentId;
use crate::domain::ports::{Blobs, ByteStream, Incoming, Written};

/// Pieces are gathered to this size before they are written; files are read in pieces of it.
const PIECE: usize = 256 * 1024;

const UNFINISHED: &str = "unfinished";

/// Files in a folder.
#[derive(Debug)]
pub struct LocalBlobs {
    root: Arc<Path>,
    /// Bytes on the disk that are left to others, the database above all.
    keep_free: u64,
    /// Bytes that uploads under way may still write.
    promised: Arc<AtomicU64>,
}

impl LocalBlobs {
    /// Takes a folder, which is made if it does not exist (mode 0700), and removes what an earlier
    /// process left unfinished in it.
    ///
    /// # Errors
    /// When the folder cannot be made or emptied.
    pub fn open(root: PathBuf, keep_free: u64) -> io::Result<Self> {
        draft::make_folder(&root)?;
        let unfinished = root.join(UNFINISHED);
        draft::make_folder(&unfinished)?;
        draft::empty_folder(&unfinished)?;
        Ok(Self { root: root.into(), keep_free, promised: Arc::default() })
    }

    fn place(&self, id: AttachmentId) -> PathBuf {
        let [first, ..] = id.as_bytes();
        self.root.join(format!("{first:02x}")).join(id.to_string())
    }

    /// Sets so many bytes of the disk aside, if there are enough.
    fn promise(&self, bytes: u64) -> Result<Promise, Fault> {
        let free = rustix::fs::statvfs(&*self.root).map_err(io::Error::from);
        let free = free.map_err(failed("asking how full the disk is"))?;
        let free = free.f_bavail.saturating_mul(free.f_frsize);
        let promised = self.promised.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let promise = Promise { all: self.promised.clone(), bytes };
        if free.saturating_sub(promised) < self.keep_free {
            return Err(Fault::unavailable("the disk has no room for attachments", None));
        }
        Ok(promise)
    }
}

/// Bytes of the disk that an upload may write.
struct Promise {
    all: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[async_trait]
impl Blobs for LocalBlobs {
    async fn write(&self, id: AttachmentId, incoming: Incoming) -> Result<Written, Fault> {
        let Incoming { mut bytes, announced, most } = incoming;
        if let Some(announced) = announced.filter(|announced| *announced > most) {
            return Err(too_large(announced, most));
        }
        let _promise = self.promise(announced.unwrap_or(most))?;
        let unfinished = self.root.join(UNFINISHED);
        let mut draft = blocking("beginning a file", move || Draft::begin(&unfinished)).await?;
        let (mut pieces, mut gathered, mut length) = (Vec::new(), 0, 0);
        while let Some(piece) = bytes.next().await {
            let piece = piece?;
            length += piece.len() as u64;
            if length > most {
                return Err(too_large(length, most));
            }
            gathered += piece.len();
            pieces.push(piece);
            if gathered >= PIECE {
                let full = std::mem::take(&mut pieces);
                draft = blocking("writing a file", move || draft.append(&full)).await?;
                gathered = 0;
            }
        }
        if length == 0 {
            return Err(Fault::invalid("body", "is empty"));
        }
        let place = self.place(id);
        blocking("keeping a file", move || draft.append(&pieces)?.keep(&place)).await
    }

    async fn read(
        &self,
        id: AttachmentId,
        start: u64,
        length: u64,
    ) -> Result<Option<ByteStream>, Fault> {
        let place = self.place(id);
        let file = blocking("opening a file", move || open(&place, start)).await?;
        let pieces = |file| {
            stream::try_unfold((file, length), |(mut file, left)| async move {
                if left == 0 {
                    return Ok(None);
                }
                let read = move || read_piece(&mut file, left).map(|piece| (file, piece));
                let (file, piece) = blocking("reading a file", read).await?;
                let left = left - piece.len() as u64;
                Ok(Some((piece, (file, left))))
            })
        };
        Ok(file.map(|file| pieces(file).boxed()))
    }

    async fn remove(&self, ids: &[AttachmentId]) -> Result<(), Fault> {
        let places: Vec<_> = ids.iter().map(|id| self.place(*id)).collect();
        // Not synced: should a file come back after a power cut, it is a stray and found as one.
        let remove = move || places.iter().try_for_each(|place| or_missing(fs::remove_file(place)));
        blocking("removing a file", remove).await
    }

    async fn stored(&self, part: u16) -> Result<Vec<AttachmentId>, Fault> {
        let folder = self.root.join(format!("{part:02x}"));
        blocking("listing files", move || list(&folder)).await
    }
}

fn open(place: &Path, start: u64) -> io::Result<Option<File>> {
    let mut file = match File::open(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    file.seek(SeekFrom::Start(start))?;
    Ok(Some(file))
}

/// The next piece of at most `left` bytes.
fn read_piece(file: &mut File, left: u64) -> io::Result<Bytes> {
    let size = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
    let mut piece = vec![0; size];
    file.read_exact(&mut piece)?;
    Ok(piece.into())
}

/// The ids of the files in a folder; what is called otherwise is none of ours.
fn list(folder: &Path) -> io::Result<Vec<AttachmentId>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        found.extend(name.to_str().and_then(|name| AttachmentId::parse(name).ok()));
    }
    Ok(found)
}

fn or_missing(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// Works on files where waiting for the disk holds nobody up.
async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    let outcome = spawn_blocking(work).await;
    let outcome = outcome.map_err(|error| Fault::internal(doing, error))?;
    outcome.map_err(failed(doing))
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> Fault {
    move |error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Fault::unavailable("the disk is full", Some(error.into()))
        }
        _ => Fault::internal(doing, error),
    }
}

fn too_large(actual: u64, limit: u64) -> Fault {
    Fault::TooLarge { what: "the attachment's size in bytes", actual, limit }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    const ID: AttachmentId = AttachmentId::from_bytes([0xab; 16]);

    fn store() -> (TempDir, LocalBlobs) {
        let folder = TempDir::new().unwrap();
        let blobs = LocalBlobs::open(folder.path().join("blobs"), 0).unwrap();
        (folder, blobs)
    }

    fn incoming(pieces: Vec<Result<Bytes, Fault>>, announced: Option<u64>) -> Incoming {
        Incoming { bytes: stream::iter(pieces).boxed(), announced, most: 1 << 20 }
    }

    fn text(pieces: &[&'static str]) -> Incoming {
        incoming(
            pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect(),
            None,
        )
    }

    async fn read(blobs: &LocalBlobs, start: u64, length: u64) -> Option<Vec<u8>> {
        let stream = blobs.read(ID, start, length).await.unwrap()?;
        let pieces: Vec<_> = stream.map(|piece| piece.unwrap().to_vec()).collect().await;
        Some(pieces.concat())
    }

    fn unfinished(blobs: &LocalBlobs) -> usize {
        fs::read_dir(blobs.root.join(UNFINISHED)).unwrap().count()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn what_was_written_is_read_in_any_part_and_closed_to_others() {
        let (_folder, blobs) = store();
        let written = blobs.write(ID, text(&["hello ", "", "world"])).await.unwrap();
        assert_eq!(written.given, written.kept);
        assert_eq!(written.kept.length, 11);
        assert_eq!(read(&blobs, 0, 11).await.unwrap(), b"hello world");
        assert_eq!(read(&blobs, 6, 3).await.unwrap(), b"wor");
        assert_eq!(blobs.stored(0xab).await.unwrap(), [ID]);
        assert!(blobs.stored(0xac).await.unwrap().is_empty());
        let place = blobs.place(ID);
        assert_eq!((mode(&place), mode(place.parent().unwrap())), (0o600, 0o700));
        assert_eq!((mode(&blobs.root), unfinished(&blobs)), (0o700, 0));
    }

    #[tokio::test]
    async fn what_is_there_stays_and_is_compared() {
        let (_folder, blobs) = store();
        let first = blobs.write(ID, text(&["first"])).await.unwrap();
        let other = blobs.write(ID, text(&["other"])).await.unwrap();
        assert_eq!((other.kept, other.given == first.kept), (first.kept, false));
        let again = blobs.write(ID, text(&["fir", "st"])).await.unwrap();
        assert_eq!(again.given, again.kept);
        assert_eq!(read(&blobs, 0, 5).await.unwrap(), b"first");
        assert_eq!(unfinished(&blobs), 0);
    }

    #[tokio::test]
    async fn what_breaks_off_or_is_too_much_or_nothing_leaves_nothing() {
        let (_folder, blobs) = store();
        let piece = || Ok(Bytes::from(vec![7; 300_000]));
        let broken = incoming(vec![piece(), Err(Fault::malformed("gone"))], Some(600_000));
        assert!(matches!(blobs.write(ID, broken).await, Err(Fault::Malformed { .. })));
        let endless = incoming((0..4).map(|_| piece()).collect(), None);
        assert!(matches!(blobs.write(ID, endless).await, Err(Fault::TooLarge { .. })));
        let announced = incoming(vec![], Some(2 << 20));
        assert!(matches!(blobs.write(ID, announced).await, Err(Fault::TooLarge { .. })));
        assert!(matches!(blobs.write(ID, text(&[""])).await, Err(Fault::Invalid { .. })));
        assert_eq!((unfinished(&blobs), read(&blobs, 0, 1).await), (0, None));
        assert_eq!(blobs.promised.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_crash_leaves_nothing_after_the_next_start() {
        let (folder, blobs) = store();
        fs::write(blobs.root.join(UNFINISHED).join("upload-x"), "half").unwrap();
        let blobs = LocalBlobs::open(folder.path().join("blobs"), 0).unwrap();
        assert_eq!(unfinished(&blobs), 0);
    }

    #[tokio::test]
    async fn a_disk_that_is_nearly_full_is_left_to_the_database() {
        let folder = TempDir::new().unwrap();
        let blobs = LocalBlobs::open(folder.path().join("blobs"), u64::MAX / 2).unwrap();
        let refused = blobs.write(ID, text(&["hello"])).await;
        assert!(matches!(refused, Err(Fault::Unavailable { .. })));
        assert_eq!(unfinished(&blobs), 0);
    }

    #[tokio::test]
    async fn what_was_removed_is_gone_and_may_be_removed_again() {
        let (_folder, blobs) = store();
        blobs.write(ID, text(&["hello"])).await.unwrap();
        for _ in 0..2 {
            blobs.remove(&[ID]).await.unwrap();
            assert_eq!(read(&blobs, 0, 5).await, None);
        }
    }
}
