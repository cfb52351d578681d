//! What the gateway says about a conversation: ordinary messages with empty slots.

use std::collections::BTreeSet;

use sqlx::query;

use super::columns::{blobs, numbers};
use super::link::Link;
use super::rooms;
use super::rows::value;
use crate::domain::conversation::notice::{LiveSessions, Notice, Notices, SYSTEM_CONVERSATION};
use crate::domain::ids::{AccountNumber, ConversationNumber, SessionNumber, Shard};
use crate::domain::inbox::InboxKey;
use crate::storage::error::{StoreError, during};
use crate::storage::packed::pack_waiting;

/// A notice and the inboxes where it waits.
struct Addressed<'a> {
    notice: &'a Notice,
    inboxes: Vec<InboxKey>,
    waiting: Vec<u8>,
}

impl Addressed<'_> {
    fn home(&self) -> Shard {
        self.inboxes.first().map_or(Shard(0), |inbox| inbox.shard)
    }
}

/// A notice is known by its place in the lists, counted from 1.
const LEAVE: &str = "
    WITH notices AS MATERIALIZED (
        SELECT nextval('message_numbers') AS number, wanted.*
        FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[]) WITH ORDINALITY
            AS wanted (home, message_id, waiting, body, place)
    ), bodies AS (
        INSERT INTO payloads (shard, number, sender_account, sender_session, conversation,
            message_id, category, accepted_at, expires_at, details, waiting, body)
        SELECT home, number, $5, $6, $7, message_id, $8, $9, $10, ''::bytea, waiting, body
        FROM notices
    )
    INSERT INTO inbox (shard, session, number, home, slot)
    SELECT slots.shard, slots.session, notices.number, notices.home, ''::bytea
    FROM unnest($11::bigint[], $12::bigint[], $13::bigint[]) AS slots (shard, session, place)
    JOIN notices ON notices.place = slots.place
    ORDER BY slots.shard, slots.session, notices.number";

/// Leaves notices in the inboxes of their readers' live sessions; returns the sessions. A notice
/// that nobody can read is left out. Where they find an inbox full, the oldest messages make room.
pub(super) async fn leave(
    link: &mut Link<'_>,
    conversation: ConversationNumber,
    notices: &Notices,
) -> Result<Vec<SessionNumber>, StoreError> {
    let sessions = live_sessions(link, &notices.list).await?;
    let addressed = notices.list.iter().map(|notice| {
        let inboxes = notice.inboxes(&sessions);
        let waiting = pack_waiting(inboxes.iter().copied());
        Addressed { notice, inboxes, waiting }
    });
    let addressed: Vec<_> = addressed.filter(|it| !it.inboxes.is_empty()).collect();
    if addressed.is_empty() {
        return Ok(Vec::new());
    }
    let rows = (1..).zip(&addressed);
    let rows = rows.flat_map(|(place, it)| it.inboxes.iter().map(move |inbox| (place, *inbox)));
    let rows: Vec<(i64, InboxKey)> = rows.collect();
    query(LEAVE)
        .bind(numbers(&addressed, |it| it.home().0))
        .bind(blobs(&addressed, |it| it.notice.message_id.as_bytes()))
        .bind(blobs(&addressed, |it| &it.waiting))
        .bind(blobs(&addressed, |it| &it.notice.body))
        .bind(notices.sender.0)
        .bind(notices.sender_session.0)
        .bind(conversation.0)
        .bind(SYSTEM_CONVERSATION)
        .bind(notices.at.as_micros())
        .bind(notices.expires_at.as_micros())
        .bind(numbers(&rows, |(_, inbox)| inbox.shard.0))
        .bind(numbers(&rows, |(_, inbox)| inbox.session.0))
        .bind(numbers(&rows, |(place, _)| *place))
        .execute(&mut *link)
        .await
        .map_err(during("leaving notices"))?;
    rooms::trim_stored(link, rows.iter().map(|(_, inbox)| *inbox), notices.quota, notices.at)
        .await?;
    let woken: BTreeSet<SessionNumber> = rows.iter().map(|(_, inbox)| inbox.session).collect();
    Ok(woken.into_iter().collect())
}

pub(super) const LIVE_SESSIONS: &str =
    "SELECT account, number FROM sessions WHERE account = ANY($1) AND ended_at IS NULL";

async fn live_sessions(
    link: &mut Link<'_>,
    notices: &[Notice],
) -> Result<LiveSessions, StoreError> {
    let readers: BTreeSet<AccountNumber> =
        notices.iter().flat_map(|notice| notice.readers.iter().copied()).collect();
    let readers: Vec<AccountNumber> = readers.into_iter().collect();
    let rows = query(LIVE_SESSIONS).bind(numbers(&readers, |account| account.0));
    let mut sessions = LiveSessions::new();
    for row in rows.fetch_all(link).await.map_err(during("looking for who is to be told"))? {
        let account = AccountNumber(value(&row, "account")?);
        sessions.entry(account).or_default().push(SessionNumber(value(&row, "number")?));
    }
    Ok(sessions)
}
