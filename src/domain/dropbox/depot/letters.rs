//! Letters: left once, taken once.

use std::net::IpAddr;
use std::time::Duration;

use super::{Depot, GRACE};
use crate::domain::account::Dialect;
use crate::domain::dropbox::letter::TakeLetter;
use crate::domain::dropbox::stock;
use crate::domain::dropbox::tries::Lock;
use crate::domain::dropbox::{DropId, Form, Letter, SecretDigest, StoredFile, Version};
use crate::domain::error::Fault;
use crate::domain::measures::Outcome;

/// A letter, before it has an id and times.
#[derive(Clone, PartialEq, Eq)]
pub struct NewLetter {
    /// Of which version it is.
    pub version: Version,
    /// What a reader's secret is compared with.
    pub secret: SecretDigest,
    /// What it is made of.
    pub form: Form,
    /// The encrypted message.
    pub data: Vec<u8>,
    /// Version 1: an encrypted file that comes with it.
    pub file: Option<StoredFile>,
    /// How long it waits; no longer than the policy's.
    pub life: Option<Duration>,
}

impl Depot {
    /// Keeps a letter until it is read.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] when it is too large, or all boxes and letters hold as much as they may.
    pub async fn leave_letter(&self, new: NewLetter) -> Result<Letter, Fault> {
        let (actual, limit) = (new.data.len() as u64, self.policy.message_bytes);
        if actual > limit {
            return Err(Fault::TooLarge {
                what: "the number of bytes in the message",
                actual,
                limit,
            });
        }
        // Its file was counted when it came in.
        let bytes = actual.saturating_add(stock::FOR_ONE);
        self.stock.require(bytes)?;
        let created_at = self.now();
        let life =
            new.life.map_or(self.policy.letter_life, |life| life.min(self.policy.letter_life));
        let letter = Letter {
            id: self.random_id(),
            version: new.version,
            secret: new.secret,
            form: new.form,
            data: new.data,
            file: new.file,
            created_at,
            ends_at: created_at.plus(life),
        };
        self.gateway.store.keep_letter(letter.clone()).await?;
        self.stock.add(bytes);
        self.gateway.measures.message(Dialect::KeyService, Outcome::Accepted);
        Ok(letter)
    }

    /// Takes a letter out for whoever shows its secret; from then on it is gone.
    ///
    /// # Errors
    /// [`Fault::RateLimited`] for who was wrong too often, or tries too much at the same time;
    /// [`Fault::NotFound`] for an unknown one and for a wrong secret.
    pub async fn take_letter(
        &self,
        version: Version,
        id: DropId,
        secret: &[u8],
        from: Option<IpAddr>,
    ) -> Result<Letter, Fault> {
        let counted = self.tries.begin(Lock::Letter(id), from)?;
        let (now, secret) = (self.now(), SecretDigest::of(secret));
        let file_until = now.plus(GRACE);
        let take = TakeLetter { id, version, secret, now, file_until };
        let taken = self.gateway.store.take_letter(take).await;
        if let Ok(None) = taken {
            return Err(no_letter());
        }
        counted.was_not_wrong();
        taken?.ok_or_else(no_letter)
    }
}

fn no_letter() -> Fault {
    Fault::NotFound { what: "letter" }
}
