//! What somebody says who registers a number or links a device: the credentials are those that they
//! want from now on.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::TextSecureState;
use super::auth::{BASE64, Credentials};
use super::json::{number, parse, read_at_most, require_json};
use crate::domain::error::Fault;
use crate::domain::limits::Visitor;
use crate::domain::phone::PasswordHash;
use crate::domain::phone::device::SIGNALLING_KEY;
use crate::domain::phone::registration::Attributes;
use crate::http::course::Course;
use crate::http::gate::BodyRoom;
use crate::http::problem::Problem;

/// The largest body that somebody may send of whom nothing is known.
const BODY_LIMIT: u64 = 16 * 1024;

/// The longest name of a device, in characters.
const LONGEST_NAME: usize = 50;

/// A request to register a number or to link a device. The order of its checks is the protocol's:
/// the type of the content, the body, the credentials.
pub(super) struct Registering {
    /// Whose number, and the password that they have chosen.
    pub(super) credentials: Credentials,
    attributes: Attributes,
    _room: BodyRoom,
}

impl Registering {
    /// What the rules need to make the device.
    ///
    /// # Errors
    /// [`Fault::Internal`] when there is no memory for hashing the password.
    pub(super) async fn hashed(
        self,
        state: &TextSecureState,
    ) -> Result<(PasswordHash, Attributes), Fault> {
        let entropy = state.switchboard.gateway.entropy.clone();
        let password = state.verified.hash(entropy, self.credentials.password).await?;
        Ok((password, self.attributes))
    }
}

/// Why a request is not looked at further.
pub(super) enum Refusal {
    /// The name of the device is too long, which has a status of its own.
    Name,
    /// Anything else.
    Fault(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Name => StatusCode::UNPROCESSABLE_ENTITY.into_response(),
            Self::Fault(fault) => Problem::from(fault).into_response(),
        }
    }
}

impl FromRequest<Arc<TextSecureState>> for Registering {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &Arc<TextSecureState>) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        require_json(&parts.headers)?;
        let address = state.gate.address(&parts.extensions, &parts.headers);
        state.gate.may_knock(address)?;
        state.gate.stranger(address)?;
        let visitor = Visitor { account: None, address };
        let (bytes, room) = read_at_most(BODY_LIMIT, state, &visitor, body).await?;
        let body: Body = parse(&bytes)?;
        if !body.has_good_name() {
            return Err(Refusal::Name);
        }
        let attributes = body.attributes()?;
        let credentials = Credentials::of(&parts.headers)?;
        Course::begin_work_of(&parts.extensions);
        Ok(Self { credentials, attributes, _room: room })
    }
}

/// What a new device says of itself.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewDevice)]
pub(super) struct Body {
    /// 32 bytes for AES and 20 for the MAC, in base64: what the device gets is encrypted with them.
    /// One `l`, as the protocol spells it.
    #[schema(example = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==")]
    signaling_key: String,
    /// Whether it takes text messages of the protocol.
    #[serde(default)]
    supports_sms: bool,
    /// Whether it comes for its messages. One that does not, and that no push service reaches, cannot be written to.
    #[schema(example = true)]
    #[serde(default)]
    fetches_messages: bool,
    /// What tells this installation of the device from others.
    #[schema(example = 4711)]
    #[serde(default, deserialize_with = "number")]
    registration_id: u32,
    /// What its owner calls it, 50 characters at most.
    #[serde(default)]
    #[schema(example = "Laptop")]
    name: Option<String>,
}

impl Body {
    fn has_good_name(&self) -> bool {
        let is_good = |name: &String| {
            // Not every database keeps NUL characters.
            name.chars().count() <= LONGEST_NAME && !name.contains('\0')
        };
        self.name.as_ref().is_none_or(is_good)
    }

    fn attributes(self) -> Result<Attributes, Fault> {
        Ok(Attributes {
            signalling_key: signalling_key(&Zeroizing::new(self.signaling_key))?,
            supports_sms: self.supports_sms,
            registration: self.registration_id,
            fetches: self.fetches_messages,
            name: self.name.filter(|name| !name.is_empty()),
        })
    }
}

fn signalling_key(text: &str) -> Result<Zeroizing<[u8; SIGNALLING_KEY]>, Fault> {
    let bytes = BASE64.decode(text).map(Zeroizing::new);
    let key = bytes.ok().and_then(|bytes| bytes.as_slice().try_into().ok());
    let wrong = || Fault::invalid("signalingKey", "is not base64 of 52 bytes");
    key.map(Zeroizing::new).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

    use super::*;

    #[test]
    fn a_signalling_key_has_52_bytes() {
        for length in [0, 51, 53] {
            assert!(signalling_key(&STANDARD.encode(vec![7; length])).is_err(), "{length}");
        }
        assert_eq!(*signalling_key(&STANDARD.encode([7; 52])).unwrap(), [7; 52]);
        assert_eq!(*signalling_key(&STANDARD_NO_PAD.encode([7; 52])).unwrap(), [7; 52]);
        assert!(signalling_key("not base64!").is_err());
    }

    #[test]
    fn what_is_left_out_has_a_default_and_numbers_may_stand_in_quotes() {
        let body: Body = parse(br#"{"signalingKey":"x","registrationId":"222","a":[]}"#).unwrap();
        assert_eq!(
            (body.registration_id, body.fetches_messages, body.supports_sms),
            (222, false, false)
        );
        let body: Body = parse(br#"{"signalingKey":"x"}"#).unwrap();
        assert_eq!(body.registration_id, 0);
        assert!(parse::<Body>(br#"{"registrationId":222}"#).is_err());
    }
}
