//! What a client may ask on a socket, and what it is answered.

use std::borrow::Cow;

use bytes::Bytes;
use sealpost_sdk::types::blaze::{
    ACKNOWLEDGE_MESSAGE_RECEIPT, ACKNOWLEDGE_MESSAGE_RECEIPTS, CREATE_MESSAGE, CREATE_MESSAGES,
    ERROR, LIST_PENDING_MESSAGES,
};
use sealpost_sdk::types::{AcknowledgeMessages, Acknowledgement, ApiError, BlazeFrame, ErrorExtra};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::beginning::Beginning;
use super::session::Room;
use super::{codec, frames, sending};
use crate::dialect::mixin::MixinState;
use crate::dialect::mixin::blaze::Guest;
use crate::dialect::mixin::error::api_error;
use crate::dialect::mixin::messages::Decided;
use crate::dialect::mixin::request::{self, at_most};
use crate::domain::error::Fault;
use crate::domain::ids::MessageId;
use crate::domain::session::Scope;
use crate::http::fault_log;
use crate::http::request_id::RequestId;
use crate::http::switch::Effect;

/// How many messages one request may acknowledge.
const ACKNOWLEDGEMENTS: usize = 100;

/// The longest id and the longest action that are repeated in an answer.
const LONGEST_WORD: usize = 128;

/// A frame that is too much is unpacked as far as this, to answer under its id.
const REFUSED_SIZE: u64 = 64 * 1024;

/// What came of a frame.
#[derive(Debug, Default)]
pub struct Reply {
    /// The answer.
    pub frame: Vec<u8>,
    /// What the client has taken care of.
    pub acknowledged: Vec<MessageId>,
    /// Whether messages are to be delivered from now on.
    pub deliver: bool,
    /// Whether the client's session or its credential has ended; nothing was done.
    pub dismissed: bool,
}

/// A request as it stands in the frame.
#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

/// What a request led to, before it is written down.
struct Outcome {
    data: Option<Box<RawValue>>,
    acknowledged: Vec<MessageId>,
    deliver: bool,
}

impl Outcome {
    const DONE: Self = Self { data: None, acknowledged: Vec::new(), deliver: false };

    fn data<T: Serialize>(data: &T) -> Result<Self, ApiError> {
        let data = serde_json::value::to_raw_value(data);
        let data = data.map_err(|error| api_error(&Fault::internal("writing an answer", error)))?;
        Ok(Self { data: Some(data), ..Self::DONE })
    }
}

/// Does what a frame asks for. Whatever is wrong with it is told in the answer. `room` is what was
/// set aside to read it, and what its account has paid for by then.
///
/// # Errors
/// [`Fault::Internal`] when an answer cannot be written.
pub async fn handle(
    state: &MixinState,
    guest: &Guest,
    frame: Bytes,
    room: Option<Room>,
) -> Result<Reply, Fault> {
    // Counted before any work is done for it: whoever sends too much cannot make us unpack it.
    let counted = state.gate.frame(&guest.visitor);
    let limit = match counted {
        Ok(()) => state.settings.body_limit,
        Err(_) => state.settings.body_limit.min(REFUSED_SIZE),
    };
    let json = match codec::decompress(&frame, limit) {
        Ok(json) => json,
        Err(fault) => return unreadable(state, &counted.err().unwrap_or(fault)),
    };
    let (size, paid) = (json.len() as u64, room.as_ref().map_or(0, |room| room.paid));
    // The text takes its place. Nothing is waited for before there is room for that.
    drop((frame, room));
    let unpaid = size.saturating_sub(paid);
    let counted = counted.and_then(|()| state.gate.bytes(&guest.visitor, unpaid));
    let room = counted.and_then(|()| state.gate.body_room(&guest.visitor, size));
    let request: Request<'_> = match read(&json) {
        Ok(request) => request,
        Err(fault) => return unreadable(state, &room.err().unwrap_or(fault)),
    };
    let room = match room {
        Ok(room) => room,
        Err(fault) => {
            let (id, action) = (request.id.into_owned(), request.action.into_owned());
            drop(json);
            return match is_dismissed(state, guest).await {
                true => Ok(Reply { dismissed: true, ..Reply::default() }),
                false => reply(id, action, Err(api_error(&fault))),
            };
        }
    };
    if is_dismissed(state, guest).await {
        return Ok(Reply { dismissed: true, ..Reply::default() });
    }
    let outcome = act(state, guest, &request).await;
    let reply = reply(request.id.into_owned(), request.action.into_owned(), outcome);
    drop(room);
    reply
}

/// Says why a message was not read: under its id if that stands in the part that was.
///
/// # Errors
/// As [`handle`].
pub async fn refuse(
    state: &MixinState,
    guest: &Guest,
    part: &[u8],
    fault: Fault,
) -> Result<Reply, Fault> {
    let fault = state.gate.frame(&guest.visitor).err().unwrap_or(fault);
    let Beginning { id, action } = Beginning::of(&codec::beginning(part, REFUSED_SIZE));
    if is_dismissed(state, guest).await {
        return Ok(Reply { dismissed: true, ..Reply::default() });
    }
    let action = action.unwrap_or_else(|| ERROR.to_owned());
    match id.filter(|id| id.len().max(action.len()) <= LONGEST_WORD) {
        Some(id) => reply(id, action, Err(api_error(&fault))),
        None => unreadable(state, &fault),
    }
}

/// As with any other request, the credential has to be good at the moment.
async fn is_dismissed(state: &MixinState, guest: &Guest) -> bool {
    matches!(state.gateway.may_read_on(&guest.caller.reader()).await, Ok(false))
}

fn reply(id: String, action: String, outcome: Result<Outcome, ApiError>) -> Result<Reply, Fault> {
    let (outcome, error) = match outcome {
        Ok(outcome) => (outcome, None),
        Err(error) => (Outcome::DONE, Some(error)),
    };
    let answer = BlazeFrame { id, action, data: outcome.data, error };
    Ok(Reply {
        frame: codec::encode(&answer)?,
        acknowledged: outcome.acknowledged,
        deliver: outcome.deliver,
        dismissed: false,
    })
}

/// The answer to a text frame, which counts as a request all the same.
///
/// # Errors
/// As [`handle`].
pub fn text(state: &MixinState, guest: &Guest) -> Result<Reply, Fault> {
    let fault = Fault::malformed("frames are binary: the gzip of a JSON object");
    unreadable(state, &state.gate.frame(&guest.visitor).err().unwrap_or(fault))
}

/// The answer to a frame of which not even the id is known.
fn unreadable(state: &MixinState, fault: &Fault) -> Result<Reply, Fault> {
    let frame = frames::error(&state.gateway, api_error(fault))?;
    Ok(Reply { frame, ..Reply::default() })
}

fn read(json: &[u8]) -> Result<Request<'_>, Fault> {
    let request: Request<'_> = request::parse(json)?;
    for (field, word) in [("id", &request.id), ("action", &request.action)] {
        if word.len() > LONGEST_WORD {
            let reason = format!("has {} bytes, the limit is {LONGEST_WORD}", word.len());
            return Err(Fault::invalid(field, reason));
        }
    }
    Ok(request)
}

async fn act(
    state: &MixinState,
    guest: &Guest,
    request: &Request<'_>,
) -> Result<Outcome, ApiError> {
    let told = |fault: Fault| {
        // Sockets have no request ids; the client's own is the next best.
        fault_log::log(&fault, &RequestId(request.id.as_ref().into()));
        api_error(&fault)
    };
    match request.action.as_ref() {
        LIST_PENDING_MESSAGES => Ok(Outcome { deliver: true, ..Outcome::DONE }),
        ACKNOWLEDGE_MESSAGE_RECEIPT => {
            let one: Acknowledgement = params(request).map_err(told)?;
            acknowledge(state, guest, vec![one]).await.map_err(told)
        }
        ACKNOWLEDGE_MESSAGE_RECEIPTS => {
            let list: AcknowledgeMessages = params(request).map_err(told)?;
            acknowledge(state, guest, list.messages).await.map_err(told)
        }
        CREATE_MESSAGE => {
            may_send(state, guest).map_err(told)?;
            let item = raw_params(request).map_err(told)?;
            let message = sending::one(state, guest, item).await.map_err(told)?;
            Outcome::data(&message)
        }
        CREATE_MESSAGES => {
            may_send(state, guest).map_err(told)?;
            let receipts = create_messages(state, guest, request).await.map_err(told)?;
            Outcome::data(&receipts)
        }
        _ => Err(unknown_action()),
    }
}

fn may_send(state: &MixinState, guest: &Guest) -> Result<(), Fault> {
    state.switch.admit(Effect::Changes)?;
    guest.caller.require(Scope::Send)
}

/// What the gateway does not do is told so under the id and action of the request.
fn unknown_action() -> ApiError {
    let extra = ErrorExtra {
        field: "action".to_owned(),
        reason: "is none that this gateway knows".to_owned(),
        ..ErrorExtra::default()
    };
    ApiError {
        status: 400,
        code: 400,
        description: "The request has an unknown action.".to_owned(),
        extra: Some(extra),
    }
}

async fn acknowledge(
    state: &MixinState,
    guest: &Guest,
    list: Vec<Acknowledgement>,
) -> Result<Outcome, Fault> {
    at_most(ACKNOWLEDGEMENTS, list.len())?;
    state.gateway.acknowledge(&guest.caller.owner, &list).await?;
    let acknowledged = list.into_iter().map(|one| one.message_id).collect();
    Ok(Outcome { acknowledged, ..Outcome::DONE })
}

async fn create_messages(
    state: &MixinState,
    guest: &Guest,
    request: &Request<'_>,
) -> Result<Vec<Decided>, Fault> {
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(borrow)]
        messages: &'a RawValue,
    }
    let raw = raw_params(request)?;
    let list = match raw.get().starts_with('[') {
        true => raw,
        false => request::parse::<Params<'_>>(raw.get().as_bytes())?.messages,
    };
    sending::several(state, guest, list).await
}

fn raw_params<'a>(request: &Request<'a>) -> Result<&'a RawValue, Fault> {
    request.params.ok_or_else(|| Fault::invalid("params", "is missing"))
}

fn params<'a, T: Deserialize<'a>>(request: &Request<'a>) -> Result<T, Fault> {
    request::parse(raw_params(request)?.get().as_bytes())
}
