//! Files: sealed while they come in, opened while they go out.

use std::pin::pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::Call;
use super::computing::Turns;
use super::crypto::{FileOpener, FileSealError, FileSealer, PassKey};
use super::disposition::base_name;
use crate::domain::dropbox::{Depot, StoredFile};
use crate::domain::error::Fault;
use crate::domain::ports::{ByteStream, Incoming};

/// Bytes of a file that are sealed at once, which takes about a millisecond.
const PIECE: usize = 64 * 1024;

/// About as many bytes does a piece become. Pieces are made and freed by different threads, and an
/// allocator keeps memory of each size for each thread, so a buffer should not grow through all sizes.
const SEALED_PIECE: usize = PIECE / 3 * 8 + 16 * 1024;

/// What a file without a name is called.
pub(super) const NAMELESS: &str = "file";

/// What is sealed, on its way to the disk.
type Sealed = mpsc::Sender<Result<Bytes, Fault>>;

/// Of the largest file that is kept in so many bytes, the plain bytes. A file is packed, which makes
/// it hardly larger, then base64, then UTF-16: eight bytes for three.
pub(super) fn plain_bytes(kept: u64) -> u64 {
    /// What stands around a packed file, its name included, as it is kept.
    const AROUND: u64 = 16 * 1024;
    let packed = kept.saturating_sub(AROUND) / 8 * 3;
    // What cannot be packed is in blocks with some bytes around each.
    packed - packed / 1024
}

/// Seals a file piece by piece and keeps it, if it is kept in no more than `most` bytes; for a message
/// or a letter that is to be left next.
///
/// # Errors
/// Those of its pieces; [`Fault::Invalid`] for a name that is too long; those of
/// [`Depot::receive`]; [`Fault::Unavailable`] when too many come from one network.
pub(super) async fn receive(
    call: &Call,
    key: &PassKey,
    name: &str,
    pieces: impl Stream<Item = Result<Bytes, Fault>> + Send,
    most: u64,
) -> Result<StoredFile, Fault> {
    let turns = call.turns()?;
    let name = Some(base_name(name)).filter(|name| !name.is_empty()).unwrap_or(NAMELESS);
    let sealer = FileSealer::new(key, name).map_err(unsealable)?;
    // What is received outlives this function as far as its reader can tell, the pieces do not.
    let (sealed, taken) = mpsc::channel(1);
    let bytes = stream::unfold(taken, |mut taken: mpsc::Receiver<Result<Bytes, Fault>>| async {
        taken.recv().await.map(|piece| (piece, taken))
    });
    let incoming = Incoming { bytes: bytes.boxed(), announced: None, most };
    let sealing = async {
        let failed = seal(&turns, sealer, pieces, &sealed).await;
        if let Err(fault) = failed {
            // Whoever takes nothing any more knows better why.
            let _ = sealed.send(Err(fault)).await;
        }
        drop(sealed);
    };
    let received = call.state.depot.receive(incoming, call.asked.address);
    let (received, ()) = tokio::join!(received, sealing);
    received
}

/// Hands over what becomes of the pieces; stops when nobody takes it.
async fn seal(
    turns: &Turns,
    mut sealer: FileSealer,
    pieces: impl Stream<Item = Result<Bytes, Fault>>,
    sealed: &Sealed,
) -> Result<(), Fault> {
    let mut pieces = pin!(pieces);
    while let Some(piece) = pieces.next().await {
        let mut piece = piece?;
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(PIECE));
            let work = move || {
                let mut out = Vec::with_capacity(SEALED_PIECE);
                sealer.update(&part, &mut out).map(|()| (sealer, out))
            };
            let out;
            (sealer, out) = turns.compute(work).await?.map_err(unsealable)?;
            if !hand_over(sealed, out).await {
                return Ok(());
            }
        }
    }
    let work = move || {
        let mut out = Vec::new();
        sealer.finish(&mut out).map(|()| out)
    };
    let out = turns.compute(work).await?.map_err(unsealable)?;
    hand_over(sealed, out).await;
    Ok(())
}

/// Returns whether somebody takes it.
async fn hand_over(sealed: &Sealed, out: Vec<u8>) -> bool {
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
    turns: Turns,
    bytes: ByteStream,
    opener: FileOpener,
    is_over: bool,
}

/// Plain bytes of a file.
pub(super) type Plain = Zeroizing<Vec<u8>>;

impl Opening {
    /// The file, to be opened with that key.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when it is gone.
    pub(super) async fn of(
        turns: &Turns,
        depot: &Depot,
        file: StoredFile,
        key: &PassKey,
    ) -> Result<Self, Fault> {
        let bytes = depot.bytes(file).await?;
        let opener = FileOpener::new(key);
        Ok(Self { turns: turns.clone(), bytes, opener, is_over: false })
    }

    /// The next plain bytes; `None` when all of the file was read and found whole.
    ///
    /// # Errors
    /// [`Fault::Internal`] when it is broken, or the key is not its own; those of its bytes.
    pub(super) async fn next(mut self) -> Result<(Option<Plain>, Self), Fault> {
        loop {
            let mut opener = self.opener;
            let work = move || opener.next_piece().map(|piece| (piece, opener));
            let opened = self.turns.compute(work).await?;
            let (piece, opener) =
                opened.map_err(|error| Fault::internal("opening a file", error))?;
            self.opener = opener;
            if piece.is_some() || self.is_over {
                return Ok((piece, self));
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
pub(super) async fn name(
    turns: &Turns,
    depot: &Depot,
    file: StoredFile,
    key: &PassKey,
) -> Result<String, Fault> {
    let (_, opening) = Opening::of(turns, depot, file, key).await?.next().await?;
    Ok(opening.name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_packed_fits_if_it_is_no_larger_than_said() {
        let kept = 1024 * 1024;
        let most = usize::try_from(plain_bytes(kept)).unwrap();
        assert!(most > 380_000, "{most}");
        let mut state = 1_u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        let plain: Vec<u8> = std::iter::repeat_with(next).take(most).collect();
        let (name, mut sealed) = ("n".repeat(1024), Vec::new());
        let mut sealer = FileSealer::new(&PassKey::derive("pass"), &name).unwrap();
        sealer.update(&plain, &mut sealed).unwrap();
        sealer.finish(&mut sealed).unwrap();
        assert!(sealed.len() as u64 <= kept, "{}", sealed.len());
        assert_eq!(plain_bytes(0), 0);
    }
}
