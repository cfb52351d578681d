//! Which gateway is calling: Basic credentials of its name and the token that both share.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::super::TextSecureState;
use super::super::auth::{basic, halves};
use super::super::json::{parse, read, require_json};
use crate::domain::error::Fault;
use crate::domain::limits::Visitor;
use crate::http::course::Course;
use crate::http::gate::BodyRoom;
use crate::http::problem::Problem;

/// Gateways that may call, each with the hash of its token: comparing hashes tells nothing of where
/// or by how much a guess is wrong.
#[derive(Default)]
pub struct Peers(HashMap<Arc<str>, [u8; 32]>);

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Peers {
    /// Gateways of these names with these tokens.
    pub fn new<'a>(peers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let hashed = |(name, token): (&str, &str)| (name.into(), Sha256::digest(token).into());
        Self(peers.into_iter().map(hashed).collect())
    }

    fn check(&self, name: &str, token: &[u8]) -> Option<Arc<str>> {
        let given: [u8; 32] = Sha256::digest(token).into();
        let (name, kept) = self.0.get_key_value(name)?;
        bool::from(given.ct_eq(kept)).then(|| name.clone())
    }
}

/// Another gateway that we know.
pub(super) struct Peer(pub(super) Arc<str>);

impl FromRequestParts<Arc<TextSecureState>> for Peer {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<TextSecureState>,
    ) -> Result<Self, Problem> {
        let address = state.gate.address(&parts.extensions, &parts.headers);
        state.gate.may_knock(address)?;
        let credentials = basic(&parts.headers);
        let halves = credentials.as_deref().and_then(|decoded| halves(decoded));
        let known = halves.and_then(|(name, token)| state.peers.check(name, token));
        let known = known.ok_or_else(|| Fault::unauthorized("the name or the token is wrong"));
        Ok(Self(state.gate.judged(known, address)?))
    }
}

/// A request of another gateway with a JSON body.
pub(super) struct PeerJson<T> {
    /// Which gateway.
    pub(super) peer: Peer,
    /// What it says.
    pub(super) body: T,
    _room: BodyRoom,
}

impl<T: DeserializeOwned> FromRequest<Arc<TextSecureState>> for PeerJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<TextSecureState>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        require_json(&parts.headers)?;
        let peer = Peer::from_request_parts(&mut parts, state).await?;
        // It brings what many send, so no limit of a single account or address fits it.
        let (bytes, room) = read(state, &Visitor::default(), body).await?;
        let body = parse(&bytes)?;
        Course::begin_work_of(&parts.extensions);
        Ok(Self { peer, body, _room: room })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_known_by_its_name_and_its_token() {
        let peers = Peers::new([("one", "token of one"), ("two", "token of two")]);
        assert_eq!(peers.check("one", b"token of one").as_deref(), Some("one"));
        for (name, token) in [("one", "token of two"), ("three", "token of one"), ("one", "")] {
            assert_eq!(peers.check(name, token.as_bytes()), None, "{name}");
        }
        assert_eq!(format!("{:?}", Peers::new([("one", "hunter2")])), "[\"one\"]");
    }
}
