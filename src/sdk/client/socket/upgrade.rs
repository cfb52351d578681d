//! Opening: an ordinary request that becomes a WebSocket (RFC 6455, section 4).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{
    CONNECTION, HeaderMap, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{Response, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::ids::Id;
use crate::types::blaze::SUB_PROTOCOL;

use super::super::answer::Reading;
use super::super::bot::Core;
use super::super::error::RequestError;
use super::error::SocketError;
use super::wire::Wire;

/// A gateway closes a socket when its token expires; nothing is gained by doing that often.
const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Opens a socket, with a token of its own.
///
/// A gateway that refuses the session is an error of its own, since no other try will help.
pub(super) async fn connect(core: &Core) -> Result<Wire, RequestError> {
    let opened = tokio::time::timeout(core.gateway.timeout, open(core)).await;
    match opened.unwrap_or(Err(SocketError::Silent.into())) {
        Err(RequestError::Api { error, .. }) if error.status == 401 => {
            Err(RequestError::SessionEnded { error })
        }
        // A connection that broke may count until the gateway has noticed.
        Err(RequestError::Api { error, .. }) if error.status == 413 => {
            Err(SocketError::TooMany.into())
        }
        opened => opened,
    }
}

async fn open(core: &Core) -> Result<Wire, RequestError> {
    let gateway = &core.gateway;
    let path = format!("{}/", gateway.prefix);
    let request_id: Id<()> = core.entropy.random_id();
    let request_id = request_id.to_string();
    let clock = &*core.clock;
    let token = gateway.credential.token(TOKEN_LIFETIME, "GET", &path, &[], &request_id, clock)?;
    let key = STANDARD.encode(core.entropy.random_id::<()>().as_bytes());
    let response = gateway
        .http
        .get(format!("{}{path}", gateway.origin))
        .version(Version::HTTP_11)
        .bearer_auth(&*token)
        .header("X-Request-Id", &request_id)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key)
        .header(SEC_WEBSOCKET_PROTOCOL, SUB_PROTOCOL)
        .send()
        .await
        .map_err(transport)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refusal(core, response, &request_id).await);
    }
    check(response.headers(), &key)?;
    let stream = response.upgrade().await.map_err(transport)?;
    Ok(Wire::new(stream, core.keep_alive).await)
}

fn transport(source: reqwest::Error) -> RequestError {
    RequestError::Transport { attempts: 1, source: source.without_url() }
}

/// Why there is no socket: the error of the answer, or that it is another answer altogether.
async fn refusal(core: &Core, response: Response, request_id: &str) -> RequestError {
    let status = response.status();
    let limit = core.gateway.answer_limit;
    let reading = Reading { attempt: 1, limit, request_id, now: core.clock.now() };
    match reading.read(response).await {
        Err(failure) => failure.error,
        Ok(_) => {
            let reason = format!("it answers {status}; a proxy may be in the way");
            SocketError::Refused { reason }.into()
        }
    }
}

/// Makes sure that the other side understood the question, and is no cache.
fn check(headers: &HeaderMap, key: &str) -> Result<(), SocketError> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let refuse = |reason: &str| Err(SocketError::Refused { reason: reason.to_owned() });
    if !text(UPGRADE).is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket")) {
        return refuse("it switches to something that is no WebSocket");
    }
    if text(SEC_WEBSOCKET_ACCEPT) != Some(derive_accept_key(key.as_bytes()).as_str()) {
        return refuse("its answer is for another request");
    }
    match text(SEC_WEBSOCKET_PROTOCOL) {
        None | Some(SUB_PROTOCOL) => Ok(()),
        Some(_) => refuse("it speaks another protocol over WebSockets"),
    }
}
