//! Making and changing groups: each is one transaction, with what is said about it.

use std::fmt::Write;

use sqlx::{SqliteConnection, query};

use super::connection::WriterConnection;
use super::inboxes::Inboxes;
use super::notices;
use super::rows::{json_list, value};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::change::{Change, Changed, CodeEdit, Edits};
use crate::domain::conversation::group::NewGroup;
use crate::domain::conversation::{ConversationCategory, Role};
use crate::domain::ids::{AccountNumber, ConversationNumber};
use crate::storage::error::{StoreError, during};

const CREATE: &str = "
    INSERT INTO conversations (id, category, creator, created_at, name, announcement, code)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (id) DO NOTHING
    RETURNING number";

/// Makes a group, unless there is a conversation with its id.
pub(super) async fn create(
    group: &NewGroup,
    connection: &mut WriterConnection,
    inboxes: &mut Inboxes,
) -> Result<Result<Changed, Fault>, StoreError> {
    let at = group.notices.at;
    let row = query(CREATE)
        .bind(&group.id.as_bytes()[..])
        .bind(ConversationCategory::Group.as_str())
        .bind(group.creator.0)
        .bind(at.as_micros())
        .bind(group.name.as_str())
        .bind(group.announcement.as_str())
        .bind(&group.code.as_bytes()[..])
        .fetch_optional(&mut **connection)
        .await
        .map_err(during("creating a group"))?;
    let Some(row) = row else {
        return Ok(Ok(Changed::Moved));
    };
    let number = ConversationNumber(value(&row, "number")?);
    add(connection, number, &group.participants, at).await?;
    let woken = notices::leave(connection, inboxes, number, &group.notices).await?;
    Ok(Ok(Changed::Made(woken)))
}

/// Raises the generation if it is still the one that the change was decided on.
pub(super) const RAISE: &str = "
    UPDATE conversations SET generation = generation + 1, name = coalesce(?3, name),
        announcement = coalesce(?4, announcement), expire_in = coalesce(?5, expire_in),
        code = CASE ?6 WHEN 'keep' THEN code ELSE ?7 END
    WHERE number = ?1 AND generation = ?2";

/// Makes a change, unless the conversation has changed since it was decided.
pub(super) async fn change(
    change: &Change,
    connection: &mut WriterConnection,
    inboxes: &mut Inboxes,
) -> Result<Result<Changed, Fault>, StoreError> {
    let edits = &change.edits;
    let (word, code) = match edits.code {
        CodeEdit::Keep => ("keep", None),
        CodeEdit::New(code) => ("new", Some(code.as_bytes().to_vec())),
        CodeEdit::Void => ("void", None),
    };
    let raised = query(RAISE)
        .bind(change.conversation.0)
        .bind(change.generation)
        .bind(edits.name.as_deref())
        .bind(edits.announcement.as_deref())
        .bind(edits.expire_in)
        .bind(word)
        .bind(code)
        .execute(&mut **connection)
        .await
        .map_err(during("changing a conversation"))?;
    if raised.rows_affected() == 0 {
        return Ok(Ok(Changed::Moved));
    }
    take_part(connection, change.conversation, edits, change.notices.at).await?;
    let woken = notices::leave(connection, inboxes, change.conversation, &change.notices).await?;
    Ok(Ok(Changed::Made(woken)))
}

pub(super) const REMOVE: &str = "
    DELETE FROM participants
    WHERE conversation = ?1 AND account IN (SELECT value FROM json_each(?2))";

pub(super) const SET_ROLES: &str = "
    UPDATE participants SET role = wanted.role
    FROM (
        SELECT value ->> 0 AS account, value ->> 1 AS role FROM json_each(?2)
    ) AS wanted
    WHERE participants.conversation = ?1 AND participants.account = wanted.account";

/// Who comes, who goes, and who has another role.
async fn take_part(
    connection: &mut SqliteConnection,
    conversation: ConversationNumber,
    edits: &Edits,
    at: Timestamp,
) -> Result<(), StoreError> {
    let doing = "changing who takes part";
    if !edits.remove.is_empty() {
        let list = json_list(&edits.remove, |json, account| write!(json, "{}", account.0));
        let remove = query(REMOVE).bind(conversation.0).bind(list).execute(&mut *connection);
        remove.await.map_err(during(doing))?;
    }
    add(connection, conversation, &edits.add, at).await?;
    if !edits.roles.is_empty() {
        let list = accounts_and_roles(&edits.roles);
        let roles = query(SET_ROLES).bind(conversation.0).bind(list).execute(connection);
        roles.await.map_err(during(doing))?;
    }
    Ok(())
}

const ADD: &str = "
    INSERT INTO participants (conversation, account, role, joined_at)
    SELECT ?1, value ->> 0, value ->> 1, ?3 FROM json_each(?2) WHERE true
    ON CONFLICT (conversation, account) DO NOTHING";

async fn add(
    connection: &mut SqliteConnection,
    conversation: ConversationNumber,
    participants: &[(AccountNumber, Role)],
    at: Timestamp,
) -> Result<(), StoreError> {
    if participants.is_empty() {
        return Ok(());
    }
    let list = accounts_and_roles(participants);
    let add = query(ADD).bind(conversation.0).bind(list).bind(at.as_micros());
    add.execute(connection).await.map_err(during("adding participants"))?;
    Ok(())
}

fn accounts_and_roles(participants: &[(AccountNumber, Role)]) -> String {
    json_list(participants, |json, (account, role)| {
        write!(json, "[{},\"{}\"]", account.0, role.as_str())
    })
}

pub(super) const MUTE: &str = "
    UPDATE participants SET muted_until = ?3 WHERE conversation = ?1 AND account = ?2";

/// Notes until when a participant wants no noise.
pub(super) async fn mute(
    (conversation, account, until): &(ConversationNumber, AccountNumber, Option<Timestamp>),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let mute = query(MUTE)
        .bind(conversation.0)
        .bind(account.0)
        .bind(until.map(Timestamp::as_micros))
        .execute(connection);
    mute.await.map_err(during("muting a conversation"))?;
    Ok(Ok(()))
}
