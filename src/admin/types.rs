//! What goes over the admin socket: read by one `sealpost` process, written by another.

use sealpost_sdk::types::SetAsideMessage;
use serde::{Deserialize, Serialize};

use crate::domain::ids::{SessionId, UserId};
use crate::domain::sign_up::InviteId;

/// `POST /admin/v1/accounts`: makes the account with all its devices, or nothing at all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateAccount {
    /// `bot` or `user`.
    pub kind: String,
    /// The name shown to others.
    pub full_name: String,
    /// Its devices; may be empty.
    #[serde(default)]
    pub sessions: Vec<NewSession>,
}

/// One device to sign in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewSession {
    /// Its Ed25519 public key, base64url.
    pub public_key: String,
    /// What kind of device it says it is.
    #[serde(default)]
    pub platform: String,
    /// The session that it takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<SessionId>,
}

/// The answer to [`CreateAccount`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreatedAccount {
    /// The new account.
    pub user_id: UserId,
    /// Its short public name.
    pub identity_number: String,
    /// The gateway's own Ed25519 key in hex, as keystores hold it.
    pub server_public_key: String,
    /// Its devices, in the order of the request.
    pub sessions: Vec<CreatedSession>,
}

/// One device that was signed in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreatedSession {
    /// Its new id.
    pub session_id: SessionId,
    /// What kind of device it says it is.
    pub platform: String,
}

/// The answer to `POST /admin/v1/accounts/{user_id}/sessions`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddedSession {
    /// The account.
    pub user_id: UserId,
    /// The new session.
    pub session_id: SessionId,
    /// What kind of device it says it is.
    pub platform: String,
    /// The gateway's own Ed25519 key in hex, as keystores hold it.
    pub server_public_key: String,
}

/// An account, as `GET /admin/v1/accounts/{user_id}` and the list show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountInfo {
    /// Its public id.
    pub user_id: UserId,
    /// Its short public name.
    pub identity_number: String,
    /// `bot` or `user`.
    pub kind: String,
    /// The name shown to others.
    pub full_name: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
}

/// A page of accounts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountPage {
    /// In the order in which they were made.
    pub accounts: Vec<AccountInfo>,
    /// What to pass as `after` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<UserId>,
}

/// `GET /admin/v1/accounts/{user_id}/sessions`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionList {
    /// The live ones, in the order in which they signed in.
    pub sessions: Vec<SessionInfo>,
}

/// A live session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Its id.
    pub session_id: SessionId,
    /// What kind of device it says it is.
    pub platform: String,
    /// Its X25519 public key, base64url, as senders see it.
    pub public_key: String,
    /// When it signed in, RFC 3339.
    pub created_at: String,
    /// The session that added it; absent when an operator did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_by: Option<SessionId>,
    /// How many messages wait for it, counted up to 10,000.
    #[serde(default)]
    pub waiting: u64,
    /// How many of them are set aside.
    #[serde(default)]
    pub set_aside: u64,
    /// When it last looked into its inbox, RFC 3339, to within a forty-eighth of
    /// `limits.abandoned_after_seconds`; absent when it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<String>,
}

/// `GET /admin/v1/sessions/{session_id}/set_aside`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetAsideList {
    /// The oldest first; pass the last one's `message_id` as `after` for the next page.
    pub messages: Vec<SetAsideMessage>,
}

/// `GET /admin/v1/stuck`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StuckList {
    /// Those that are longest so first; at most 100.
    pub inboxes: Vec<StuckInboxInfo>,
}

/// An inbox in which something is set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StuckInboxInfo {
    /// Whose it is.
    pub user_id: UserId,
    /// The name shown to others; absent for an account that the list of accounts does not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    /// The session that does not get past it.
    pub session_id: SessionId,
    /// How many messages are set aside.
    pub messages: u64,
    /// When the first of them was, RFC 3339.
    pub since: String,
}

/// `POST /admin/v1/sessions/{session_id}/tokens`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateToken {
    /// Some of `send`, `receive`, `read`.
    pub scopes: Vec<String>,
    /// How long it works.
    pub life_seconds: u64,
}

/// The answer to [`CreateToken`]. Its `Debug` shows no token.
#[derive(Clone, Serialize, Deserialize)]
pub struct CreatedToken {
    /// The token; shown this once, only its hash is kept.
    pub token: String,
    /// When it stops working, RFC 3339.
    pub expires_at: String,
}

impl std::fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// `POST /admin/v1/invites`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateInvite {
    /// How many may sign up with it.
    pub uses: u32,
    /// How long it works.
    pub life_seconds: u64,
}

/// The answer to [`CreateInvite`]. Its `Debug` shows no code.
#[derive(Clone, Serialize, Deserialize)]
pub struct CreatedInvite {
    /// The invitation, to list and revoke it.
    pub invite_id: InviteId,
    /// What people sign up with; shown this once, only its hash is kept.
    pub code: String,
    /// How many may sign up with it.
    pub uses: u32,
    /// When it stops working, RFC 3339.
    pub expires_at: String,
}

impl std::fmt::Debug for CreatedInvite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedInvite").field("invite_id", &self.invite_id).finish_non_exhaustive()
    }
}

/// An invitation, as `GET /admin/v1/invites` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteInfo {
    /// The invitation.
    pub invite_id: InviteId,
    /// How many may sign up with it.
    pub uses: u32,
    /// How many have.
    pub used: u32,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// When it stops working, RFC 3339.
    pub expires_at: String,
}

/// A page of invitations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InvitePage {
    /// In the order in which they were made.
    pub invites: Vec<InviteInfo>,
    /// What to pass as `after` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<InviteId>,
}

/// `GET /admin/v1/status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// Since the data directory was opened.
    pub uptime_seconds: u64,
    /// Where clients are served; absent when they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The gateway's own Ed25519 key in hex.
    pub server_public_key: String,
    /// How many sockets are open at this moment.
    #[serde(default)]
    pub sockets: u64,
    /// What clients are let do.
    #[serde(default)]
    pub mode: Mode,
    /// What the store says about itself; absent from a gateway that does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageStatus>,
}

/// `GET` and `PUT /admin/v1/mode`: what clients are let do, for as long as the process lives. The
/// operator's own requests are always taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mode {
    /// Whether what would change something for others is refused; reading and acknowledging go on.
    pub read_only: bool,
    /// Whether everything is refused, `/readyz` fails, and sockets are closed.
    pub draining: bool,
}

/// The store's numbers in [`Status`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageStatus {
    /// Transactions that were committed since the start. Requests that come together share one, so
    /// under load there are fewer of them than requests.
    pub commit_groups: u64,
    /// Requests that wait for their transaction at this moment.
    pub waiting_writes: u64,
    /// The size of the database in bytes, without the log beside it.
    pub database_bytes: u64,
    /// When the newest message was accepted, RFC 3339; absent when none is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_message_at: Option<String>,
    /// Messages that are set aside, in all inboxes, counted up to 10,000.
    #[serde(default)]
    pub set_aside: u64,
}

/// `GET /admin/v1/check`: a look for damage in the database, which takes up to ten seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseCheck {
    /// Whether all of it was looked at in that time.
    pub complete: bool,
    /// What is wrong, in the words of the database; empty when all is well.
    pub damage: Vec<String>,
}

/// `GET /admin/v1/textsecure/codes`.
#[derive(Clone, Serialize, Deserialize)]
pub struct CodeList {
    /// Those that are still good, the oldest first.
    pub codes: Vec<CodeInfo>,
    /// Whether there are more.
    pub more: bool,
}

/// A code that waits for the operator to hand it over.
#[derive(Clone, Serialize, Deserialize)]
pub struct CodeInfo {
    /// For whom.
    pub number: String,
    /// How its owner wanted it: `sms` or `voice`.
    pub transport: String,
    /// `NNN-NNN`.
    pub code: String,
    /// From when on it is good for nothing, RFC 3339.
    pub expires_at: String,
}
