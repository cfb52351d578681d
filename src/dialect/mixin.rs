//! Mixin's bot API: the gateway's main protocol.
//!
//! Begin with [`messages`]: `POST /encrypted_messages` is what the gateway exists for.

pub mod accounts;
pub mod acknowledgements;
pub mod answer;
pub mod apps;
mod around;
pub mod attachments;
pub mod auth;
pub mod blaze;
pub mod changes;
pub mod conversations;
pub mod error;
pub mod etag;
pub mod inbox;
pub mod messages;
pub mod openapi;
pub mod outgoing;
pub mod plain;
pub mod receipts;
pub mod relationships;
pub mod repeat;
pub mod request;
pub mod sessions;
pub mod set_aside;
pub mod slots;
pub mod users;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{delete, get, post};

use crate::delivery::hub::Hub;
use crate::domain::attachment::Files;
use crate::domain::gateway::Gateway;
use crate::domain::sign_up::SignUpPolicy;
use crate::http::blobs::{Addresses, BlobUrls};
use crate::http::gate::Gate;
use crate::http::layers::Guard;
use crate::http::leftovers::Leftovers;
use crate::http::places::Places;
use crate::http::switch::Switch;
use auth::VerifiedTokens;
use conversations::participants;
use error::ErrorStatus;
use plain::PlainMessages;

pub use openapi::openapi;

/// What the handlers work with.
pub struct MixinState {
    /// The rules and what they stand on.
    pub gateway: Arc<Gateway>,
    /// Who is listening on this node.
    pub hub: Arc<Hub>,
    /// How often who may come in.
    pub gate: Arc<Gate>,
    /// Attachments.
    pub files: Arc<Files>,
    /// Where their bytes go and come from.
    pub urls: Arc<BlobUrls>,
    /// The gateway as its clients reach it.
    pub addresses: Addresses,
    /// The gateway's own Ed25519 public key, lower-case hex.
    pub server_public_key: String,
    /// What the operator chose.
    pub settings: MixinSettings,
    /// Tokens whose signature was found right.
    pub verified: VerifiedTokens,
    /// The sockets of this node.
    pub sockets: Arc<Places>,
    /// Who finishes requests whose client has gone.
    pub leftovers: Arc<Leftovers>,
    /// Whether messages are taken that come over sockets.
    pub switch: Arc<Switch>,
}

/// What an operator may choose for this dialect.
#[derive(Clone, Debug)]
pub struct MixinSettings {
    /// Which HTTP status an error has.
    pub error_status: ErrorStatus,
    /// The longest life of a request token, from `iat` to `exp`.
    pub longest_token_life: Duration,
    /// How far a client's clock may be ahead of ours.
    pub clock_ahead: Duration,
    /// The largest body of a request, bytes.
    pub body_limit: u64,
    /// Messages that a socket may hold unacknowledged.
    pub socket_in_flight: u32,
    /// The longest that a poll of the inbox may wait.
    pub longest_poll: Duration,
    /// The path below which these routes are mounted, `/` and a name, or empty for the root.
    /// Tokens may be signed with and without it.
    pub path_prefix: String,
    /// Whether messages that the gateway can read are taken.
    pub plain_messages: PlainMessages,
    /// Who may sign up.
    pub sign_up: SignUpPolicy,
}

impl Default for MixinSettings {
    fn default() -> Self {
        Self {
            error_status: ErrorStatus::Auto,
            longest_token_life: Duration::from_secs(90 * 24 * 60 * 60),
            clock_ahead: Duration::from_secs(60),
            body_limit: 8 * 1024 * 1024,
            socket_in_flight: 200,
            longest_poll: Duration::from_secs(60),
            path_prefix: String::new(),
            plain_messages: PlainMessages::Refuse,
            sign_up: SignUpPolicy::Closed,
        }
    }
}

/// The routes of this dialect. Whatever goes wrong below them has this dialect's shape, unknown
/// paths and time-outs included.
pub fn router(state: Arc<MixinState>, guard: Guard) -> Router {
    let router = Router::new()
        .route("/encrypted_messages", post(messages::post_encrypted))
        .route("/encrypted_messages/{message_id}/slots", post(slots::add))
        .route("/messages", post(messages::post_readable))
        .route("/relationships", post(relationships::change))
        .route("/friends", get(relationships::friends))
        .route("/blocking_users", get(relationships::blocking))
        .route("/sessions/fetch", post(sessions::fetch))
        .route("/sessions/check", post(sessions::check))
        .route("/sessions/changes", get(changes::read))
        .route("/sessions", get(sessions::list).post(sessions::create))
        .route("/sessions/{id}", delete(sessions::revoke))
        .route("/conversations", post(conversations::create))
        .route("/conversations/{id}", get(conversations::read).post(conversations::update))
        .route("/conversations/{id}/participants/ADD", post(participants::add))
        .route("/conversations/{id}/participants/REMOVE", post(participants::remove))
        .route("/conversations/{id}/participants/ROLE", post(participants::set_roles))
        // One name for a variable part, whatever it stands for.
        .route("/conversations/{id}/join", post(participants::join))
        .route("/conversations/{id}/exit", post(participants::exit))
        .route("/conversations/{id}/rotate", post(conversations::settings::rotate))
        .route("/conversations/{id}/mute", post(conversations::settings::mute))
        .route("/conversations/{id}/disappear", post(conversations::settings::disappear))
        .route("/attachments", post(attachments::create))
        .route("/attachments/{id}", get(attachments::read))
        .route("/acknowledgements", post(acknowledgements::post))
        // A look at the inbox changes it, so there is no HEAD, which must change nothing.
        .route("/inbox", get(inbox::read).head(error::method_not_allowed))
        .route("/blaze", get(blaze::explain).head(error::method_not_allowed))
        .route("/inbox/set_aside", get(set_aside::list))
        .route("/inbox/set_aside/{message_id}", delete(set_aside::drop))
        .route("/inbox/set_aside/{message_id}/retry", post(set_aside::retry))
        .route("/accounts", post(accounts::create))
        .route("/me", get(users::me).post(users::change))
        .route("/users/{id}", get(users::read))
        .route("/users/fetch", post(users::fetch))
        .route("/search/{id}", get(users::search))
        .route("/apps/me", get(apps::me))
        .method_not_allowed_fallback(error::method_not_allowed)
        .fallback(error::unknown_path)
        .with_state(state.clone());
    around::surround(router, state, guard)
}

/// The paths of the socket, for requests that ask for one. They stand at the root and below the
/// prefix: public clients have an address for the socket apart from that of the API.
pub fn socket_router(state: Arc<MixinState>, guard: Guard) -> Router {
    let mut router = Router::new().route("/", get(blaze::open)).route("/blaze", get(blaze::open));
    let prefix = state.settings.path_prefix.as_str();
    if !prefix.is_empty() {
        for path in ["", "/", "/blaze"] {
            router = router.route(&format!("{prefix}{path}"), get(blaze::open));
        }
    }
    let router = router.fallback(error::unknown_path).with_state(state.clone());
    around::surround(router, state, guard)
}
