//! Keys for new sessions. They are made here and go into the keystore; the gateway sees the public
//! half alone.

use super::error::CommandError;
use crate::admin::types::{AddedSession, CreatedAccount, NewSession};
use crate::app::entropy::{EntropyRng, SystemEntropy};
use crate::sdk::ids::SessionId;
use crate::sdk::keys::{SigningKey, VerifyingKey};
use crate::sdk::keystore::Keystore;

/// A session that does not exist yet: its key and what it is.
#[derive(Debug)]
pub(super) struct Draft {
    key: SigningKey,
    platform: String,
}

impl Draft {
    /// A new key.
    pub(super) fn new(platform: &str) -> Result<Self, CommandError> {
        let entropy = SystemEntropy::new()?;
        let key = SigningKey::generate(&mut EntropyRng(&entropy));
        Ok(Self { key, platform: platform.to_owned() })
    }

    /// What the gateway is told.
    pub(super) fn request(&self, replaces: Option<SessionId>) -> NewSession {
        let public_key = self.key.verifying_key().to_base64();
        NewSession { public_key, platform: self.platform.clone(), replaces }
    }

    /// The keystore, once the gateway has given the session its id.
    pub(super) fn finish(
        self,
        session: &AddedSession,
        base_url: &str,
    ) -> Result<Keystore, CommandError> {
        let server_key = VerifyingKey::from_hex(&session.server_public_key);
        let server_key = server_key.map_err(|_| CommandError::Answer)?;
        Ok(Keystore {
            user_id: session.user_id,
            session_id: session.session_id,
            server_public_key: Some(server_key),
            session_private_key: self.key,
            base_url: Some(base_url.to_owned()),
        })
    }
}

/// The keystores of a new account, in the order of the drafts.
pub(super) fn finish_all(
    drafts: Vec<Draft>,
    created: &CreatedAccount,
    base_url: &str,
) -> Result<Vec<Keystore>, CommandError> {
    if drafts.len() != created.sessions.len() {
        return Err(CommandError::Answer);
    }
    let sessions = created.sessions.iter().map(|session| AddedSession {
        user_id: created.user_id,
        session_id: session.session_id,
        platform: session.platform.clone(),
        server_public_key: created.server_public_key.clone(),
    });
    drafts
        .into_iter()
        .zip(sessions)
        .map(|(draft, session)| draft.finish(&session, base_url))
        .collect()
}
