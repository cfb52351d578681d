//! Who is calling: a device that signs the time, or all of the request.
//!
//! The first form has three headers, of which the signature covers the bytes of `X-Timestamp` and
//! nothing else, and may be sent again for a minute, on any path. So a signature that was found
//! right is remembered for that long.

mod verdicts;
mod weak;

use std::net::IpAddr;
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
use crate::domain::messenger::{DeviceOwner, Member, MemberDevice};
use crate::http::course::Course;
use crate::sdk::keys::VerifyingKey;

pub use verdicts::Verified;
pub use weak::Weak;

/// The header with the device's identity key.
pub const IDENTITY_KEY: &str = "x-identity-key";
/// The header with the time.
pub const TIMESTAMP: &str = "x-timestamp";
/// The header with the signature.
pub const SIGNATURE: &str = "x-signature";

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
        parts: &mut Parts,
        state: &Arc<HushNetState>,
    ) -> Result<Self, Refusal> {
        let address = state.gate.address(&parts.extensions, &parts.headers);
        state.gate.may_knock(address)?;
        let key = Weak::of(&parts.headers).and_then(|weak| weak.verify(state));
        let key = key.map_err(|refusal| counted(state, refusal, address))?;
        known(state, parts, &key, address).await
    }
}

/// A known device whose request has no body and may change something.
pub struct Acting(pub Caller);

impl FromRequestParts<Arc<HushNetState>> for Acting {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HushNetState>,
    ) -> Result<Self, Refusal> {
        let caller = Caller::from_request_parts(parts, state).await?;
        Course::begin_work_of(&parts.extensions);
        Ok(Self(caller))
    }
}

/// The device that has proved to have a key, once its request was counted.
pub(super) async fn known(
    state: &HushNetState,
    parts: &Parts,
    key: &VerifyingKey,
    address: Option<IpAddr>,
) -> Result<Caller, Refusal> {
    let found = state.messenger.gateway.store.member_device(key).await?;
    // Devices of other gateways ask those.
    let found = found.filter(|owner| owner.member.relay.is_none());
    let DeviceOwner { member, device } =
        found.ok_or_else(|| counted(state, unknown_device(), address))?;
    let visitor = state.gate.request(&parts.extensions, member.account, address)?;
    state.messenger.allowances.request(device.session)?;
    // Who signs all of a request signs handshakes as well.
    if !device.is_strong {
        let now = state.messenger.gateway.clock.now();
        state.verified.was_here(member.account, device.session, address, now);
    }
    Ok(Caller { member, device, visitor })
}

/// A refusal of somebody's credentials, or that there were too many from this address.
pub(super) fn counted(state: &HushNetState, refusal: Refusal, address: Option<IpAddr>) -> Refusal {
    let counted = state.gate.stranger(address);
    let counted = counted.and_then(|()| match weak::is_worth_counting(&refusal) {
        true => state.messenger.allowances.authentication(address),
        false => Ok(()),
    });
    match counted {
        Ok(()) => refusal,
        Err(fault) => fault.into(),
    }
}

fn unknown_device() -> Refusal {
    refused(StatusCode::UNAUTHORIZED, "Unknown device")
}

/// A refusal of credentials as the original words it.
fn refused(status: StatusCode, text: &'static str) -> Refusal {
    let fault = match status {
        StatusCode::UNAUTHORIZED => Fault::unauthorized(text),
        _ => Fault::malformed(text),
    };
    Refusal::plain(fault, status, text)
}
