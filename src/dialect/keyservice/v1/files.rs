//! Files: sealed while they come in, opened while they go out.

use std::pin::pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::Call;
use super::crypto::{FileOpener, FileSealError, FileSealer, PassKey};
use super::disposition::base_name;
use crate::domain::dropbox::{Depot, StoredFile};
use crate::domain::error::Fault;
use crate::domain::ports::{ByteStream, Incoming};

/// Bytes of a file that are sealed at once, which takes about a millisecond.
const PIECE: usize = 64 * 1024;

/// What a file without a name is called.
const NAMELESS: &str = "file";

/// Seals a file piece by piece and keeps it; for a message or a letter that is to be left next.
///
/// # Errors
/// Those of its pieces; [`Fault::Invalid`] for a name that is too long; those of
/// [`Depot::receive`].
pub(super) async fn receive(
    call: &Call,
    key: &PassKey,
    name: &str,
    pieces: impl Stream<Item = Result<Bytes, Fault>> + Send,
) -> Result<StoredFile, Fault> {
    let name = Some(base_name(name)).filter(|name| !name.is_empty()).unwrap_or(NAMELESS);
    let sealer = FileSealer::new(key, name).map_err(unsealable)?;
    // What is received outlives this function as far as its reader can tell, the pieces do not.
    let (sealed, taken) = mpsc::channel(1);
    let bytes = stream::unfold(taken, |mut taken: mpsc::Receiver<Result<Bytes, Fault>>| async {
        taken.recv().await.map(|piece| (piece, taken))
    });
    let incoming = Incoming { bytes: bytes.boxed(), announced: None, most: u64::MAX };
    let received = call.state.depot.receive(incoming, call.asked.address);
    let (received, ()) = tokio::join!(received, seal(sealer, pieces, sealed));
    received
}

/// Hands over what `sealer` makes of the pieces, or why it ends; stops when nobody takes it.
async fn seal(
    mut sealer: FileSealer,
    pieces: impl Stream<Item = Result<Bytes, Fault>>,
    sealed: mpsc::Sender<Result<Bytes, Fault>>,
) {
    let mut pieces = pin!(pieces);
    while let Some(piece) = pieces.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(fault) => return drop(sealed.send(Err(fault)).await),
        };
        for part in piece.chunks(PIECE) {
            let mut out = Vec::new();
            let done = sealer.update(part, &mut out);
            if !hand_over(&sealed, done, out).await {
                return;
            }
        }
    }
    let mut out = Vec::new();
    let done = sealer.finish(&mut out);
    hand_over(&sealed, done, out).await;
}

async fn hand_over(
    sealed: &mpsc::Sender<Result<Bytes, Fault>>,
    done: Result<(), FileSealError>,
    out: Vec<u8>,
) -> bool {
    if let Err(error) = done {
        let _ = sealed.send(Err(unsealable(error))).await;
        return false;
    }
    out.is_empty() || sealed.send(Ok(out.into())).await.is_ok()
}

fn unsealable(error: FileSealError) -> Fault {
    match error {
        FileSealError::Name { .. } => Fault::invalid("filename", "has more than 1024 bytes"),
        FileSealError::TooLarge { limit } => Fault::TooLarge {
            what: "the file's size in bytes",
            actual: limit.saturating_add(1),
            limit,
        },
    }
}

/// A file that is being opened.
pub(super) struct Opening {
    bytes: ByteStream,
    opener: FileOpener,
    is_over: bool,
}

impl Opening {
    /// The file, to be opened with that key.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when it is gone.
    pub(super) async fn of(depot: &Depot, file: StoredFile, key: &PassKey) -> Result<Self, Fault> {
        let bytes = depot.bytes(file).await?;
        Ok(Self { bytes, opener: FileOpener::new(key), is_over: false })
    }

    /// The next plain bytes; `None` when all of the file was read and found whole.
    ///
    /// # Errors
    /// [`Fault::Internal`] when it is broken, or the key is not its own; those of its bytes.
    pub(super) async fn next(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        loop {
            let piece = self.opener.next_piece();
            let piece = piece.map_err(|error| Fault::internal("opening a file", error))?;
            if piece.is_some() || self.is_over {
                return Ok(piece);
            }
            match self.bytes.next().await {
                Some(bytes) => self.opener.push(bytes?),
                None => {
                    self.opener.end();
                    self.is_over = true;
                }
            }
        }
    }

    /// What the file is called; known once there was a piece, or the end.
    pub(super) fn name(&self) -> &str {
        self.opener.name().unwrap_or(NAMELESS)
    }
}

/// What a file is called. Reads no more of it than its beginning.
///
/// # Errors
/// As [`Opening::of`] and [`Opening::next`].
pub(super) async fn name(depot: &Depot, file: StoredFile, key: &PassKey) -> Result<String, Fault> {
    let mut opening = Opening::of(depot, file, key).await?;
    opening.next().await?;
    Ok(opening.name().to_owned())
}
