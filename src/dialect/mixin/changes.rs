//! `GET /sessions/changes`: which contacts have other devices by now.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use sealpost_sdk::types::{CheckAnswer, Data, ErrorBody, SessionChanges};

use super::MixinState;
use super::answer::{self, Answer};
use super::receipts;
use super::request::SignedRequest;
use crate::delivery::changes::{self, ChangesPoll};
use crate::domain::changes::{Cursor, RosterChanges};
use crate::domain::error::Fault;
use crate::domain::roster::Roster;
use crate::domain::session::Scope;

/// Accounts in one answer, at most.
const LIMIT: u32 = 100;

/// Follow changes of sessions
///
/// Tells whose sessions changed since the cursor, of the caller itself and of all with whom it shares
/// a conversation, or waits for it: so a bot's lists are right before it sends. Without `cursor` the
/// answer has the present one and no changes. An account that changed often is told once, as it is
/// now. 410 with the reason `reset` means that the cursor is of no use any more: drop all lists, and
/// begin again without one.
#[utoipa::path(
    get,
    path = "/sessions/changes",
    operation_id = "follow_session_changes",
    tag = "sessions",
    params(
        ("cursor" = Option<String>, Query, description = "The `cursor` of the last answer"),
        ("wait" = Option<u64>, Query, description = "Seconds to wait when nothing has changed, 0 to 60; 0 unless given"),
        ("limit" = Option<u32>, Query, description = "At most so many accounts, 1 to 100; 100 unless given"),
    ),
    responses(
        (status = 200, body = Data<SessionChanges>, description = "What has changed, and where to go on"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `read`"),
        (status = 410, body = ErrorBody, description = "The cursor is unknown or too far behind; `extra.reason` is `reset`"),
        (status = 422, body = ErrorBody, description = "A parameter does not fit; `extra` names it"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn read(
    State(state): State<Arc<MixinState>>,
    RawQuery(query): RawQuery,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Read)?;
    let query = Query::parse(query.as_deref().unwrap_or_default())?;
    let Some(after) = query.cursor else {
        let cursor = state.gateway.store.newest_change().await?;
        return Ok(answer::data(shown(&RosterChanges { cursor, ..RosterChanges::default() })));
    };
    let session = &request.caller.owner.session;
    let poll = ChangesPoll {
        account: session.account,
        session: session.id,
        number: session.number,
        after,
        limit: query.limit,
        wait: query.wait.min(state.settings.longest_poll),
    };
    let found = changes::poll(&state.gateway, &state.hub, poll).await?;
    Ok(answer::data(shown(&found)))
}

fn shown(found: &RosterChanges) -> SessionChanges {
    let change = |roster: &Roster| CheckAnswer {
        user_id: roster.user,
        checksum: roster.checksum.to_string(),
        sessions: receipts::sessions(roster),
    };
    SessionChanges {
        cursor: found.cursor.0.to_string(),
        changes: found.rosters.iter().map(|roster| change(roster)).collect(),
        more: found.more,
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Query {
    cursor: Option<Cursor>,
    wait: Duration,
    limit: u32,
}

impl Query {
    fn parse(text: &str) -> Result<Self, Fault> {
        let mut query = Self { cursor: None, wait: Duration::ZERO, limit: LIMIT };
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "cursor" if value.is_empty() => query.cursor = None,
                "cursor" => query.cursor = Some(cursor(value)?),
                "wait" => query.wait = Duration::from_secs(number("wait", value, 0, 60)?.into()),
                "limit" => query.limit = number("limit", value, 1, LIMIT)?,
                // Unknown parameters are ignored, as unknown members of a body are.
                _ => {}
            }
        }
        Ok(query)
    }
}

fn cursor(text: &str) -> Result<Cursor, Fault> {
    let number = text.parse::<i64>().ok().filter(|number| *number >= 0);
    let number = number.ok_or_else(|| Fault::invalid("cursor", "is none that an answer had"))?;
    Ok(Cursor(number))
}

fn number(field: &'static str, text: &str, least: u32, most: u32) -> Result<u32, Fault> {
    let value = text.parse().ok().filter(|value| (least..=most).contains(value));
    value.ok_or_else(|| Fault::invalid(field, format!("must be a number from {least} to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_that_do_not_fit_are_named() {
        for (text, field) in [
            ("wait=61", "wait"),
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("cursor=-1", "cursor"),
        ] {
            let fault = Query::parse(text).unwrap_err();
            assert!(fault.to_string().starts_with(field), "{fault}");
        }
    }

    #[test]
    fn absent_and_unknown_parameters_are_fine() {
        let empty = Query { cursor: None, wait: Duration::ZERO, limit: LIMIT };
        assert_eq!(Query::parse("cursor=&foo=1").unwrap(), empty);
        let query = Query::parse("cursor=7&wait=5").unwrap();
        assert_eq!((query.cursor, query.wait), (Some(Cursor(7)), Duration::from_secs(5)));
    }
}
