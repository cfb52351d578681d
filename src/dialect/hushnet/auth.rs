//! Who is calling: a device that signs the time, or all of the request.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::HushNetState;
use super::error::Refusal;
use crate::domain::error::Fault;
use crate::domain::ids::SessionId;
use crate::domain::inbox::InboxKey;
use crate::domain::limits::Visitor;
use crate::domain::messenger::{Member, MemberDevice};

/// Somebody we know, at one of their devices.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The member.
    pub member: Arc<Member>,
    /// The device.
    pub device: MemberDevice,
    /// Whose limits what it does counts against.
    pub visitor: Visitor,
}

impl Caller {
    /// The device's public id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.device.id
    }

    /// Where its messages wait.
    #[must_use]
    pub fn inbox(&self) -> InboxKey {
        self.member.inbox(&self.device)
    }
}

impl FromRequestParts<Arc<HushNetState>> for Caller {
    type Rejection = Refusal;

    /// For requests without a body; [`super::body::Signed`] is for those that have one, because a
    /// strong signature covers it.
    async fn from_request_parts(
        _parts: &mut Parts,
        _state: &Arc<HushNetState>,
    ) -> Result<Self, Refusal> {
        let fault = Fault::unauthorized("no live device signs with this key");
        Err(Refusal::plain(fault, StatusCode::UNAUTHORIZED, "Unknown device"))
    }
}

/// Signatures that were found right a moment ago, nonces that were used, and the key of enrolment
/// tokens.
#[derive(Debug, Default)]
pub struct Verified;
