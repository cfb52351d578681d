//! Bodies: JSON of which members that nobody knows are passed over.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::HushNetState;
use super::auth::Caller;
use super::error::Refusal;
use crate::domain::error::Fault;
use crate::http::gate::BodyRoom;

/// A signed request with a body. The signature is judged first, so that a bad one hides a bad body.
pub struct Signed {
    /// Who sent it.
    pub caller: Caller,
    /// What it sent.
    pub bytes: Bytes,
    _room: BodyRoom,
}

impl Signed {
    /// The body, as a type.
    ///
    /// # Errors
    /// 400 when it is no JSON, 422 when a member does not fit, both as the original words them.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        parse(&self.bytes)
    }
}

impl FromRequest<Arc<HushNetState>> for Signed {
    type Rejection = Refusal;

    async fn from_request(_: Request, _: &Arc<HushNetState>) -> Result<Self, Refusal> {
        let fault = Fault::unauthorized("no live device signs with this key");
        Err(Refusal::plain(fault, StatusCode::UNAUTHORIZED, "Unknown device"))
    }
}

/// A request that nobody has signed, with a body.
pub struct Unsigned {
    /// What was sent.
    pub bytes: Bytes,
    _room: BodyRoom,
}

impl FromRequest<Arc<HushNetState>> for Unsigned {
    type Rejection = Refusal;

    async fn from_request(_: Request, _: &Arc<HushNetState>) -> Result<Self, Refusal> {
        Err(Fault::malformed("the body is not JSON").into())
    }
}

/// A body, as a type.
///
/// # Errors
/// As [`Signed::parse`].
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|_| Fault::malformed("the body is not JSON").into())
}
