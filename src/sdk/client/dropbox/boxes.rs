//! Making a box, looking at one, and opening one's own.

use std::fmt;

use reqwest::Method;
use zeroize::Zeroizing;

use crate::base64url;
use crate::dropbox::{
    BoxKeys, BoxToken, DeriveError, Kdf, PassphraseKeys, RecordError, ShareLink, SharedBox,
};

use super::call::{Call, SERVICE};
use super::error::DropBoxError;
use super::owned::OwnedBox;
use super::{DropBoxClient, wire};

/// What a new box is to be like; by default the gateway decides, and nothing goes when it is read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NewBox {
    /// How the passphrase becomes a key; Argon2id at its usual cost by default.
    pub kdf: Option<Kdf>,
    /// Before this time (RFC 3339) nobody can read.
    pub release_date: Option<String>,
    /// After this time (RFC 3339) nobody can put anything in.
    pub lock_date: Option<String>,
    /// Messages go when they are read.
    pub delete_messages_after_reading: bool,
    /// The box goes when it is read.
    pub delete_box_after_reading: bool,
    /// Who is told when something was put in, where the gateway sends mail.
    pub email: Option<String>,
}

/// A box that was made.
#[derive(Debug, Clone)]
pub struct CreatedBox {
    /// What to hand to whoever may put something in.
    pub share: ShareLink,
    /// Its keys. They need not be kept: the passphrase opens them again.
    pub keys: BoxKeys,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// Before this time (RFC 3339) nobody can read.
    pub release_date: Option<String>,
    /// After this time (RFC 3339) nobody can put anything in.
    pub lock_date: Option<String>,
    /// When the gateway forgets it (RFC 3339).
    pub expires_at: Option<String>,
}

/// What everybody may know of a box.
#[derive(Debug, Clone)]
pub struct BoxRecord {
    /// Its keys, checked against the token.
    pub shared: SharedBox,
    /// Before this time (RFC 3339) nobody can read.
    pub release_date: Option<String>,
    /// After this time (RFC 3339) nobody can put anything in.
    pub lock_date: Option<String>,
    /// When the gateway forgets it (RFC 3339).
    pub expires_at: Option<String>,
}

impl DropBoxClient {
    /// Makes a box that this passphrase opens. Nobody can open it when the passphrase is lost.
    ///
    /// # Errors
    /// When the passphrase is empty, or a request fails for good.
    pub async fn create(
        &self,
        passphrase: &str,
        wishes: NewBox,
    ) -> Result<CreatedBox, DropBoxError> {
        let mut rng = self.core.entropy.fork();
        let kdf = wishes.kdf.clone().unwrap_or_else(|| Kdf::random(&mut rng));
        let passphrase = Zeroizing::new(passphrase.to_owned());
        let make = move || BoxKeys::create(&passphrase, kdf, &mut rng);
        let keys = aside(make).await?;
        let body = wire::Create {
            publickey: base64url::encode(&keys.public_key()),
            kdf: keys.kdf().to_string(),
            privatekey: base64url::encode(&keys.seal_private_key(&mut self.core.entropy.fork())?),
            authdigest: base64url::encode(&keys.auth_digest()),
            releasedate: wishes.release_date.as_deref(),
            lockdate: wishes.lock_date.as_deref(),
            deletemessagesafterreading: wishes.delete_messages_after_reading,
            deletekeyafterreading: wishes.delete_box_after_reading,
            email: wishes.email.as_deref(),
        };
        // The same request makes the same box, once.
        let call = Call::new(Method::POST, SERVICE).with_body(&body)?;
        let created: wire::Created = self.core.call(&call).await?;
        if created.token != keys.token() {
            return Err(RecordError::Token.into());
        }
        Ok(CreatedBox {
            share: ShareLink::new(&self.core.base, keys.token())?,
            keys,
            created_at: created.createdat,
            release_date: created.releasedate,
            lock_date: created.lockdate,
            expires_at: created.expiresat,
        })
    }

    /// Looks up a box, and checks that the gateway's keys are those of its token.
    ///
    /// # Errors
    /// When there is no such box, the gateway's record is another's or uses a weak kdf, or a request
    /// fails for good.
    pub async fn record(&self, token: BoxToken) -> Result<BoxRecord, DropBoxError> {
        let call = Call::new(Method::GET, SERVICE).of_box(token);
        let record: wire::Record = self.core.call(&call).await?;
        let key = base64url::decode(&record.publickey).map_err(|_| RecordError::PublicKey)?;
        Ok(BoxRecord {
            shared: SharedBox::verify(token, &key, &record.kdf)?,
            release_date: record.releasedate,
            lock_date: record.lockdate,
            expires_at: record.expiresat,
        })
    }

    /// Looks up a box and derives its owner's keys, on a thread that may block for the second or so
    /// that it takes. Nothing in the box is touched, so a wrong passphrase shows itself later:
    /// [`OwnedBox::messages`] says [`DropBoxError::NotFound`].
    ///
    /// # Errors
    /// As [`record`](Self::record), and when the passphrase is empty.
    pub async fn open(&self, token: BoxToken, passphrase: &str) -> Result<OwnedBox, DropBoxError> {
        let shared = self.record(token).await?.shared;
        let passphrase = Zeroizing::new(passphrase.to_owned());
        let kdf = shared.kdf().clone();
        let secrets = aside(move || PassphraseKeys::derive(&passphrase, &kdf)).await?;
        Ok(OwnedBox::new(self.clone(), shared, secrets))
    }
}

/// Does what takes long by design where it holds nobody up.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeriveError> + Send + 'static,
) -> Result<T, DropBoxError> {
    let derived = tokio::task::spawn_blocking(work).await;
    derived.map_err(|_| DropBoxError::Interrupted)?.map_err(DropBoxError::from)
}

impl fmt::Debug for NewBox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NewBox")
            .field("release_date", &self.release_date)
            .field("lock_date", &self.lock_date)
            .field("delete_messages_after_reading", &self.delete_messages_after_reading)
            .field("delete_box_after_reading", &self.delete_box_after_reading)
            .finish_non_exhaustive()
    }
}
