//! Letters: left once, taken once.

use std::fmt;
use std::time::Duration;

use reqwest::Method;

use crate::base64url;
use crate::dropbox::{LetterError, LetterLink, LetterSecret};

use super::call::{Call, SELF_DESTRUCT, TAKE};
use super::error::DropBoxError;
use super::{DropBoxClient, wire};

/// A letter that was left with the gateway.
#[derive(Debug, Clone)]
pub struct LeftLetter {
    /// What to hand to its reader. It is nowhere else.
    pub link: LetterLink,
    /// When the gateway forgets the letter unread (RFC 3339).
    pub expires_at: Option<String>,
}

/// A letter that was taken, and is gone from the gateway.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// What it says.
    pub text: String,
    /// When it was left (RFC 3339).
    pub created_at: String,
}

impl DropBoxClient {
    /// Leaves a letter that can be read once, within `lifetime`: a minute to 30 days, a week by
    /// default.
    ///
    /// # Errors
    /// When the gateway refuses, or a request fails for good.
    pub async fn leave_letter(
        &self,
        text: &str,
        lifetime: Option<Duration>,
    ) -> Result<LeftLetter, DropBoxError> {
        let rng = &mut self.core.entropy.fork();
        let secret = LetterSecret::random(rng);
        let body = wire::Leave {
            message: base64url::encode(&secret.seal(text, rng)?),
            authdigest: base64url::encode(&secret.auth_key().digest()),
            expiresin: lifetime.map(|lifetime| lifetime.as_secs()),
        };
        // A letter whose answer was lost has no link and expires unread, so it may be left again.
        let call = Call::new(Method::POST, SELF_DESTRUCT).with_body(&body)?;
        let left: wire::Left = self.core.call(&call).await?;
        let link = LetterLink::new(&self.core.base, left.messageid, secret)?;
        Ok(LeftLetter { link, expires_at: left.expiresat })
    }

    /// Takes a letter, which is gone from then on. Asks this client's gateway, wherever the link
    /// leads: [`LetterLink::base`] says where that is.
    ///
    /// # Errors
    /// When there is no such letter any more, or a request fails for good. A letter whose answer was
    /// lost is gone: it is not asked for a second time behind your back.
    pub async fn take_letter(&self, link: &LetterLink) -> Result<Letter, DropBoxError> {
        let proof = link.secret().auth_key();
        let call = Call::new(Method::POST, TAKE).unless_acted_on().proved_by(&proof);
        let call = call.with_body(&wire::Take { messageid: link.id() })?;
        let taken: wire::Taken = self.core.call(&call).await?;
        let letter = base64url::decode(&taken.message).map_err(|_| LetterError::Sealed)?;
        Ok(Letter { text: link.secret().open(&letter)?, created_at: taken.createdat })
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let created_at = &self.created_at;
        formatter.debug_struct("Letter").field("created_at", created_at).finish_non_exhaustive()
    }
}
