//! Downloading: checked as a whole before anybody sees a byte.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Response;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::attachment::{Decryptor, encrypted_length};
use crate::types;

use super::super::answer::Reading;
use super::super::bot::{Bot, Core};
use super::super::error::RequestError;
use super::super::gateway::Call;
use super::super::socket::SocketError;
use super::upload::address;
use super::{Attachment, Progress, TransferError};

impl Bot {
    /// Downloads and decrypts a file into memory.
    ///
    /// # Errors
    /// When the file is larger than answers may be ([`BotBuilder::answer_limit`], 64 MiB by
    /// default), is not what its sender made, or a request fails for good.
    ///
    /// [`BotBuilder::answer_limit`]: super::super::BotBuilder::answer_limit
    pub async fn download(
        &self,
        attachment: &Attachment,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<Vec<u8>, TransferError> {
        let limit = u64::try_from(self.core.gateway.answer_limit).unwrap_or(u64::MAX);
        if attachment.size > limit {
            return Err(TransferError::TooLarge { size: attachment.size, limit });
        }
        let mut file = Vec::new();
        self.fetch(attachment, &progress, &mut Target::Memory(&mut file)).await?;
        Ok(file)
    }

    /// Downloads and decrypts a file to `path`, which is replaced if it exists.
    ///
    /// The bytes gather in a file beside it that only its owner may read. It takes its name when
    /// everything was checked, and is removed when anything is wrong: nothing that was not checked
    /// ever stands at `path`.
    ///
    /// # Errors
    /// When the file cannot be written, is not what its sender made, or a request fails for good.
    pub async fn download_to_file(
        &self,
        attachment: &Attachment,
        path: impl AsRef<Path>,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<(), TransferError> {
        let path = path.as_ref();
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.part", self.core.entropy.random_id::<()>()));
        let part = Part { path: path.with_file_name(name) };
        let failed = |source| TransferError::Write { path: part.path.clone(), source };
        let mut options = tokio::fs::OpenOptions::new();
        #[cfg(unix)]
        options.mode(0o600);
        let mut file =
            options.write(true).create_new(true).open(&part.path).await.map_err(failed)?;
        self.fetch(attachment, &progress, &mut Target::File(&mut file, &part.path)).await?;
        file.sync_all().await.map_err(failed)?;
        drop(file);
        tokio::fs::rename(&part.path, path)
            .await
            .map_err(|source| TransferError::Write { path: path.to_owned(), source })
    }

    async fn fetch(
        &self,
        attachment: &Attachment,
        progress: &(impl Fn(Progress) + Send + Sync),
        target: &mut Target<'_>,
    ) -> Result<(), TransferError> {
        let core = &*self.core;
        let mut waited = Duration::ZERO;
        let mut attempt = 1;
        loop {
            target.restart().await?;
            let error = match fetch(core, attachment, attempt, progress, target).await {
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

/// Where unchecked bytes gather; nobody else sees them before the end.
enum Target<'a> {
    Memory(&'a mut Vec<u8>),
    File(&'a mut tokio::fs::File, &'a Path),
}

impl Target<'_> {
    /// Begins again with nothing.
    async fn restart(&mut self) -> Result<(), TransferError> {
        match self {
            Self::Memory(bytes) => {
                bytes.clear();
                Ok(())
            }
            Self::File(file, path) => {
                let empty = async {
                    file.rewind().await?;
                    file.set_len(0).await
                };
                empty.await.map_err(|source| written_to(path, source))
            }
        }
    }

    async fn write(&mut self, piece: &[u8]) -> Result<(), TransferError> {
        match self {
            Self::Memory(bytes) => {
                bytes.extend_from_slice(piece);
                Ok(())
            }
            Self::File(file, path) => {
                file.write_all(piece).await.map_err(|source| written_to(path, source))
            }
        }
    }

    async fn flush(&mut self) -> Result<(), TransferError> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::File(file, path) => file.flush().await.map_err(|source| written_to(path, source)),
        }
    }
}

fn written_to(path: &Path, source: std::io::Error) -> TransferError {
    TransferError::Write { path: path.to_owned(), source }
}

/// An unfinished file, removed unless it took its final name.
struct Part {
    path: PathBuf,
}

impl Drop for Part {
    fn drop(&mut self) {
        // It has mostly been renamed; if it cannot be removed, nobody is left to be told.
        let _gone = std::fs::remove_file(&self.path);
    }
}

async fn fetch(
    core: &Core,
    attachment: &Attachment,
    attempt: u32,
    progress: &(impl Fn(Progress) + Send + Sync),
    target: &mut Target<'_>,
) -> Result<(), TransferError> {
    let gateway = &core.gateway;
    let call = Call::get(format!("/attachments/{}", attachment.id));
    let shown: types::Attachment = gateway.call(call).await?;
    let url = address(&gateway.origin, &shown.view_url)?;
    let transport = |source: reqwest::Error| RequestError::Transport {
        attempts: attempt,
        source: source.without_url(),
    };
    let silent = |_| RequestError::from(SocketError::Silent);
    let asked = timeout(gateway.timeout, gateway.http.get(url).send()).await;
    let mut response = checked(core, asked.map_err(silent)?.map_err(transport)?, attempt).await?;

    let limit = encrypted_length(attachment.size);
    let mut decryptor = Decryptor::new(&attachment.key);
    let (mut taken, mut done) = (0_u64, 0_u64);
    let mut plaintext = Vec::new();
    loop {
        let chunk = timeout(gateway.timeout, response.chunk()).await;
        let Some(chunk) = chunk.map_err(silent)?.map_err(transport)? else { break };
        taken = taken.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if taken > limit {
            return Err(crate::attachment::AttachmentError.into());
        }
        decryptor.update(&chunk, &mut plaintext);
        target.write(&plaintext).await?;
        done = done.saturating_add(u64::try_from(plaintext.len()).unwrap_or(u64::MAX));
        plaintext.clear();
        progress(Progress { done, total: attachment.size });
    }
    decryptor.finish(&attachment.digest, &mut plaintext)?;
    target.write(&plaintext).await?;
    target.flush().await?;
    progress(Progress { done: attachment.size, total: attachment.size });
    Ok(())
}

/// The answer, if it is the file.
async fn checked(core: &Core, response: Response, attempt: u32) -> Result<Response, RequestError> {
    if response.status() == reqwest::StatusCode::OK {
        return Ok(response);
    }
    let limit = core.gateway.answer_limit;
    let reading = Reading { attempt, limit, request_id: "", now: core.clock.now() };
    match reading.read_stranger(response).await {
        Err(failure) => Err(failure.error),
        Ok(_) => Err(SocketError::Closed.into()),
    }
}
