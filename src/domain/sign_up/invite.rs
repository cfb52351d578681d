//! Invitations: codes with which a few people may sign up.

use std::fmt;
use std::time::Duration;

use sealpost_sdk::ids::Id;
use sha2::{Digest, Sha256};

use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;

/// The start of every invitation's code.
pub const INVITE_PREFIX: &str = "spi_";

/// The kind of [`InviteId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InviteKind {}

/// An invitation, for its operator: the id lets nobody in.
pub type InviteId = Id<InviteKind>;

/// The SHA-256 of an invitation's code: all that is kept of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InviteHash(pub [u8; 32]);

impl InviteHash {
    /// The hash of a code as its bearer shows it.
    #[must_use]
    pub fn of(code: &str) -> Self {
        Self(Sha256::digest(code.as_bytes()).into())
    }
}

impl fmt::Debug for InviteHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteHash(..)")
    }
}

/// What the store needs to keep an invitation.
#[derive(Clone, Copy, Debug)]
pub struct NewInvite {
    /// The invitation.
    pub invite: Invite,
    /// All that is kept of its code.
    pub hash: InviteHash,
}

/// An invitation on file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Its id.
    pub id: InviteId,
    /// How many may sign up with it.
    pub uses: u32,
    /// How many have.
    pub used: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Invite {
    /// Whether one more may sign up with it. Stores ask in the transaction of the sign-up.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] (`invite`) with the reason.
    pub fn admit(found: Option<&Self>, now: Timestamp) -> Result<(), Fault> {
        let reason = match found {
            None => "is unknown or was revoked",
            Some(invite) if invite.expires_at <= now => "has expired",
            Some(invite) if invite.used >= invite.uses => "is used up",
            Some(_) => return Ok(()),
        };
        Err(Fault::forbidden_field("invite", reason))
    }
}

impl Gateway {
    /// Makes an invitation and returns it with its code, which is shown this once.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when nobody could use it.
    pub async fn create_invite(
        &self,
        uses: u32,
        life: Duration,
    ) -> Result<(Invite, String), Fault> {
        if uses == 0 {
            return Err(Fault::invalid("uses", "is 0: nobody could sign up with it"));
        }
        let mut secret = [0; 24];
        self.entropy.fill(&mut secret);
        let code = format!("{INVITE_PREFIX}{}", sealpost_sdk::base64url::encode(&secret));
        let created_at = self.clock.now();
        let expires_at = created_at.plus(life);
        let invite = Invite { id: self.random_id(), uses, used: 0, created_at, expires_at };
        self.store.add_invite(NewInvite { invite, hash: InviteHash::of(&code) }).await?;
        Ok((invite, code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_admits_until_it_is_used_up_or_over() {
        let at = Timestamp::from_micros;
        let invite = Invite {
            id: Id::from_bytes([1; 16]),
            uses: 2,
            used: 1,
            created_at: at(0),
            expires_at: at(10),
        };
        assert!(Invite::admit(Some(&invite), at(9)).is_ok());
        let refused = |found: Option<Invite>, now| {
            Invite::admit(found.as_ref(), at(now)).unwrap_err().to_string()
        };
        assert_eq!(refused(Some(invite), 10), "has expired");
        assert_eq!(refused(Some(Invite { used: 2, ..invite }), 9), "is used up");
        assert_eq!(refused(None, 9), "is unknown or was revoked");
    }
}
