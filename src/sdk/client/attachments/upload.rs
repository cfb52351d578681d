//! Uploading.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Url};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::attachment::{Encryptor, Finished, encrypted_length};
use crate::types;

use super::super::answer::Reading;
use super::super::bot::{Bot, Core};
use super::super::error::RequestError;
use super::super::gateway::{Call, Failure};
use super::super::socket::SocketError;
use super::{Attachment, Progress, TransferError};

/// How much is read and encrypted at a time.
const PIECE: usize = 64 * 1024;

/// Bytes that can be read more than once: an upload that broke off begins again.
pub trait Source: Sync {
    /// What reads them.
    type Reader: AsyncRead + Send + Unpin + 'static;

    /// How many bytes there are.
    fn size(&self) -> impl Future<Output = io::Result<u64>> + Send;

    /// Reads from the beginning.
    fn open(&self) -> impl Future<Output = io::Result<Self::Reader>> + Send;
}

impl Source for Path {
    type Reader = tokio::fs::File;

    async fn size(&self) -> io::Result<u64> {
        Ok(tokio::fs::metadata(self).await?.len())
    }

    async fn open(&self) -> io::Result<Self::Reader> {
        tokio::fs::File::open(self).await
    }
}

impl Source for PathBuf {
    type Reader = tokio::fs::File;

    async fn size(&self) -> io::Result<u64> {
        Source::size(self.as_path()).await
    }

    async fn open(&self) -> io::Result<Self::Reader> {
        Source::open(self.as_path()).await
    }
}

impl Source for Bytes {
    type Reader = io::Cursor<Bytes>;

    async fn size(&self) -> io::Result<u64> {
        u64::try_from(self.len()).map_err(io::Error::other)
    }

    async fn open(&self) -> io::Result<Self::Reader> {
        Ok(io::Cursor::new(self.clone()))
    }
}

impl Bot {
    /// Encrypts a file under a key of its own and uploads it, piece by piece.
    ///
    /// An upload that breaks off begins again, as a new attachment under a new key: the same key
    /// never encrypts two states of a file. `progress` is called after each piece.
    ///
    /// # Errors
    /// When the file cannot be read or changes meanwhile, or a request fails for good.
    ///
    /// ```no_run
    /// # async fn example(bot: sealpost_sdk::client::Bot, alice: sealpost_sdk::ids::UserId) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::path::Path;
    ///
    /// use sealpost_sdk::client::File;
    ///
    /// let attachment = bot.upload(Path::new("cat.png"), |_| ()).await?;
    /// bot.send(&alice, File::new(attachment, "cat.png", "image/png")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn upload(
        &self,
        source: &(impl Source + ?Sized),
        progress: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<Attachment, TransferError> {
        let core = &*self.core;
        let progress: Arc<Report> = Arc::new(progress);
        let mut waited = Duration::ZERO;
        let mut attempt = 1;
        loop {
            let size = source.size().await.map_err(TransferError::Read)?;
            let reader = source.open().await.map_err(TransferError::Read)?;
            let error = match upload(core, reader, size, attempt, &progress).await {
                Err(TransferError::Request(error)) => error,
                settled => return settled,
            };
            let asked = error.retry_after();
            let pause = core.gateway.retry.pause(attempt, waited, asked, &core.entropy);
            let Some(pause) = pause.filter(|_| error.is_temporary()) else {
                return Err(error.into());
            };
            core.clock.sleep(pause).await;
            waited = waited.saturating_add(pause);
            attempt += 1;
        }
    }
}

type Report = dyn Fn(Progress) + Send + Sync;

/// What the body's stream leaves behind.
#[derive(Default)]
struct Outcome {
    done: AtomicU64,
    finished: Mutex<Option<Finished>>,
    failed: Mutex<Option<io::Error>>,
}

async fn upload(
    core: &Core,
    reader: impl AsyncRead + Send + Unpin + 'static,
    size: u64,
    attempt: u32,
    progress: &Arc<Report>,
) -> Result<Attachment, TransferError> {
    let gateway = &core.gateway;
    let call = Call::post_nothing("/attachments").unless_acted_on();
    let opened: types::Attachment = gateway.call(call).await?;
    let url = opened.upload_url.as_deref().ok_or(TransferError::Address)?;
    let url = address(&gateway.origin, url)?;

    let outcome = Arc::new(Outcome::default());
    let encryptor = Encryptor::new(&mut core.entropy.fork());
    let body = encrypted(reader, encryptor, size, Arc::clone(&outcome), Arc::clone(progress));
    let sending = gateway
        .http
        .put(url)
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(CONTENT_LENGTH, encrypted_length(size))
        .body(Body::wrap_stream(body))
        .send();
    let sent = while_it_moves(sending, &outcome.done, gateway.timeout).await;
    if let Some(error) = outcome.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(TransferError::Read(error));
    }
    let response = sent?.map_err(|source| RequestError::Transport {
        attempts: attempt,
        source: source.without_url(),
    })?;
    let reading =
        Reading { attempt, limit: gateway.answer_limit, request_id: "", now: core.clock.now() };
    reading.read_stranger(response).await.map_err(|Failure { error, .. }| error)?;
    let finished = outcome.finished.lock().unwrap_or_else(PoisonError::into_inner).take();
    // An answer before the whole body was taken is none that counts.
    let Finished { key, digest, size } = finished.ok_or(RequestError::from(SocketError::Closed))?;
    Ok(Attachment { id: opened.attachment_id, key, digest, size })
}

/// The address that the gateway names: a whole one, or a path at the gateway itself.
pub(super) fn address(origin: &str, url: &str) -> Result<Url, TransferError> {
    let url = Url::parse(origin).and_then(|origin| origin.join(url));
    url.ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or(TransferError::Address)
}

/// Waits for as long as `done` grows, and then so long at most.
pub(in crate::client) async fn while_it_moves<T>(
    sending: impl Future<Output = T>,
    done: &AtomicU64,
    patience: Duration,
) -> Result<T, RequestError> {
    let mut sending = std::pin::pin!(sending);
    loop {
        let before = done.load(Ordering::Relaxed);
        match tokio::time::timeout(patience, &mut sending).await {
            Ok(sent) => return Ok(sent),
            Err(_) if done.load(Ordering::Relaxed) > before => {}
            Err(_) => return Err(SocketError::Silent.into()),
        }
    }
}

/// The encrypted bytes, and exactly as many as were announced.
fn encrypted(
    reader: impl AsyncRead + Send + Unpin + 'static,
    encryptor: Encryptor,
    size: u64,
    outcome: Arc<Outcome>,
    progress: Arc<Report>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let start = Some((reader, encryptor, vec![0; PIECE]));
    stream::unfold(start, move |state| {
        let (outcome, progress) = (Arc::clone(&outcome), Arc::clone(&progress));
        async move {
            let (mut reader, mut encryptor, mut buffer) = state?;
            let failed = |error: io::Error| {
                let told = io::Error::new(error.kind(), "the file cannot be read");
                *outcome.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Some((Err(told), None))
            };
            let count = match reader.read(&mut buffer).await {
                Ok(count) => count,
                Err(error) => return failed(error),
            };
            let piece = buffer.get(..count).unwrap_or_default();
            let length = u64::try_from(count).unwrap_or(u64::MAX);
            let done = outcome.done.fetch_add(length, Ordering::Relaxed).saturating_add(length);
            if done > size || (count == 0 && done < size) {
                return failed(io::Error::other("its length changed while it was read"));
            }
            let mut bytes = Vec::with_capacity(count + 64);
            if count == 0 {
                let finished = encryptor.finish(&mut bytes);
                *outcome.finished.lock().unwrap_or_else(PoisonError::into_inner) = Some(finished);
                return Some((Ok(bytes.into()), None));
            }
            encryptor.update(piece, &mut bytes);
            progress(Progress { done, total: size });
            Some((Ok(bytes.into()), Some((reader, encryptor, buffer))))
        }
    })
}
