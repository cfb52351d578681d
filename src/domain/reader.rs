//! Readers that stay: who may go on reading an inbox for longer than one request.

use std::time::Duration;

use super::clock::Timestamp;
use super::error::Fault;
use super::gateway::Gateway;
use super::ids::{AccountNumber, SessionId, SessionNumber, UserId};
use super::inbox::InboxKey;
use super::session::{SessionOwner, TokenHash};

/// How long a reader with a signed token may stay at least. Public clients sign for a minute and
/// stay for days; a token opens readers for an hour, so a reader may stay for one.
pub const SHORTEST_STAY: Duration = Duration::from_secs(60 * 60);

/// Somebody who reads an inbox.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// What is read.
    pub inbox: InboxKey,
    /// Whose it is.
    pub account: AccountNumber,
    /// The account's public id.
    pub user: UserId,
    /// The session that reads.
    pub session: SessionId,
    /// What lets it.
    pub credential: Credential,
}

/// What lets somebody read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A token signed by the session's key, until a moment.
    Signed {
        /// The first moment at which it does so no more.
        until: Timestamp,
    },
    /// A plain API token, for as long as it is on file.
    ApiToken(TokenHash),
    /// The password of a numbered device, for as long as the device is.
    Device(SessionNumber),
}

impl Reader {
    /// The reader who is this session.
    #[must_use]
    pub fn new(owner: &SessionOwner, credential: Credential) -> Self {
        let session = &owner.session;
        Self {
            inbox: InboxKey { shard: session.account.shard(), session: session.number },
            account: session.account,
            user: owner.account.id,
            session: session.id,
            credential,
        }
    }
}

impl Gateway {
    /// Whether a reader may go on: its session is live and its credential still good.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn may_read_on(&self, reader: &Reader) -> Result<bool, Fault> {
        let is_live = match reader.credential {
            Credential::Device(device) => self.store.device_is_live(device).await?,
            _ => self.live_session(reader.session).await?.is_some(),
        };
        if !is_live {
            return Ok(false);
        }
        let now = self.clock.now();
        match reader.credential {
            Credential::Signed { until } => Ok(now < until),
            Credential::ApiToken(hash) => {
                let token = self.store.api_token(hash).await?;
                Ok(token.is_some_and(|token| now < token.expires_at))
            }
            Credential::Device(_) => Ok(true),
        }
    }
}
