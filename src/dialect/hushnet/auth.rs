//! Who is calling: a device that signs the time, or all of the request.
//!
//! The first form has three headers, of which the signature covers the bytes of `X-Timestamp` and
//! nothing else, and may be sent again for a minute, on any path (`weak`). The second one is bound
//! to its request and good once (`strong`); a device that has used it is held to it.

mod nonces;
pub(super) mod strong;
mod verdicts;
pub(super) mod weak;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};

use self::strong::Strong;
use super::HushNetState;
use super::error::Refusal;
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, SessionId, UserId};
use crate::domain::inbox::InboxKey;
use crate::domain::limits::Visitor;
use crate::domain::measures::Stage;
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
/// The header with what makes a strong signature good once.
pub const NONCE: &str = "x-nonce";
/// The header that tells the two forms apart.
pub const VERSION: &str = "x-signature-version";

const TOO_WEAK: &str = "Strong signature required";

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

    /// Refuses a request whose signature is of the time alone: that fits any other request, too.
    ///
    /// # Errors
    /// [`Fault::Forbidden`].
    pub fn require_strong(&self) -> Result<(), Refusal> {
        // Once it is held to it, nothing else was let in.
        if self.device.is_strong {
            return Ok(());
        }
        let fault = Fault::forbidden("this has to be signed with `X-Signature-Version: 2`");
        Err(Refusal::plain(fault, StatusCode::FORBIDDEN, TOO_WEAK))
    }

    /// Where its messages wait.
    #[must_use]
    pub fn inbox(&self) -> InboxKey {
        self.member.inbox(&self.device)
    }
}

impl FromRequestParts<Arc<HushNetState>> for Caller {
    type Rejection = Refusal;

    /// For requests without a body; `body::Signed` is for those that have one, because a
    /// strong signature covers it.
    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HushNetState>,
    ) -> Result<Self, Refusal> {
        let known = Self::known(parts, state);
        state.messenger.gateway.timed(Stage::Auth, known).await
    }
}

impl Caller {
    async fn known(parts: &Parts, state: &HushNetState) -> Result<Self, Refusal> {
        let claim = Claim::of(parts, state)?;
        claim.compare(parts, b"").map_err(|refusal| claim.counted(state, refusal))?;
        let owner = claim.owner(state).await?.ok_or_else(|| claim.unknown(state))?;
        let visitor = state.gate.request(&parts.extensions, owner.member.account, claim.address)?;
        claim.settle(state, owner, visitor).await
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

/// A known device, or a stranger who shows no key at all.
pub struct Asking(pub Option<Caller>);

impl FromRequestParts<Arc<HushNetState>> for Asking {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HushNetState>,
    ) -> Result<Self, Refusal> {
        if parts.headers.contains_key(IDENTITY_KEY) {
            return Ok(Self(Some(Caller::from_request_parts(parts, state).await?)));
        }
        super::body::Stranger::from_request_parts(parts, state).await?;
        Ok(Self(None))
    }
}

/// Credentials that somebody shows: a weak signature was found right, a strong one is looked at once
/// the body is there.
pub(super) struct Claim {
    pub(super) key: VerifyingKey,
    /// Where they come from.
    pub(super) address: Option<IpAddr>,
    strong: Option<Strong>,
}

impl Claim {
    /// The credentials of a request.
    pub(super) fn of(parts: &Parts, state: &HushNetState) -> Result<Self, Refusal> {
        let address = state.gate.address(&parts.extensions, &parts.headers);
        state.gate.may_knock(address)?;
        let read = match parts.headers.get(VERSION).map(HeaderValue::as_bytes) {
            None | Some(b"1") => {
                let key = Weak::of(&parts.headers).and_then(|weak| weak.verify(state));
                key.map(|key| Self { key, address, strong: None })
            }
            Some(b"2") => {
                let strong = Strong::of(parts, state);
                strong.map(|strong| Self { key: strong.key, address, strong: Some(strong) })
            }
            Some(_) => Err(refused(StatusCode::BAD_REQUEST, "Unknown signature version")),
        };
        read.map_err(|refusal| counted(state, refusal, address))
    }

    pub(super) fn is_strong(&self) -> bool {
        self.strong.is_some()
    }

    /// Compares a strong signature with the request and its body.
    pub(super) fn compare(&self, parts: &Parts, body: &[u8]) -> Result<(), Refusal> {
        self.strong.as_ref().map_or(Ok(()), |strong| strong.compare(parts, body))
    }

    /// The device of this gateway that has the key.
    pub(super) async fn owner(&self, state: &HushNetState) -> Result<Option<DeviceOwner>, Refusal> {
        Ok(state.known_device(&self.key).await?)
    }

    /// Lets a device in whose signature was found right: notes that a strong one was used, counts
    /// the request, and holds the device to what it has shown.
    pub(super) async fn settle(
        &self,
        state: &HushNetState,
        owner: DeviceOwner,
        visitor: Visitor,
    ) -> Result<Caller, Refusal> {
        let DeviceOwner { member, mut device } = owner;
        match &self.strong {
            None if device.is_strong => return Err(self.too_weak(state)),
            None => {}
            Some(strong) => {
                let used = strong.use_up(state).await;
                used.map_err(|refusal| self.counted(state, refusal))?;
                if !device.is_strong {
                    state.messenger.hold_to_strength(&device).await?;
                    device.is_strong = true;
                }
            }
        }
        state.messenger.allowances.request(device.session)?;
        state.heard(member.account, &device, self.address);
        Ok(Caller { member, device, visitor })
    }

    /// Uses up a strong signature of somebody who is no device yet.
    pub(super) async fn settle_unknown(&self, state: &HushNetState) -> Result<(), Refusal> {
        let Some(strong) = &self.strong else { return Ok(()) };
        let used = strong.use_up(state).await;
        used.map_err(|refusal| self.counted(state, refusal))
    }

    /// The refusal of a key that is nobody's.
    pub(super) fn unknown(&self, state: &HushNetState) -> Refusal {
        self.counted(state, refused(StatusCode::UNAUTHORIZED, "Unknown device"))
    }

    /// The refusal of a weak signature of a device that is held to strong ones.
    pub(super) fn too_weak(&self, state: &HushNetState) -> Refusal {
        self.counted(state, refused(StatusCode::UNAUTHORIZED, TOO_WEAK))
    }

    /// A refusal of these credentials, or that there were too many from this address.
    pub(super) fn counted(&self, state: &HushNetState, refusal: Refusal) -> Refusal {
        counted(state, refusal, self.address)
    }
}

impl HushNetState {
    /// The device of this gateway that has a key.
    pub(super) async fn known_device(
        &self,
        key: &VerifyingKey,
    ) -> Result<Option<DeviceOwner>, Fault> {
        let found = self.messenger.gateway.store.member_device(key).await?;
        // Devices of other gateways ask those.
        Ok(found.filter(|owner| owner.member.relay.is_none()))
    }

    /// A member of this gateway.
    pub(super) async fn local_member(&self, user: UserId) -> Result<Option<Arc<Member>>, Fault> {
        let found = self.messenger.gateway.store.member(user).await?;
        Ok(found.filter(|member| member.relay.is_none()))
    }

    /// Notes that a device of an account has just proved who it is.
    pub(super) fn heard(
        &self,
        account: AccountNumber,
        device: &MemberDevice,
        address: Option<IpAddr>,
    ) {
        // Who signs all of a request signs handshakes as well.
        if !device.is_strong {
            let now = self.messenger.gateway.clock.now();
            self.verified.was_here(account, device.session, address, now);
        }
    }
}

fn counted(state: &HushNetState, refusal: Refusal, address: Option<IpAddr>) -> Refusal {
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

/// A refusal of credentials as the original words it.
fn refused(status: StatusCode, text: &'static str) -> Refusal {
    let fault = match status {
        StatusCode::UNAUTHORIZED => Fault::unauthorized(text),
        _ => Fault::malformed(text),
    };
    Refusal::plain(fault, status, text)
}
