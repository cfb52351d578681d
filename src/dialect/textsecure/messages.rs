//! Sending: to all devices of one phone (the second edition), or to the first device of each of
//! several (the first edition).

use std::sync::Arc;

use axum::Json as Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use serde_json::json;

use super::TextSecureState;
use super::auth::Caller;
use super::envelope::Envelope;
use super::error;
use super::json::Json;
use super::outgoing::{Letterhead, MessageList};
use super::paths::{Routes, route};
use super::relay;
use crate::domain::error::Fault;
use crate::domain::phone::sending::{Content, Letter, Origin, Part, Posted};
use crate::domain::phone::{DeviceNumber, PhoneLimit, PhoneNumber};
use crate::http::path::PathPart;
use crate::http::problem::Problem;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    let routes = route(Routes::new(), "/v1/messages", post(send_to_several));
    route(routes, "/v1/messages/{destination}", put(send_to_one))
}

/// `PUT /v1/messages/{destination}`: a message for each device of one phone, or nothing.
async fn send_to_one(
    State(state): State<Arc<TextSecureState>>,
    PathPart(destination): PathPart,
    Json { caller, body: list, .. }: Json<MessageList>,
) -> Result<Response, Problem> {
    let envelopes = admit(&state, &caller, &list)?;
    relay::require_none(list.relay.as_deref())?;
    let to = PhoneNumber::parse(&destination).ok_or(UNREACHABLE)?;
    let is_another = to != caller.phone.number;
    let parts = list.messages.iter().zip(envelopes).map(|(message, envelope)| Part {
        device: DeviceNumber(message.destination_device_id),
        registration: message.destination_registration_id,
        bytes: envelope.to_bytes(),
    });
    let content = Content::Each(parts.collect());
    let posted = state.switchboard.post(origin(&caller), &[Letter { to, content }]).await?;
    let needs_sync = is_another && caller.phone.active_devices().count() > 1;
    Ok(posted.first().map_or_else(|| error::answer(&UNREACHABLE), |one| answer(one, needs_sync)))
}

/// `POST /v1/messages/`: a message for the first device of each of several phones. What became of
/// each is told by its destination.
async fn send_to_several(
    State(state): State<Arc<TextSecureState>>,
    Json { caller, body: list, .. }: Json<MessageList>,
) -> Result<Response, Problem> {
    let destinations = destinations(&list)?;
    let envelopes = admit(&state, &caller, &list)?;
    let numbers: Vec<_> = destinations.iter().map(|text| PhoneNumber::parse(text)).collect();
    let mut reached = vec![false; destinations.len()];
    let mut letters = Vec::new();
    for (index, (message, mut envelope)) in list.messages.iter().zip(envelopes).enumerate() {
        let here = relay::require_none(message.relay.as_deref()).is_ok();
        let Some(to) = numbers[index].clone().filter(|_| here) else { continue };
        let others = numbers.iter().flatten().filter(|other| **other != to);
        envelope.destinations = others.map(|other| other.as_str().to_owned()).collect();
        letters.push((index, Letter { to, content: Content::First(envelope.to_bytes()) }));
    }
    let (indices, letters): (Vec<_>, Vec<_>) = letters.into_iter().unzip();
    let posted = state.switchboard.post(origin(&caller), &letters).await?;
    if !posted.contains(&Posted::Stored)
        && let Some(later) = posted.iter().find(|one| matches!(one, Posted::Deferred { .. }))
    {
        return Ok(answer(later, false));
    }
    indices.into_iter().zip(posted).for_each(|(index, one)| reached[index] = one == Posted::Stored);
    let with = |wanted| {
        let pairs =
            destinations.iter().zip(&reached).filter(move |(_, reached)| **reached == wanted);
        pairs.map(|(destination, _)| *destination).collect::<Vec<_>>()
    };
    Ok(Body(json!({ "success": with(true), "failure": with(false) })).into_response())
}

/// Whoever cannot be reached is as good as nobody.
const UNREACHABLE: Fault = Fault::NotFound { what: "recipient" };

/// Reads the messages, and counts the request once they can be read.
fn admit(
    state: &TextSecureState,
    caller: &Caller,
    list: &MessageList,
) -> Result<Vec<Envelope>, Fault> {
    let gateway = &state.switchboard.gateway;
    let limits = &gateway.limits;
    let (actual, limit) = (list.messages.len() as u64, limits.batch_items as u64);
    if actual > limit {
        return Err(Fault::TooLarge { what: "the number of messages", actual, limit });
    }
    let head = Letterhead { caller, now: gateway.clock.now(), most: limits.ciphertext_bytes };
    let envelopes = list.envelopes(&head)?;
    state.switchboard.limits.take(PhoneLimit::Messages, caller.phone.number.as_str(), 1)?;
    state.gate.messages(&caller.visitor, envelopes.len())?;
    Ok(envelopes)
}

fn destinations(list: &MessageList) -> Result<Vec<&str>, Fault> {
    let missing = || Fault::invalid("destination", "is missing");
    list.messages.iter().map(|one| one.destination.as_deref().ok_or_else(missing)).collect()
}

/// The caller as the one who sends.
pub(super) fn origin(caller: &Caller) -> Origin {
    Origin { account: caller.phone.account, session: caller.device.session }
}

/// What became of a letter to one phone, in this protocol's words.
pub(super) fn answer(posted: &Posted, needs_sync: bool) -> Response {
    let numbers = |devices: &[DeviceNumber]| devices.iter().map(|it| it.0).collect::<Vec<_>>();
    match posted {
        Posted::Stored => Body(json!({ "needsSync": needs_sync })).into_response(),
        Posted::Unreachable => error::answer(&UNREACHABLE),
        Posted::OtherDevices { missing, extra } => {
            let lists =
                json!({ "missingDevices": numbers(missing), "extraDevices": numbers(extra) });
            (StatusCode::CONFLICT, Body(lists)).into_response()
        }
        Posted::StaleDevices(stale) => {
            let list = json!({ "staleDevices": numbers(stale) });
            (StatusCode::GONE, Body(list)).into_response()
        }
        Posted::Deferred { after } => error::answer(&Fault::Deferred { retry_after: *after }),
    }
}
