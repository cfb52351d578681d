//! Relays: other gateways that a phone may be at. A request names them in its query or its body, and
//! what they answer goes back as it came.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::TextSecureState;
use crate::domain::error::Fault;
use crate::domain::phone::PhoneNumber;
use crate::domain::phone::sending::Posted;
use crate::domain::ports::{RelayAnswer, RelayError, RelayRequest, Relays};
use crate::http::ratelimit;

/// When to ask again for what is at a gateway that cannot be reached.
const RETRY: Duration = Duration::from_secs(10);

/// There is no such gateway.
pub(super) const NO_RELAY: Fault = Fault::NotFound { what: "relay" };

/// A message for the first device of a phone that is elsewhere.
pub(super) struct Forwarded<'a> {
    /// Its place in the request.
    pub(super) index: usize,
    /// Where the phone is.
    pub(super) relay: &'a str,
    /// The phone.
    pub(super) to: PhoneNumber,
    /// What it gets.
    pub(super) envelope: Bytes,
}

/// The relay that a query names; a name without letters is none.
pub(super) fn in_query(query: Option<&str>) -> Option<&str> {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    named(pairs.filter(|(name, _)| *name == "relay").map(|(_, relay)| relay).next())
}

/// The relay that a body names; a name without letters is none.
pub(super) fn named(relay: Option<&str>) -> Option<&str> {
    relay.filter(|relay| !relay.is_empty())
}

/// Asks another gateway on behalf of a phone.
///
/// # Errors
/// [`NO_RELAY`] when there is none of that name, [`Fault::Deferred`] when it cannot be reached.
pub(super) async fn ask(
    state: &TextSecureState,
    relay: &str,
    request: RelayRequest,
) -> Result<RelayAnswer, Fault> {
    ask_one(&*state.switchboard.relays, relay, request).await
}

async fn ask_one(
    relays: &dyn Relays,
    relay: &str,
    request: RelayRequest,
) -> Result<RelayAnswer, Fault> {
    relays.ask(relay, request).await.map_err(|error| match error {
        RelayError::Unknown => NO_RELAY,
        RelayError::Unreachable => SILENT,
    })
}

/// What another gateway answers, for the phone that wants to know.
pub(super) fn pass(answer: RelayAnswer) -> Response {
    let RelayAnswer { status, retry_after, body } = answer;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let is_empty = body.is_empty();
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    // One without a body has its type from the library all the same.
    match is_empty {
        true => _ = headers.remove(CONTENT_TYPE),
        false => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
    }
    if [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::SERVICE_UNAVAILABLE].contains(&status) {
        let seconds = ratelimit::seconds(retry_after.unwrap_or(RETRY)).max(1);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Whether another gateway did what it was asked.
pub(super) fn is_done(answer: &RelayAnswer) -> bool {
    [200, 204].contains(&answer.status)
}

/// How long it may take to bring what a request brings to all of them.
const DEADLINE: Duration = Duration::from_secs(15);

/// Brings messages to other gateways, to different ones at the same time; says of each, by its place
/// in the request, what became of it. What is not there in time may be tried again.
pub(super) async fn forward(
    relays: &dyn Relays,
    messages: Vec<Forwarded<'_>>,
) -> Vec<(usize, Posted)> {
    let until = Instant::now() + DEADLINE;
    let mut by_relay: BTreeMap<&str, Vec<Forwarded<'_>>> = BTreeMap::new();
    for message in messages {
        by_relay.entry(message.relay).or_default().push(message);
    }
    let brought = by_relay.into_values().map(|messages| bring(relays, messages, until));
    join_all(brought).await.concat()
}

/// Brings messages to one gateway, in their order. One that cannot be reached is not tried again.
async fn bring(
    relays: &dyn Relays,
    messages: Vec<Forwarded<'_>>,
    until: Instant,
) -> Vec<(usize, Posted)> {
    let mut is_silent = false;
    let mut outcomes = Vec::with_capacity(messages.len());
    for Forwarded { index, relay, to, envelope } in messages {
        let answer = match is_silent {
            true => Err(SILENT),
            false => {
                let answer = ask_one(relays, relay, RelayRequest::Message { to, envelope });
                timeout_at(until, answer).await.unwrap_or(Err(SILENT))
            }
        };
        is_silent = matches!(answer, Err(Fault::Deferred { .. }));
        outcomes.push((index, outcome(answer)));
    }
    outcomes
}

/// Nobody answers there now.
const SILENT: Fault = Fault::Deferred { retry_after: RETRY };

fn outcome(answer: Result<RelayAnswer, Fault>) -> Posted {
    match answer {
        Ok(answer) if is_done(&answer) => Posted::Stored,
        Ok(RelayAnswer { status: 404, .. }) | Err(Fault::NotFound { .. }) => Posted::Unreachable,
        Ok(answer) => Posted::Deferred { after: answer.retry_after.unwrap_or(RETRY) },
        Err(_) => Posted::Deferred { after: RETRY },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::phone::RelayContact;

    fn answer(status: u16) -> RelayAnswer {
        RelayAnswer { status, retry_after: None, body: Bytes::from_static(b"{}") }
    }

    #[test]
    fn an_empty_relay_is_none() {
        for (query, relay) in [
            (None, None),
            (Some(""), None),
            (Some("relay="), None),
            (Some("relay"), None),
            (Some("a=b&relay=there"), Some("there")),
        ] {
            assert_eq!(in_query(query), relay, "{query:?}");
        }
        assert_eq!((named(None), named(Some("")), named(Some("a"))), (None, None, Some("a")));
    }

    #[test]
    fn an_answer_is_passed_on_as_it_came() {
        let passed = pass(answer(410));
        assert_eq!(passed.status(), StatusCode::GONE);
        assert!(!passed.headers().contains_key(RETRY_AFTER));
        assert_eq!(pass(answer(413)).headers()[RETRY_AFTER], "10");
    }

    /// Other gateways: one that answers, slowly, and others that do not.
    struct Others;

    #[async_trait::async_trait]
    impl Relays for Others {
        fn knows(&self, _relay: &str) -> bool {
            true
        }

        async fn ask(&self, relay: &str, _: RelayRequest) -> Result<RelayAnswer, RelayError> {
            if relay != "slow" {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_secs(6)).await;
            Ok(answer(204))
        }

        async fn count_contacts(&self, _relay: &str) -> Result<u64, RelayError> {
            Err(RelayError::Unknown)
        }

        async fn list_contacts(
            &self,
            _relay: &str,
            _offset: u64,
        ) -> Result<Vec<RelayContact>, RelayError> {
            Err(RelayError::Unknown)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn other_gateways_are_asked_at_the_same_time_and_not_for_long() {
        let to = || PhoneNumber::parse("+14152222222").unwrap();
        let relays = ["silent", "slow", "mute", "slow", "silent", "slow"];
        let messages = relays.iter().enumerate().map(|(index, relay)| Forwarded {
            index,
            relay,
            to: to(),
            envelope: Bytes::new(),
        });
        let begun = Instant::now();
        let mut outcomes = forward(&Others, messages.collect()).await;
        assert_eq!(begun.elapsed(), DEADLINE);
        outcomes.sort_by_key(|(index, _)| *index);
        let stored: Vec<_> = outcomes.iter().map(|(_, it)| *it == Posted::Stored).collect();
        assert_eq!(stored, [false, true, false, true, false, false]);
    }

    #[test]
    fn a_message_is_there_or_nobody_is_or_it_may_be_tried_again() {
        assert_eq!(outcome(Ok(answer(204))), Posted::Stored);
        assert_eq!(outcome(Ok(answer(404))), Posted::Unreachable);
        assert_eq!(outcome(Err(NO_RELAY)), Posted::Unreachable);
        assert_eq!(outcome(Ok(answer(503))), Posted::Deferred { after: RETRY });
    }
}
