//! Which gateway is calling: it signs the head of each request, and the body too if it ever did.
//!
//! The order of checks and their texts are the original's. Behind a proxy a path may have lost or
//! got a prefix, so a signature may be over the path from `/s2s` on, over the whole path as it came,
//! or below the address that other gateways know.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::super::HushNetState;
use super::super::body::{parse, read_uncounted, require_json};
use super::super::contract::Style;
use super::super::error::Refusal;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::limits::Visitor;
use crate::domain::messenger::federation::{NodeError, NodeRequestHead};
use crate::domain::messenger::node::NodeId;
use crate::domain::ports::KnownNode;
use crate::http::course::Course;
use crate::http::gate::BodyRoom;

const NODE_ID: &str = "X-Node-ID";
const TIMESTAMP: &str = "X-Timestamp";
const NONCE: &str = "X-Nonce";
const SIGNATURE: &str = "X-Node-Signature";
/// Ours: over the head, the name of whom the request is for, and the body.
const BODY_SIGNATURE: &str = "X-Node-Body-Signature";

/// How far a request's time may be from ours, each way.
const WINDOW: Duration = Duration::from_secs(60);

/// For so long a number that was used is remembered, from the request's own time on.
const REMEMBERED: Duration = Duration::from_secs(2 * 60);

/// The longest number, in bytes of text.
const LONGEST_NONCE: usize = 64;

/// Another gateway that we know, with an empty request.
pub(super) struct Peer {
    /// Where it is.
    pub(super) address: Option<IpAddr>,
}

/// A request of another gateway with a JSON body.
pub(super) struct PeerBody {
    /// Which gateway.
    pub(super) peer: NodeId,
    bytes: Bytes,
    _room: BodyRoom,
}

impl PeerBody {
    /// The body, as a type.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        parse(&self.bytes)
    }
}

impl FromRequestParts<Arc<HushNetState>> for Peer {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HushNetState>,
    ) -> Result<Self, Refusal> {
        let claim = Claim::judge(parts, state).await?;
        claim.finish(parts, state, b"").await?;
        Course::begin_work_of(&parts.extensions);
        let address = state.gate.address(&parts.extensions, &parts.headers);
        Ok(Self { address })
    }
}

impl FromRequest<Arc<HushNetState>> for PeerBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &Arc<HushNetState>) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let claim = Claim::judge(&parts, state).await?;
        require_json(&parts.headers)?;
        let limit = state.settings.peer_body_limit;
        // Until the body has come nobody knows whether the head is one of the gateway's own.
        let address = state.gate.address(&parts.extensions, &parts.headers);
        let visitor = Visitor { account: None, address };
        let (bytes, room) = read_uncounted(state, &visitor, body, limit).await?;
        let peer = claim.finish(&parts, state, &bytes).await?;
        Course::begin_work_of(&parts.extensions);
        Ok(Self { peer, bytes, _room: room })
    }
}

/// A request whose head a gateway has signed.
struct Claim {
    node: KnownNode,
    /// Over which path.
    target: String,
    timestamp: String,
    nonce: String,
    seconds: i64,
}

impl Claim {
    async fn judge(parts: &Parts, state: &HushNetState) -> Result<Self, Refusal> {
        let address = state.gate.address(&parts.extensions, &parts.headers);
        state.gate.may_knock(address)?;
        let judged = Self::of(parts, state).await;
        judged.map_err(|refusal| counted(state, refusal, address))
    }

    async fn of(parts: &Parts, state: &HushNetState) -> Result<Self, Refusal> {
        let headers = &parts.headers;
        let (id, timestamp) = (find(headers, NODE_ID)?, find(headers, TIMESTAMP)?);
        let (nonce, signature) = (find(headers, NONCE)?, find(headers, SIGNATURE)?);
        let seconds: i64 = timestamp.parse().map_err(|_| bad("X-Timestamp must be an integer"))?;
        let now = state.messenger.gateway.clock.now().as_seconds();
        if seconds.abs_diff(now) > WINDOW.as_secs() {
            return Err(unauthorized("timestamp outside 60-second window"));
        }
        if nonce.len() > LONGEST_NONCE {
            return Err(bad("X-Nonce is too long"));
        }
        let node = resolve(state, id).await?;
        let signature = decode(signature)?;
        let signed = |target: &String| {
            let head = NodeRequestHead { method: parts.method.as_str(), target, timestamp, nonce };
            node.key.verify(head.text().as_bytes(), &signature).is_ok()
        };
        let target = targets(parts, state).into_iter().find(signed);
        let target = target.ok_or_else(|| unauthorized("invalid node signature"))?;
        let (timestamp, nonce) = (timestamp.to_owned(), nonce.to_owned());
        Ok(Self { node, target, timestamp, nonce, seconds })
    }

    /// Checks what is signed of the body, and that nobody has seen this request before.
    async fn finish(
        self,
        parts: &Parts,
        state: &HushNetState,
        body: &[u8],
    ) -> Result<NodeId, Refusal> {
        let address = state.gate.address(&parts.extensions, &parts.headers);
        let finished = self.finish_now(parts, state, body).await;
        finished.map_err(|refusal| counted(state, refusal, address))
    }

    async fn finish_now(
        self,
        parts: &Parts,
        state: &HushNetState,
        body: &[u8],
    ) -> Result<NodeId, Refusal> {
        let (store, id) = (&state.messenger.gateway.store, &self.node.id);
        let is_strong = match parts.headers.get(BODY_SIGNATURE) {
            Some(_) => self.check_body(&parts.method, &parts.headers, state, body)?,
            None if state.federation.has_to_sign_bodies(&self.node) => {
                return Err(missing(BODY_SIGNATURE));
            }
            None => false,
        };
        let used_at = Timestamp::from_micros(self.seconds * 1_000_000);
        let ends_at = used_at.plus(REMEMBERED);
        state.messenger.allowances.node(id)?;
        if !store.claim_nonce(id, self.nonce, ends_at).await? {
            return Err(unauthorized("replayed nonce"));
        }
        if is_strong && !self.node.is_strong {
            store.note_strong_node(id).await?;
        }
        Ok(self.node.id)
    }

    fn check_body(
        &self,
        method: &Method,
        headers: &HeaderMap,
        state: &HushNetState,
        body: &[u8],
    ) -> Result<bool, Refusal> {
        let signature = decode(find(headers, BODY_SIGNATURE)?)?;
        let Some(own) = &state.federation.settings.own else {
            return Err(unauthorized("invalid body signature"));
        };
        let Self { target, timestamp, nonce, .. } = self;
        let head = NodeRequestHead { method: method.as_str(), target, timestamp, nonce };
        let text = head.strong_text(&own.id, body);
        let good = self.node.key.verify(text.as_bytes(), &signature);
        good.map_err(|_| unauthorized("invalid body signature"))?;
        Ok(true)
    }
}

async fn resolve(state: &HushNetState, id: &str) -> Result<KnownNode, Refusal> {
    const UNKNOWN: &str = "peer node not found in registry";
    let id = NodeId::parse(id).ok_or_else(|| unauthorized(UNKNOWN))?;
    state.federation.resolve(&id).await.map_err(|error| match error {
        NodeError::Fault(fault) => fault.into(),
        NodeError::NotFound => unauthorized(UNKNOWN),
        NodeError::Blocked => {
            let fault = Fault::forbidden("the operator has blocked this gateway");
            Refusal::plain(fault, StatusCode::FORBIDDEN, "node is blocked")
        }
        NodeError::RegistryUnreachable | NodeError::Unreachable => {
            let fault = Fault::unavailable("the registry of gateways", None);
            Refusal::plain(fault, StatusCode::SERVICE_UNAVAILABLE, "registry unreachable")
        }
        NodeError::Malformed | NodeError::Refused { .. } | NodeError::TooLate => {
            let text = "malformed registry response";
            Refusal::plain(Fault::unavailable(text, None), StatusCode::BAD_GATEWAY, text)
        }
    })
}

/// The paths that a signature may be over.
fn targets(parts: &Parts, state: &HushNetState) -> Vec<String> {
    let whole = match Style::among(&parts.extensions) {
        Some(style) => style.target.as_str(),
        None => parts.uri.path_and_query().map_or("/", |target| target.as_str()),
    };
    let short = whole.find("/s2s/").map_or(whole, |start| &whole[start..]);
    let mut targets = vec![short.to_owned(), whole.to_owned()];
    if let Some(own) = &state.federation.settings.own {
        let behind = own.api_url.split_once("://").map_or("", |(_, host)| host);
        let prefix = behind.find('/').map_or("", |start| &behind[start..]);
        targets.push(format!("{prefix}{short}"));
    }
    targets.dedup();
    targets
}

/// A refusal of a gateway's credentials, or that there were too many from this address.
fn counted(state: &HushNetState, refusal: Refusal, address: Option<IpAddr>) -> Refusal {
    let is_wrong = refusal.text.as_deref().is_some_and(|text| WRONG.contains(&text));
    let counted = state.gate.stranger(address).and_then(|()| match is_wrong {
        true => state.messenger.allowances.authentication(address),
        false => Ok(()),
    });
    counted.map_or_else(Into::into, |()| refusal)
}

/// What is said of a signature that somebody tries.
const WRONG: [&str; 2] = ["invalid node signature", "invalid body signature"];

fn find<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Refusal> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.ok_or_else(|| missing(name))
}

fn missing(name: &'static str) -> Refusal {
    let text = format!("missing header: {name}");
    Refusal::plain(Fault::unauthorized(text.clone()), StatusCode::UNAUTHORIZED, text)
}

fn decode(text: &str) -> Result<[u8; 64], Refusal> {
    let bytes = STANDARD.decode(text).map_err(|_| bad("bad signature base64"))?;
    bytes.try_into().map_err(|_| bad("signature must be 64 bytes"))
}

fn unauthorized(text: &'static str) -> Refusal {
    Refusal::plain(Fault::unauthorized(text), StatusCode::UNAUTHORIZED, text)
}

fn bad(text: &'static str) -> Refusal {
    Refusal::plain(Fault::malformed(text), StatusCode::BAD_REQUEST, text)
}
