//! Sending: to all devices of one phone (the second edition), or to the first device of each of
//! several (the first edition).

use std::sync::Arc;

use axum::Json as Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::TextSecureState;
use super::auth::Caller;
use super::envelope::Envelope;
use super::error;
use super::json::Json;
use super::outgoing::{Letterhead, MessageList, forwarded};
use super::paths::{Routes, route};
use super::relay::{self, Forwarded};
use crate::domain::error::Fault;
use crate::domain::phone::sending::{Content, Letter, Origin, Part, Posted};
use crate::domain::phone::{DeviceNumber, PhoneLimit, PhoneNumber};
use crate::domain::ports::RelayRequest;
use crate::http::path::PathPart;
use crate::http::problem::Problem;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    let routes = route(Routes::new(), "/v1/messages", post(send_to_several));
    route(routes, "/v1/messages/{destination}", put(send_to_one))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(send_to_one, send_to_several))]
    struct Paths;
    Paths::openapi()
}

/// `PUT /v1/messages/{destination}`: a message for each device of one phone, or nothing.
#[utoipa::path(
    put, path = "/v1/messages/{destination}", operation_id = "send_to_phone", tag = "TextSecure",
    summary = "Send to a phone",
    description = "Of the second edition: a message for each device of one phone, all or none. To the own number, the sending device is left out.",
    params(
        ("destination" = String, Path, description = "The number, with its `+`"),
    ),
    request_body = MessageList,
    responses(
        (status = 200, body = Sent, description = "The messages wait for their devices"),
        (status = 400, description = "A message to the own number names a relay"),
        (status = 404, description = "The phone cannot be reached, or the relay is unknown"),
        (status = 409, body = OtherDevices, description = "Not each device of the phone is addressed, or some that it does not have. Nothing was delivered"),
        (status = 410, body = StaleDevices, description = "Some devices have been installed anew, by their registration ids. Nothing was delivered"),
    ),
    security(("phone" = [])),
)]
async fn send_to_one(
    State(state): State<Arc<TextSecureState>>,
    PathPart(destination): PathPart,
    Json { caller, body: list, .. }: Json<MessageList>,
) -> Result<Response, Problem> {
    let envelopes = admit(&state, &caller, &list)?;
    let to = PhoneNumber::parse(&destination).ok_or(UNREACHABLE)?;
    let is_another = to != caller.phone.number;
    let needs_sync = is_another && caller.phone.active_devices().count() > 1;
    if let Some(relay) = relay::named(list.relay.as_deref()) {
        // Nobody is at two gateways.
        if !is_another {
            return Ok(StatusCode::BAD_REQUEST.into_response());
        }
        let list = forwarded(&list.messages, &envelopes);
        let (source, device) = (caller.phone.number.clone(), caller.device.number);
        let request = RelayRequest::Messages { source, device, to, list };
        let passed = relay::ask(&state, relay, request).await?;
        return Ok(match relay::is_done(&passed) {
            true => answer(&Posted::Stored, needs_sync),
            false => relay::pass(passed),
        });
    }
    let letter = Letter { to, content: Content::Each(parts(&list, &envelopes)) };
    let posted = state.switchboard.post(origin(&caller), &[letter]).await?;
    Ok(first_answer(&posted, needs_sync))
}

/// `POST /v1/messages/`: a message for the first device of each of several phones. What became of
/// each is told by its destination.
#[utoipa::path(
    post, path = "/v1/messages", operation_id = "send_to_phones", tag = "TextSecure",
    summary = "Send to several phones",
    description = "Of the first edition: a message for the first device of each phone, each by itself.",
    request_body = MessageList,
    responses(
        (status = 200, body = Outcomes<'_>, description = "What became of each destination"),
    ),
    security(("phone" = [])),
)]
async fn send_to_several(
    State(state): State<Arc<TextSecureState>>,
    Json { caller, body: list, .. }: Json<MessageList>,
) -> Result<Response, Problem> {
    let destinations = destinations(&list)?;
    let envelopes = admit(&state, &caller, &list)?;
    let numbers: Vec<_> = destinations.iter().map(|text| PhoneNumber::parse(text)).collect();
    let (mut letters, mut elsewhere) = (Vec::new(), Vec::new());
    for (index, (message, mut envelope)) in list.messages.iter().zip(envelopes).enumerate() {
        let Some(to) = numbers[index].clone() else { continue };
        let others = numbers.iter().flatten().filter(|other| **other != to);
        envelope.destinations = others.map(|other| other.as_str().to_owned()).collect();
        let envelope = envelope.to_bytes();
        match relay::named(message.relay.as_deref()) {
            Some(relay) => elsewhere.push(Forwarded { index, relay, to, envelope }),
            None => letters.push((index, Letter { to, content: Content::First(envelope) })),
        }
    }
    let (indices, letters): (Vec<_>, Vec<_>) = letters.into_iter().unzip();
    let here = state.switchboard.post(origin(&caller), &letters).await?;
    let mut posted = vec![Posted::Unreachable; destinations.len()];
    let elsewhere = relay::forward(&*state.switchboard.relays, elsewhere).await;
    indices.into_iter().zip(here).chain(elsewhere).for_each(|(index, one)| posted[index] = one);
    Ok(answer_for_several(&destinations, &posted))
}

/// What became of messages for several phones. When none arrived and one may later, so may all.
fn answer_for_several(destinations: &[&str], posted: &[Posted]) -> Response {
    let is_later = |one: &&Posted| matches!(one, Posted::Deferred { .. });
    if !posted.contains(&Posted::Stored)
        && let Some(later) = posted.iter().find(is_later)
    {
        return answer(later, false);
    }
    let pairs = || destinations.iter().zip(posted);
    let with = |wanted| {
        let some = pairs().filter(move |(_, one)| (**one == Posted::Stored) == wanted);
        some.map(|(destination, _)| *destination).collect::<Vec<_>>()
    };
    Body(Outcomes { success: with(true), failure: with(false) }).into_response()
}

/// What became of messages for one phone.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sent {
    /// Whether the sender's other devices want to hear of it.
    #[schema(example = false)]
    needs_sync: bool,
}

/// What became of messages for several phones.
#[derive(Serialize, ToSchema)]
#[schema(as = SentToSeveral)]
struct Outcomes<'a> {
    /// Destinations whose message waits for them.
    #[schema(example = json!(["+14152222222"]))]
    success: Vec<&'a str>,
    /// Destinations that cannot be reached, or not now.
    #[schema(example = json!([]))]
    failure: Vec<&'a str>,
}

/// How the devices that were addressed differ from those that a phone has.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OtherDevices {
    /// Those that were not addressed.
    #[schema(example = json!([2]))]
    missing_devices: Vec<u32>,
    /// Those that it does not have.
    #[schema(example = json!([]))]
    extra_devices: Vec<u32>,
}

/// Devices that have been installed anew.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StaleDevices {
    /// Which.
    #[schema(example = json!([1]))]
    stale_devices: Vec<u32>,
}

/// Whoever cannot be reached is as good as nobody.
pub(super) const UNREACHABLE: Fault = Fault::NotFound { what: "recipient" };

/// Reads the messages, and counts the request once they can be read.
fn admit(
    state: &TextSecureState,
    caller: &Caller,
    list: &MessageList,
) -> Result<Vec<Envelope>, Fault> {
    let number = caller.phone.number.as_str();
    let envelopes = envelopes(state, list, number, caller.device.number, None)?;
    state.switchboard.limits.take(PhoneLimit::Messages, number, 1)?;
    state.gate.messages(&caller.visitor, envelopes.len())?;
    Ok(envelopes)
}

/// Reads messages of the device `source`, `device`, that is at `relay`.
pub(super) fn envelopes(
    state: &TextSecureState,
    list: &MessageList,
    source: &str,
    device: DeviceNumber,
    relay: Option<&str>,
) -> Result<Vec<Envelope>, Fault> {
    let gateway = &state.switchboard.gateway;
    let limits = &gateway.limits;
    let (actual, limit) = (list.messages.len() as u64, limits.batch_items as u64);
    if actual > limit {
        return Err(Fault::TooLarge { what: "the number of messages", actual, limit });
    }
    let (now, most) = (gateway.clock.now(), limits.ciphertext_bytes);
    list.envelopes(&Letterhead { source, device, relay, now, most })
}

/// What each device gets.
pub(super) fn parts(list: &MessageList, envelopes: &[Envelope]) -> Vec<Part> {
    list.messages.iter().zip(envelopes).map(|(message, it)| message.part(it)).collect()
}

fn destinations(list: &MessageList) -> Result<Vec<&str>, Fault> {
    let missing = || Fault::invalid("destination", "is missing");
    list.messages.iter().map(|one| one.destination.as_deref().ok_or_else(missing)).collect()
}

/// The caller as the one who sends.
pub(super) fn origin(caller: &Caller) -> Origin {
    Origin { account: caller.phone.account, session: caller.device.session }
}

/// What became of the one letter that was posted.
pub(super) fn first_answer(posted: &[Posted], needs_sync: bool) -> Response {
    posted.first().map_or_else(|| error::answer(&UNREACHABLE), |one| answer(one, needs_sync))
}

/// What became of a letter to one phone, in this protocol's words.
pub(super) fn answer(posted: &Posted, needs_sync: bool) -> Response {
    let numbers = |devices: &[DeviceNumber]| devices.iter().map(|it| it.0).collect::<Vec<_>>();
    match posted {
        Posted::Stored => Body(Sent { needs_sync }).into_response(),
        Posted::Unreachable => error::answer(&UNREACHABLE),
        Posted::OtherDevices { missing, extra } => {
            let (missing_devices, extra_devices) = (numbers(missing), numbers(extra));
            let lists = OtherDevices { missing_devices, extra_devices };
            (StatusCode::CONFLICT, Body(lists)).into_response()
        }
        Posted::StaleDevices(stale) => {
            let list = StaleDevices { stale_devices: numbers(stale) };
            (StatusCode::GONE, Body(list)).into_response()
        }
        Posted::Deferred { after } => error::answer(&Fault::Deferred { retry_after: *after }),
    }
}
