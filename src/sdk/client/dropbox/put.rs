//! Putting texts and files into a box.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Method};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::base64url;
use crate::dropbox::{FileSealer, SharedBox, seal_text, sealed_length};

use super::super::attachments::{Source, while_it_moves};
use super::super::error::RequestError;
use super::super::gateway::Failure;
use super::call::{Call, Core, FILE, Repeat, SERVICE, Tries, unreached};
use super::error::DropBoxError;
use super::message::BoxMessageId;
use super::{DropBoxClient, wire};

/// How much is read and sealed at a time.
const PIECE: usize = 64 * 1024;

/// A message that is in its box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The gateway's name for it.
    pub id: BoxMessageId,
    /// When it was put in (RFC 3339).
    pub created_at: String,
    /// When the gateway forgets it (RFC 3339).
    pub expires_at: Option<String>,
}

impl DropBoxClient {
    /// Seals a text for the owner of a box and puts it in.
    ///
    /// # Errors
    /// When there is no such box any more, it is locked or full, its key is weak, or a request fails
    /// for good. After a lost answer it is unknown whether the text is in: it is not sent again.
    pub async fn put_text(&self, to: &SharedBox, text: &str) -> Result<Put, DropBoxError> {
        let sealed = seal_text(to, text, &mut self.core.entropy.fork())?;
        let body = wire::PutText {
            token: to.token(),
            message: base64url::encode(&sealed.message),
            encryptionkey: base64url::encode(&sealed.encryption_key),
        };
        let call = Call::new(Method::PUT, SERVICE).unless_acted_on().with_body(&body)?;
        self.core.call(&call).await.map(Put::of)
    }

    /// Seals a file for the owner of a box and puts it in, piece by piece.
    ///
    /// When it has to begin again, it does so under a new key: the same key never seals two states
    /// of a file.
    ///
    /// # Errors
    /// As [`put_text`](Self::put_text), and when the file cannot be read or changes meanwhile.
    pub async fn put_file(
        &self,
        to: &SharedBox,
        name: &str,
        source: &(impl Source + ?Sized),
    ) -> Result<Put, DropBoxError> {
        let mut tries = Tries::default();
        loop {
            let size = source.size().await.map_err(DropBoxError::Read)?;
            let reader = source.open().await.map_err(DropBoxError::Read)?;
            let sealer = FileSealer::new(to, name, &mut self.core.entropy.fork())?;
            let call = Call::new(Method::PUT, FILE)
                .of_box(to.token())
                .with("encryptionkey", &base64url::encode(sealer.encryption_key()))
                .with("name", &base64url::encode(sealer.name()));
            let sending = Arc::new(Sending { size, ..Sending::default() });
            let sent = send(&self.core, &call, reader, sealer, &sending, tries.attempt).await;
            if let Some(error) =
                sending.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
            {
                return Err(error);
            }
            match sent {
                Ok(stored) => return Ok(Put::of(stored)),
                Err(failure) => tries.again(&self.core, failure, Repeat::UnlessActedOn).await?,
            }
        }
    }
}

impl Put {
    fn of(stored: wire::Stored) -> Self {
        let wire::Stored { messageid: id, createdat: created_at, expiresat: expires_at } = stored;
        Self { id, created_at, expires_at }
    }
}

/// What the body's stream leaves behind.
#[derive(Default)]
struct Sending {
    size: u64,
    done: AtomicU64,
    failed: Mutex<Option<DropBoxError>>,
}

async fn send(
    core: &Core,
    call: &Call<'_>,
    reader: impl AsyncRead + Send + Unpin + 'static,
    sealer: FileSealer,
    sending: &Arc<Sending>,
    attempt: u32,
) -> Result<wire::Stored, Failure> {
    let body = sealed(reader, sealer, Arc::clone(sending));
    let request = core
        .request(call)
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(CONTENT_LENGTH, sealed_length(sending.size))
        .body(Body::wrap_stream(body));
    let acted = |error| Failure { error, may_have_acted: true };
    let answer = async {
        let response = request.send().await.map_err(|source| unreached(source, attempt))?;
        let response = core.checked(response, attempt).await?;
        core.body(response, attempt).await.map_err(acted)
    };
    let body = while_it_moves(answer, &sending.done, core.timeout).await.map_err(acted)??;
    serde_json::from_slice(&body).map_err(|error| acted(RequestError::Answer(error)))
}

/// The sealed bytes, and exactly as many as were announced.
fn sealed(
    reader: impl AsyncRead + Send + Unpin + 'static,
    sealer: FileSealer,
    sending: Arc<Sending>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let start = Some((reader, sealer, vec![0; PIECE]));
    stream::unfold(start, move |state| {
        let sending = Arc::clone(&sending);
        async move {
            let (mut reader, sealer, mut buffer) = state?;
            let read = reader.read(&mut buffer).await.map_err(DropBoxError::Read);
            let sealed = read
                .and_then(|count| sending.seal(sealer, buffer.get(..count).unwrap_or_default()));
            match sealed {
                Ok((bytes, Some(sealer))) => Some((Ok(bytes), Some((reader, sealer, buffer)))),
                Ok((bytes, None)) => Some((Ok(bytes), None)),
                Err(error) => {
                    *sending.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    Some((Err(io::Error::other("the file cannot be sealed")), None))
                }
            }
        }
    })
}

impl Sending {
    /// Seals the next piece; an empty one is the end.
    fn seal(
        &self,
        mut sealer: FileSealer,
        piece: &[u8],
    ) -> Result<(Bytes, Option<FileSealer>), DropBoxError> {
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        let done = self.done.fetch_add(length, Ordering::Relaxed).saturating_add(length);
        if done > self.size || (piece.is_empty() && done < self.size) {
            let changed = io::Error::other("its length changed while it was read");
            return Err(DropBoxError::Read(changed));
        }
        let mut bytes = Vec::with_capacity(piece.len() + 64);
        if piece.is_empty() {
            sealer.finish(&mut bytes)?;
            return Ok((bytes.into(), None));
        }
        sealer.update(piece, &mut bytes)?;
        Ok((bytes.into(), Some(sealer)))
    }
}
