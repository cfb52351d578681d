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

/// Numbers first, so that everything else can refer to them by the notices' places, which are
/// counted from 1.
pub(super) const LEAVE: &str = "
    WITH numbers AS MATERIALIZED (
        SELECT ARRAY(SELECT nextval('message_numbers') FROM generate_series(1, $1)) AS list
    ), bodies AS (
        INSERT INTO payloads (shard, number, sender_account, sender_session, conversation,
            message_id, category, accepted_at, expires_at, details, waiting, body)
        SELECT home, (SELECT list FROM numbers)[place], $6, $7, $8, message_id, $9, $10, $11,
            ''::bytea, waiting, body
        FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[]) WITH ORDINALITY
            AS it (home, message_id, waiting, body, place)
    )
    INSERT INTO inbox (shard, session, number, home, slot)
    SELECT shard, session, (SELECT list FROM numbers)[place], home, ''::bytea
    FROM unnest($12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[])
        AS it (shard, session, place, home)";

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
    let rows =
        rows.flat_map(|(place, it)| it.inboxes.iter().map(move |inbox| (*inbox, place, it.home())));
    // In the order of their keys, so that rows of one inbox go to one page of the tree.
    let mut rows: Vec<(InboxKey, i64, Shard)> = rows.collect();
    rows.sort_unstable_by_key(|(inbox, place, _)| (inbox.shard, inbox.session, *place));
    query(LEAVE)
        .bind(i64::try_from(addressed.len()).unwrap_or(i64::MAX))
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
        .bind(numbers(&rows, |(inbox, ..)| inbox.shard.0))
        .bind(numbers(&rows, |(inbox, ..)| inbox.session.0))
        .bind(numbers(&rows, |(_, place, _)| *place))
        .bind(numbers(&rows, |(.., home)| home.0))
        .execute(&mut *link)
        .await
        .map_err(during("leaving notices"))?;
    rooms::trim_stored(link, rows.iter().map(|(inbox, ..)| *inbox), notices.quota, notices.at)
        .await?;
    let woken: BTreeSet<SessionNumber> = rows.iter().map(|(inbox, ..)| inbox.session).collect();
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
