//! What the owner of a box can do with it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::{Method, Response};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::base64url;
use crate::dropbox::{BoxKeys, FileOpener, KeysError, PassphraseKeys, SharedBox};

use super::super::error::RequestError;
use super::super::gateway::Failure;
use super::super::socket::SocketError;
use super::call::{Call, FILE, Repeat, SERVICE, Tries, unreached};
use super::error::DropBoxError;
use super::message::{BoxFile, BoxMessage, BoxMessageId, Page};
use super::{DropBoxClient, wire};

/// A box and its owner's keys; made by [`DropBoxClient::open`].
#[derive(Clone)]
pub struct OwnedBox {
    client: DropBoxClient,
    shared: SharedBox,
    secrets: PassphraseKeys,
}

impl OwnedBox {
    pub(super) const fn new(
        client: DropBoxClient,
        shared: SharedBox,
        secrets: PassphraseKeys,
    ) -> Self {
        Self { client, shared, secrets }
    }

    /// What everybody may know of the box.
    #[must_use]
    pub const fn shared(&self) -> &SharedBox {
        &self.shared
    }

    /// Reads messages, oldest first: those behind `after`, and at most `limit` of them. Without a
    /// limit the gateway has one.
    ///
    /// In a box whose messages go when they are read, this takes the texts: a list whose answer was
    /// lost is lost, and is not asked for a second time behind your back.
    ///
    /// When the message `after` is not in the box any more, because it was deleted or went as it was
    /// read, the list begins with the oldest one that is left. So a reader of several pages may get a
    /// message again, a file above all, and has to leave out ids that it has seen.
    ///
    /// # Errors
    /// When there is no such box any more or the passphrase is not its own
    /// ([`DropBoxError::NotFound`]), it cannot be read yet, its private key does not open, or a
    /// request fails for good. A single message that does not open is no error, but
    /// [`BoxContent::Unreadable`](super::BoxContent::Unreadable).
    pub async fn messages(
        &self,
        after: Option<&BoxMessageId>,
        limit: Option<u32>,
    ) -> Result<Page, DropBoxError> {
        let mut call = self.call(Method::GET, SERVICE);
        if let Some(after) = after {
            call = call.with("after", after.as_str());
        }
        if let Some(limit) = limit {
            call = call.with("limit", &limit.to_string());
        }
        let list: wire::List = self.client.core.call(&call).await?;
        let private_key = base64url::decode(&list.privatekey).map_err(|_| KeysError::Malformed)?;
        let keys = BoxKeys::open(self.secrets.clone(), &self.shared, &private_key)?;
        let keys = Arc::new(keys);
        let open = |listed| BoxMessage::open(listed, &keys);
        let messages = list.messages.into_iter().map(open).collect();
        Ok(Page { messages, more: list.more, are_gone: list.deletemessagesafterreading })
    }

    /// Fetches and opens a file, chunk by chunk, and says how long it is.
    ///
    /// Each chunk is checked before it is written. That no chunk is missing at the end is known at
    /// the end: after an error, throw away what was written.
    ///
    /// # Errors
    /// When the file is not what its sender made or not all of it, cannot be written, or a request
    /// fails for good. It is repeated until the first byte of the file was there. Where messages go
    /// after reading, a file can be fetched again for an hour after its last byte was sent.
    pub async fn fetch_file(
        &self,
        file: &BoxFile,
        target: &mut (impl AsyncWrite + Unpin + Send + ?Sized),
    ) -> Result<u64, DropBoxError> {
        let mut opener = FileOpener::new(&file.keys, &file.encryption_key, &file.sealed_name)?;
        let (mut response, attempt) = self.begin(file).await?;
        let (mut plain, mut written) = (Vec::new(), 0_u64);
        while let Some(chunk) = self.next(&mut response, attempt).await? {
            opener.update(&chunk, &mut plain)?;
            target.write_all(&plain).await.map_err(DropBoxError::Write)?;
            written = written.saturating_add(length(&plain));
            plain.clear();
        }
        opener.finish(&mut plain)?;
        target.write_all(&plain).await.map_err(DropBoxError::Write)?;
        target.flush().await.map_err(DropBoxError::Write)?;
        Ok(written.saturating_add(length(&plain)))
    }

    /// The beginning of the answer that is the file.
    async fn begin(&self, file: &BoxFile) -> Result<(Response, u32), DropBoxError> {
        let core = &self.client.core;
        let call = self.call(Method::GET, FILE).with("messageid", file.id.as_str());
        let mut tries = Tries::default();
        loop {
            let sending = async {
                let response = core.request(&call).send().await;
                let response = response.map_err(|source| unreached(source, tries.attempt))?;
                core.checked(response, tries.attempt).await
            };
            let late = Failure { error: silent(), may_have_acted: true };
            let begun = timeout(core.timeout, sending).await.unwrap_or(Err(late));
            match begun {
                Ok(response) => return Ok((response, tries.attempt)),
                // What goes after reading can be fetched for another hour.
                Err(failure) => tries.again(core, failure, Repeat::Always).await?,
            }
        }
    }

    async fn next(
        &self,
        response: &mut Response,
        attempt: u32,
    ) -> Result<Option<Bytes>, RequestError> {
        let chunk = timeout(self.client.core.timeout, response.chunk()).await;
        chunk.map_err(|_| silent())?.map_err(|source| unreached(source, attempt).error)
    }

    /// Deletes one message.
    ///
    /// # Errors
    /// When there is no such message any more, or a request fails for good.
    pub async fn delete_message(&self, id: &BoxMessageId) -> Result<(), DropBoxError> {
        let call = self.call(Method::DELETE, SERVICE).with("messageid", id.as_str());
        let wire::Done {} = self.client.core.call(&call).await?;
        Ok(())
    }

    /// Deletes the box with everything in it.
    ///
    /// # Errors
    /// When there is no such box any more or the passphrase is not its own, or a request fails for
    /// good.
    pub async fn delete_box(&self) -> Result<(), DropBoxError> {
        let call = self.call(Method::DELETE, SERVICE);
        let wire::Done {} = self.client.core.call(&call).await?;
        Ok(())
    }

    fn call(&self, method: Method, path: &'static str) -> Call<'_> {
        let call = Call::new(method, path).unless_acted_on();
        call.of_box(self.shared.token()).proved_by(self.secrets.auth_key())
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn silent() -> RequestError {
    SocketError::Silent.into()
}

impl fmt::Debug for OwnedBox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OwnedBox").field("client", &self.client).finish_non_exhaustive()
    }
}
