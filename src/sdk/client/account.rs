//! Questions about accounts and sessions, and the bot's own sessions.

use serde::de::IgnoredAny;

use crate::base64url;
use crate::conversation::contact_conversation_id;
use crate::device::SessionStatement;
use crate::ids::{SessionId, UserId};
use crate::keys::SigningKey;
use crate::keystore::Keystore;
use crate::types::{
    Conversation, CreateConversation, CreatedSession, NewParticipant, NewSession, SessionChanges,
    SessionInfo, User,
};

use super::bot::Bot;
use super::error::RequestError;
use super::gateway::Call;
use super::sessions::FETCH_LIMIT;

/// A session that was added to the bot's account.
#[derive(Debug)]
#[non_exhaustive]
pub struct AddedSession {
    /// The session, as the gateway describes it.
    pub session: CreatedSession,
    /// What a program needs to be that session; write it to a file before the old one is revoked.
    pub keystore: Keystore,
}

impl Bot {
    /// The bot's own account.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn me(&self) -> Result<User, RequestError> {
        self.core.gateway.call(Call::get("/me")).await
    }

    /// Accounts by their ids; unknown ones are left out.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn users(&self, users: &[UserId]) -> Result<Vec<User>, RequestError> {
        let mut found = Vec::with_capacity(users.len());
        for chunk in users.chunks(FETCH_LIMIT) {
            let answer: Vec<User> =
                self.core.gateway.call(Call::post("/users/fetch", chunk)?).await?;
            found.extend(answer);
        }
        Ok(found)
    }

    /// Makes sure that the conversation of the bot and `user` exists. Sending to somebody does that
    /// by itself; this is for showing the conversation before the first message.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn ensure_contact(&self, user: &UserId) -> Result<Conversation, RequestError> {
        let body = CreateConversation {
            category: "CONTACT".to_owned(),
            conversation_id: contact_conversation_id(self.user_id(), *user),
            name: String::new(),
            announcement: String::new(),
            participants: vec![NewParticipant { user_id: *user, role: String::new() }],
            random_id: String::new(),
        };
        self.core.gateway.call(Call::post("/conversations", &body)?).await
    }

    /// The live sessions of accounts, fresh from the gateway. They are remembered for sending.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn sessions_of(&self, users: &[UserId]) -> Result<Vec<SessionInfo>, RequestError> {
        self.core.directory.list(users).await
    }

    /// Brings the remembered session lists of `users` up to date and gives those that were not:
    /// changed, or never fetched. Cheap before a broadcast, since a list that is still right is not
    /// sent again; sending works without it.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn check_sessions(&self, users: &[UserId]) -> Result<Vec<UserId>, RequestError> {
        self.core.directory.check(users).await
    }

    /// Waits until sessions of the bot's contacts have changed, at most as long as a poll waits, and
    /// remembers the new lists. With the cursor of the answer the next call goes on; without one it
    /// begins now.
    ///
    /// A program that calls this in a loop has fresh lists before it sends; sending works without.
    ///
    /// # Errors
    /// When the request fails; 410 when the cursor is too old: all lists are forgotten, and it is
    /// time to begin again without one.
    pub async fn changes(&self, cursor: Option<&str>) -> Result<SessionChanges, RequestError> {
        let wait = self.core.poll_wait;
        let mut path = format!("/sessions/changes?wait={}", wait.as_secs());
        if let Some(cursor) = cursor {
            let plain = |letter: &char| letter.is_ascii_alphanumeric() || "-_.~".contains(*letter);
            path.push_str("&cursor=");
            path.extend(cursor.chars().filter(plain));
        }
        let timeout = wait.saturating_add(self.core.gateway.timeout);
        let call = Call::get(path).with_timeout(timeout);
        let answer: Result<SessionChanges, RequestError> = self.core.gateway.call(call).await;
        if answer.as_ref().is_err_and(|error| error.status() == Some(410)) {
            self.core.directory.forget_all();
        }
        let answer = answer?;
        for change in &answer.changes {
            self.core.directory.take(change);
        }
        Ok(answer)
    }

    /// Adds a session with a new key to the bot's account. The new key and this session both sign
    /// for it.
    ///
    /// # Errors
    /// When the request fails. It is not repeated once the gateway may have acted on it; look with
    /// [`sessions_of`](Self::sessions_of) whether the session is there before trying again with
    /// another key.
    pub async fn add_session(
        &self,
        new_key: &SigningKey,
        platform: &str,
    ) -> Result<AddedSession, RequestError> {
        self.new_session(new_key, platform, None).await
    }

    /// Signs in again: adds a session with a new key and revokes this one in the same step. This
    /// bot can do nothing any more afterwards; make one from the returned keystore.
    ///
    /// # Errors
    /// As [`add_session`](Self::add_session).
    pub async fn replace_session(
        &self,
        new_key: &SigningKey,
        platform: &str,
    ) -> Result<AddedSession, RequestError> {
        self.new_session(new_key, platform, Some(self.session_id())).await
    }

    /// Revokes a session of the bot's account. It can neither send nor receive from then on.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn revoke_session(&self, session: SessionId) -> Result<(), RequestError> {
        let call = Call::delete(format!("/sessions/{session}"));
        self.core.gateway.call::<IgnoredAny>(call).await.map(|_| ())
    }

    async fn new_session(
        &self,
        new_key: &SigningKey,
        platform: &str,
        replaces: Option<SessionId>,
    ) -> Result<AddedSession, RequestError> {
        let public_key = new_key.verifying_key();
        let statement =
            SessionStatement { user: self.user_id(), added_by: self.session_id(), public_key };
        let body = NewSession {
            public_key: public_key.to_base64(),
            platform: platform.to_owned(),
            signature: base64url::encode(&statement.sign_as_new(new_key)),
            attestation: base64url::encode(&statement.sign_as_adder(&self.core.identity.signing)),
            replaces,
        };
        let call = Call::post("/sessions", &body)?.unless_acted_on();
        let session: CreatedSession = self.core.gateway.call(call).await?;
        let keystore = Keystore {
            user_id: session.user_id,
            session_id: session.session_id,
            server_public_key: self.core.server_public_key,
            session_private_key: new_key.clone(),
            base_url: Some(self.core.base_url.clone()),
        };
        Ok(AddedSession { session, keystore })
    }
}
