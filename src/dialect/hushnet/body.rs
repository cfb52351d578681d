//! Bodies: JSON of which members that nobody knows are passed over. What cannot be read is refused
//! in the original's words, as plain text.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::HushNetState;
use super::auth::{Caller, Claim, IDENTITY_KEY};
use super::contract::{Contract, Style};
use super::error::Refusal;
use crate::domain::error::Fault;
use crate::domain::limits::Visitor;
use crate::domain::measures::Stage;
use crate::domain::messenger::DeviceOwner;
use crate::http::body;
use crate::http::course::Course;
use crate::http::gate::BodyRoom;

/// A signed request with a body. The signature is judged first, so that a bad one hides a bad body.
pub struct Signed {
    /// Who sent it.
    pub caller: Caller,
    /// What it sent.
    pub bytes: Bytes,
    /// Which contract it follows.
    pub contract: Contract,
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

    async fn from_request(request: Request, state: &Arc<HushNetState>) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let heard = Heard::of(&parts, state, body, true).await?;
        let caller = heard.caller.ok_or_else(|| heard.claim.unknown(state))?;
        let contract = note(&parts, &heard.bytes);
        Course::begin_work_of(&parts.extensions);
        Ok(Self { caller, bytes: heard.bytes, contract, _room: heard.room })
    }
}

/// A request with a body that is signed by a key, which need not be that of a device yet.
pub(super) struct SelfSigned {
    /// Whose device has the key, if one has it.
    pub(super) caller: Option<Caller>,
    /// The key as it was written.
    pub(super) key_text: String,
    /// Where the request comes from.
    pub(super) address: Option<IpAddr>,
    bytes: Bytes,
    claim: Claim,
    _room: BodyRoom,
}

impl SelfSigned {
    /// The body, as a type.
    ///
    /// # Errors
    /// As [`Signed::parse`].
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        parse(&self.bytes)
    }

    /// The refusal of a key that is nobody's.
    pub(super) fn unknown(&self, state: &HushNetState) -> Refusal {
        self.claim.unknown(state)
    }
}

impl FromRequest<Arc<HushNetState>> for SelfSigned {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &Arc<HushNetState>) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let Heard { caller, claim, bytes, room } = Heard::of(&parts, state, body, false).await?;
        let key = parts.headers.get(IDENTITY_KEY).and_then(|value| value.to_str().ok());
        let (key_text, address) = (key.unwrap_or_default().to_owned(), claim.address);
        Course::begin_work_of(&parts.extensions);
        Ok(Self { caller, key_text, address, bytes, claim, _room: room })
    }
}

/// A signed body that is read, with a signature that fits.
struct Heard {
    caller: Option<Caller>,
    claim: Claim,
    bytes: Bytes,
    room: BodyRoom,
}

impl Heard {
    async fn of(
        parts: &Parts,
        state: &HushNetState,
        body: Body,
        needs_device: bool,
    ) -> Result<Self, Refusal> {
        let mut body = Some(body);
        let heard = Self::judge(parts, state, &mut body, needs_device).await;
        // What is refused before its body is read may depend on that for the shape of its refusal.
        if let (Err(_), Some(body)) = (&heard, body) {
            look(parts, state, body).await;
        }
        heard
    }

    /// Takes the body when it is read.
    async fn judge(
        parts: &Parts,
        state: &HushNetState,
        body: &mut Option<Body>,
        needs_device: bool,
    ) -> Result<Self, Refusal> {
        let begun = Self::begin(parts, state, needs_device);
        let (claim, owner) = state.messenger.gateway.timed(Stage::Auth, begun).await?;
        let address = claim.address;
        let (caller, bytes, room);
        match owner {
            // Keys are public: the device pays for nothing before its signature was compared.
            Some(owner) if claim.is_strong() => {
                (bytes, room) = Self::compared(parts, state, &claim, body).await?;
                let (account, size) = (owner.member.account, bytes.len() as u64);
                let visitor = state.gate.proved(&parts.extensions, account, address, size)?;
                caller = Some(claim.settle(state, owner, visitor).await?);
            }
            Some(owner) => {
                let account = owner.member.account;
                let visitor = state.gate.request(&parts.extensions, account, address)?;
                caller = Some(claim.settle(state, owner, visitor).await?);
                require_json(&parts.headers)?;
                let limit = state.settings.body_limit;
                (bytes, room) = read(state, &visitor, taken(body), limit).await?;
            }
            None => {
                caller = None;
                (bytes, room) = Self::compared(parts, state, &claim, body).await?;
                claim.settle_unknown(state).await?;
            }
        }
        Ok(Self { caller, claim, bytes, room })
    }

    /// Reads a body at the expense of its address, and compares it with the signature.
    async fn compared(
        parts: &Parts,
        state: &HushNetState,
        claim: &Claim,
        body: &mut Option<Body>,
    ) -> Result<(Bytes, BodyRoom), Refusal> {
        state.gate.guest(claim.address)?;
        let unproven = state.gate.unproven(claim.address);
        require_json(&parts.headers)?;
        let visitor = Visitor { account: None, address: claim.address };
        let (bytes, room) = read(state, &visitor, taken(body), state.settings.body_limit).await?;
        note(parts, &bytes);
        unproven.is_judged();
        let fits = claim.compare(parts, &bytes);
        fits.map_err(|refusal| claim.counted(state, refusal))?;
        Ok((bytes, room))
    }

    /// What can be said before the body is read.
    async fn begin(
        parts: &Parts,
        state: &HushNetState,
        needs_device: bool,
    ) -> Result<(Claim, Option<DeviceOwner>), Refusal> {
        let claim = Claim::of(parts, state)?;
        let owner = claim.owner(state).await?;
        if needs_device && owner.is_none() {
            return Err(claim.unknown(state));
        }
        if !claim.is_strong() && owner.as_ref().is_some_and(|owner| owner.device.is_strong) {
            return Err(claim.too_weak(state));
        }
        Ok((claim, owner))
    }
}

fn taken(body: &mut Option<Body>) -> Body {
    body.take().unwrap_or_default()
}

/// A request that nobody has signed, with a body.
pub struct Unsigned {
    /// What was sent.
    pub bytes: Bytes,
    /// Where it came from.
    pub visitor: Visitor,
    _room: BodyRoom,
}

impl Unsigned {
    /// The body, as a type.
    ///
    /// # Errors
    /// As [`Signed::parse`].
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        parse(&self.bytes)
    }
}

impl FromRequest<Arc<HushNetState>> for Unsigned {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &Arc<HushNetState>) -> Result<Self, Refusal> {
        let (mut parts, body) = request.into_parts();
        let Stranger(visitor) = Stranger::from_request_parts(&mut parts, state).await?;
        state.messenger.allowances.newcomer(visitor.address)?;
        require_json(&parts.headers)?;
        let limit = state.settings.body_limit;
        let (bytes, room) = read(state, &visitor, body, limit).await?;
        Course::begin_work_of(&parts.extensions);
        Ok(Self { bytes, visitor, _room: room })
    }
}

/// Somebody who need not say who they are. What they may do without credentials is counted by their
/// address, but not among what goes wrong there: that would lock out all who share it.
pub struct Stranger(pub Visitor);

impl FromRequestParts<Arc<HushNetState>> for Stranger {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HushNetState>,
    ) -> Result<Self, Refusal> {
        let address = state.gate.address(&parts.extensions, &parts.headers);
        state.gate.may_knock(address)?;
        state.gate.guest(address)?;
        Ok(Self(Visitor { account: None, address }))
    }
}

/// Like [`Stranger`], for a request that may change something.
pub struct ActingStranger(pub Visitor);

impl FromRequestParts<Arc<HushNetState>> for ActingStranger {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HushNetState>,
    ) -> Result<Self, Refusal> {
        let Stranger(visitor) = Stranger::from_request_parts(parts, state).await?;
        Course::begin_work_of(&parts.extensions);
        Ok(Self(visitor))
    }
}

/// Reads a body within what its sender may send.
pub(super) async fn read(
    state: &HushNetState,
    visitor: &Visitor,
    body: Body,
    limit: u64,
) -> Result<(Bytes, BodyRoom), Refusal> {
    let gate = &state.gate;
    let announced = body.size_hint().lower();
    if announced <= limit {
        gate.bytes(visitor, announced)?;
    }
    let (bytes, room) = read_uncounted(state, visitor, body, limit).await?;
    gate.bytes(visitor, (bytes.len() as u64).saturating_sub(announced))?;
    Ok((bytes, room))
}

/// The same for bytes that count against nobody's limit: they have a visitor's share of what may be
/// on its way at one moment.
pub(super) async fn read_uncounted(
    state: &HushNetState,
    visitor: &Visitor,
    body: Body,
    limit: u64,
) -> Result<(Bytes, BodyRoom), Refusal> {
    // What does not say its size may have any.
    let announced = body.size_hint().exact().unwrap_or(limit).min(limit);
    let room = state.gate.body_room(visitor, announced)?;
    let bytes = body::read(body, limit).await.map_err(unreadable)?;
    Ok((bytes, room))
}

fn unreadable(fault: Fault) -> Refusal {
    match fault {
        Fault::TooLarge { .. } => Refusal::plain(
            fault,
            StatusCode::PAYLOAD_TOO_LARGE,
            "Failed to buffer the request body: length limit exceeded",
        ),
        other => other.into(),
    }
}

/// So much of a body is looked at whose sender is not known, to find out what shape its refusal
/// gets.
const LOOKED_AT: u64 = 64 * 1024;

async fn look(parts: &Parts, state: &HushNetState, body: Body) {
    let Some(style) = Style::among(&parts.extensions) else { return };
    let size = body.size_hint().exact().filter(|size| *size <= LOOKED_AT);
    let (Some(size), true) = (size, style.is_told_by_body(&parts.method)) else { return };
    let address = state.gate.address(&parts.extensions, &parts.headers);
    let visitor = Visitor { account: None, address };
    if state.gate.bytes(&visitor, size).is_err() {
        return;
    }
    let Ok(_room) = state.gate.body_room(&visitor, size) else { return };
    if let Ok(bytes) = body::read(body, LOOKED_AT).await {
        style.note_body(&parts.method, &bytes);
    }
}

fn note(parts: &Parts, bytes: &[u8]) -> Contract {
    let Some(style) = Style::among(&parts.extensions) else { return Contract::Server };
    style.note_body(&parts.method, bytes);
    style.contract()
}

/// Refuses a body that does not say that it is JSON.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_json = kind.to_ascii_lowercase();
    if is_json == "application/json"
        || (is_json.starts_with("application/") && is_json.ends_with("+json"))
    {
        return Ok(());
    }
    const TEXT: &str = "Expected request with `Content-Type: application/json`";
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Err(Refusal { always: Some(status), ..Refusal::plain(Fault::malformed(TEXT), status, TEXT) })
}

/// A body, as a type.
///
/// # Errors
/// As [`Signed::parse`].
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let no_json = |error: &serde_json::Error| {
        let text = format!("Failed to parse the request body as JSON: {error}");
        Refusal::plain(Fault::malformed(text.clone()), StatusCode::BAD_REQUEST, text)
    };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        if !error.inner().is_data() {
            return no_json(error.inner());
        }
        let path = error.path().to_string();
        let text = format!(
            "Failed to deserialize the JSON body into the target type: {path}: {}",
            error.inner()
        );
        let fault = Fault::invalid(path, error.inner().to_string());
        Refusal::plain(fault, StatusCode::UNPROCESSABLE_ENTITY, text)
    })?;
    reader.end().map_err(|error| no_json(&error))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Named {
        username: String,
    }

    fn refusal(text: &str) -> (u16, String) {
        let refusal = parse::<Named>(text.as_bytes()).unwrap_err();
        let text = refusal.text.clone().unwrap_or_default().into_owned();
        (refusal.answer(Contract::Server).status().as_u16(), text)
    }

    #[test]
    fn what_cannot_be_read_is_told_apart_and_named() {
        let good = parse::<Named>(br#"{"username":"alice","other":1}"#).unwrap();
        assert_eq!(good.username, "alice");
        let (status, text) = refusal("{");
        assert_eq!((status, text.contains("as JSON")), (400, true), "{text}");
        let (status, text) = refusal(r#"{"username":7}"#);
        assert_eq!((status, text.contains(": username: ")), (422, true), "{text}");
        let (status, text) = refusal("{}");
        assert_eq!((status, text.contains("`username`")), (422, true), "{text}");
        assert_eq!(refusal(r#"{"username":"a"} x"#).0, 400);
    }

    #[test]
    fn a_body_says_that_it_is_json() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            require_json(&headers).is_ok()
        };
        assert!(with("application/json; charset=utf-8") && with("Application/JSON"));
        assert!(!with("text/plain") && require_json(&HeaderMap::new()).is_err());
        let refusal = require_json(&HeaderMap::new()).unwrap_err();
        assert_eq!(refusal.answer(Contract::Document).status(), 415);
    }
}
