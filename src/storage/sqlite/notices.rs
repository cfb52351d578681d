//! What the gateway says about a conversation: ordinary messages with empty slots.

use std::collections::BTreeSet;
use std::fmt::Write;

use rusqlite::params;
use sqlx::{SqliteConnection, query};

use super::accept::take_numbers;
use super::connection::WriterConnection;
use super::fresh::{FreshRow, RowKey};
use super::inboxes::Inboxes;
use super::rows::{json_list, value};
use crate::domain::conversation::notice::{LiveSessions, Notice, Notices, SYSTEM_CONVERSATION};
use crate::domain::ids::{AccountNumber, ConversationNumber, SessionNumber, Shard};
use crate::domain::inbox::InboxKey;
use crate::storage::error::{StoreError, during};
use crate::storage::packed::pack_places;

const PAYLOAD: &str = "
    INSERT INTO payloads (number, shard, sender_account, sender_session, conversation, message_id,
        category, accepted_at, expires_at, waiting, body, details)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, x'')";

/// A notice with its place in the one order and the inboxes where it waits.
struct Numbered<'a> {
    number: i64,
    notice: &'a Notice,
    inboxes: Vec<InboxKey>,
}

/// About what notices take in a group of jobs, if their readers have a session each.
pub(super) fn cost(notices: &Notices) -> usize {
    notices.list.iter().map(|it| 512 + it.body.len() + 64 * it.readers.len()).sum()
}

/// Leaves notices in the inboxes of their readers' live sessions; returns the sessions. A notice
/// that nobody can read is left out. Where they find an inbox full, the oldest messages make room.
pub(super) async fn leave(
    connection: &mut WriterConnection,
    inboxes: &mut Inboxes,
    conversation: ConversationNumber,
    notices: &Notices,
) -> Result<Vec<SessionNumber>, StoreError> {
    let sessions = live_sessions(connection, &notices.list).await?;
    let addressed = notices.list.iter().map(|notice| (notice, notice.inboxes(&sessions)));
    let addressed: Vec<_> = addressed.filter(|(_, inboxes)| !inboxes.is_empty()).collect();
    if addressed.is_empty() {
        return Ok(Vec::new());
    }
    let keys = addressed.iter().flat_map(|(_, inboxes)| inboxes.iter().copied());
    let wanted = (keys, notices.quota, notices.at);
    inboxes.rooms.take_all(connection, &inboxes.rows, wanted)?;
    let first = take_numbers(connection, addressed.len())?;
    inboxes.rooms.numbered(addressed.len());
    let numbered = (first..).zip(addressed);
    let numbered: Vec<Numbered<'_>> =
        numbered.map(|(number, (notice, inboxes))| Numbered { number, notice, inboxes }).collect();
    for it in &numbered {
        let values = params![
            it.number,
            it.inboxes.first().map_or(Shard(0), |inbox| inbox.shard).0,
            notices.sender.0,
            notices.sender_session.0,
            conversation.0,
            &it.notice.message_id.as_bytes()[..],
            SYSTEM_CONVERSATION,
            notices.at.as_micros(),
            notices.expires_at.as_micros(),
            pack_places(it.inboxes.iter().map(|inbox| (*inbox, 0))),
            &it.notice.body[..],
        ];
        connection.run(PAYLOAD, values, "leaving notices")?;
    }

    let mut woken = BTreeSet::new();
    for Numbered { number, inboxes: readers, .. } in &numbered {
        // Readers have nothing of their own.
        let row = FreshRow::new((0, 0), notices.at, notices.expires_at);
        let row = |inbox: &InboxKey| (RowKey { inbox: *inbox, number: *number }, row);
        inboxes.rows.add(*number, readers.iter().map(row))?;
        woken.extend(readers.iter().map(|inbox| inbox.session));
    }
    inboxes.trim(connection).await?;
    Ok(woken.into_iter().collect())
}

pub(super) const LIVE_SESSIONS: &str = "
    SELECT sessions.account, sessions.number
    FROM json_each(?1) AS wanted
    CROSS JOIN sessions ON sessions.account = wanted.value AND sessions.ended_at IS NULL";

async fn live_sessions(
    connection: &mut SqliteConnection,
    notices: &[Notice],
) -> Result<LiveSessions, StoreError> {
    let readers: BTreeSet<AccountNumber> =
        notices.iter().flat_map(|notice| notice.readers.iter().copied()).collect();
    let list = json_list(readers, |json, account| write!(json, "{}", account.0));
    let rows = query(LIVE_SESSIONS).bind(list).fetch_all(connection).await;
    let mut sessions = LiveSessions::new();
    for row in rows.map_err(during("looking for who is to be told"))? {
        let account = AccountNumber(value(&row, "account")?);
        sessions.entry(account).or_default().push(SessionNumber(value(&row, "number")?));
    }
    Ok(sessions)
}
