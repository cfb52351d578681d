//! Accounts of members: making them, and deleting them with all that they had.

use sqlx::{SqliteConnection, query};

use super::devices;
use crate::domain::Fault;
use crate::domain::account::{AccountKind, Dialect};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber, UserId};
use crate::domain::inbox::InboxKey;
use crate::domain::messenger::{ListedMember, NewMember};
use crate::storage::cells::flag;
use crate::storage::error::{StoreError, during};
use crate::storage::sqlite::connection::WriterConnection;
use crate::storage::sqlite::inboxes::Inboxes;
use crate::storage::sqlite::rows::{time, value};

#[cfg(test)]
pub(in super::super) const STATEMENTS: &[&str] = &[
    HOLDER,
    SET_DISCOVERABLE,
    FORGET,
    RAISE_GROUPS,
    INHERIT,
    LEAVE_GROUPS,
    DROP_ACCOUNT,
    IDLE,
    ONE_IDLE,
];

pub(super) const HOLDER: &str = "
    SELECT members.account, members.had_device, accounts.created_at
    FROM members CROSS JOIN accounts ON accounts.number = members.account
    WHERE members.relay = '' AND members.name = ?1";

/// Makes a member, in the place of one that never came to anything.
pub(super) async fn create(
    new: &NewMember,
    connection: &mut SqliteConnection,
) -> Result<Result<ListedMember, Fault>, StoreError> {
    let holder = query(HOLDER).bind(new.name.as_str()).fetch_optional(&mut *connection).await;
    if let Some(holder) = holder.map_err(during("looking for a name"))? {
        let taken = new.check_holder(flag(&holder, "had_device")?, time(&holder, "created_at")?);
        if let Err(taken) = taken {
            return Ok(Err(taken));
        }
        give_up(AccountNumber(value(&holder, "account")?), connection).await?;
    }
    let account = add_account(new.user, new.at, connection).await?;
    add(account, "", new.name.as_str(), new.enrols_itself, connection).await?;
    if !new.is_discoverable {
        let taken_out = set_discoverable(&(account, false), connection).await?;
        if let Err(fault) = taken_out {
            return Ok(Err(fault));
        }
    }
    let (user, name) = (new.user, new.name.clone());
    Ok(Ok(ListedMember { account, user, name, created_at: new.at }))
}

/// The name stands elsewhere, so that it can become free.
const ADD_ACCOUNT: &str = "
    INSERT INTO accounts (id, dialect, external_name, kind, full_name, created_at)
    VALUES (?1, ?2, ?3, ?4, '', ?5)
    RETURNING number";

/// Makes a member's account.
pub(super) async fn add_account(
    user: UserId,
    at: Timestamp,
    connection: &mut SqliteConnection,
) -> Result<AccountNumber, StoreError> {
    let row = query(ADD_ACCOUNT)
        .bind(&user.as_bytes()[..])
        .bind(Dialect::HushNet.as_str())
        .bind(user.to_string())
        .bind(AccountKind::User.as_str())
        .bind(at.as_micros())
        .fetch_one(connection)
        .await
        .map_err(during("making a member's account"))?;
    Ok(AccountNumber(value(&row, "number")?))
}

const ADD: &str = "
    INSERT INTO members (account, relay, name, enrols_itself, had_device)
    VALUES (?1, ?2, ?3, ?4, 0)";

const SET_DISCOVERABLE: &str = "UPDATE members SET is_discoverable = ?2 WHERE account = ?1";

/// Puts a member into the list, or takes it out.
pub(super) async fn set_discoverable(
    (account, is_discoverable): &(AccountNumber, bool),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let set = query(SET_DISCOVERABLE).bind(account.0).bind(i64::from(*is_discoverable));
    set.execute(connection).await.map_err(during("listing a member"))?;
    Ok(Ok(()))
}

/// Notes that an account is somebody's, here or at another gateway.
pub(super) async fn add(
    account: AccountNumber,
    relay: &str,
    name: &str,
    enrols_itself: bool,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let add = query(ADD)
        .bind(account.0)
        .bind(relay)
        .bind(name)
        .bind(i64::from(enrols_itself))
        .execute(connection);
    add.await.map_err(during("naming a member"))?;
    Ok(())
}

/// Deletes a member; its account stays, because messages and chats name it.
pub(super) async fn delete(
    (account, at): &(AccountNumber, Timestamp),
    connection: &mut WriterConnection,
    inboxes: &mut Inboxes,
) -> Result<Result<Vec<SessionNumber>, Fault>, StoreError> {
    let ended = devices::sessions(*account, connection).await?;
    for session in &ended {
        let inbox = InboxKey { shard: account.shard(), session: *session };
        devices::end(inbox, *at, connection, inboxes).await?;
    }
    forget(*account, connection).await?;
    Ok(Ok(ended))
}

const FORGET: &str = "DELETE FROM members WHERE account = ?1";

/// A group that nobody is left in can be joined no more.
const RAISE_GROUPS: &str = "
    UPDATE conversations SET generation = generation + 1, code = CASE
        WHEN EXISTS (
            SELECT 1 FROM participants
            WHERE participants.conversation = conversations.number
                AND participants.account <> ?1
        ) THEN code END
    WHERE category = 'group' AND number IN (
        SELECT conversation FROM participants WHERE account = ?1
    )";

/// In each group of the account's the oldest of the highest role follows it, as when it leaves.
const INHERIT: &str = "
    UPDATE participants SET role = 'owner' WHERE (conversation, account) IN (
        SELECT conversation, account FROM (
            SELECT heirs.conversation, heirs.account, row_number() OVER (
                PARTITION BY heirs.conversation
                ORDER BY CASE heirs.role WHEN 'owner' THEN 0 WHEN 'admin' THEN 1 ELSE 2 END,
                    heirs.joined_at, heirs.account
            ) AS place
            FROM participants AS own
            CROSS JOIN conversations ON conversations.number = own.conversation
            CROSS JOIN participants AS heirs ON heirs.conversation = own.conversation
            WHERE own.account = ?1 AND own.role = 'owner' AND conversations.category = 'group'
                AND heirs.account <> ?1
        ) AS wanted WHERE place = 1
    )";

const LEAVE_GROUPS: &str = "
    DELETE FROM participants WHERE account = ?1 AND EXISTS (
        SELECT 1 FROM conversations
        WHERE conversations.number = participants.conversation AND category = 'group'
    )";

/// Frees the name of an account without devices, and takes it out of its groups.
async fn forget(
    account: AccountNumber,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let doing = "deleting a member";
    let forgotten = query(FORGET).bind(account.0).execute(&mut *connection).await;
    if forgotten.map_err(during(doing))?.rows_affected() == 0 {
        return Ok(());
    }
    for statement in [RAISE_GROUPS, INHERIT, LEAVE_GROUPS] {
        let left = query(statement).bind(account.0).execute(&mut *connection).await;
        left.map_err(during(doing))?;
    }
    devices::raise(account, connection).await
}

/// What an account that never came to anything leaves, unless something names it after all.
const DROP_ACCOUNT: &str = "
    DELETE FROM accounts WHERE number = ?1
        AND NOT EXISTS (SELECT 1 FROM members WHERE account = ?1)
        AND NOT EXISTS (SELECT 1 FROM sessions WHERE account = ?1)
        AND NOT EXISTS (SELECT 1 FROM participants WHERE account = ?1)
        AND NOT EXISTS (SELECT 1 FROM conversations WHERE creator = ?1)
        AND NOT EXISTS (SELECT 1 FROM direct_chats WHERE low = ?1)
        AND NOT EXISTS (SELECT 1 FROM direct_chats WHERE high = ?1)
        AND NOT EXISTS (SELECT 1 FROM relationships WHERE owner = ?1)
        AND NOT EXISTS (SELECT 1 FROM relationships WHERE other = ?1)
        AND NOT EXISTS (SELECT 1 FROM attachments WHERE owner = ?1)";

/// Removes a member that never had a device, with its account.
async fn give_up(
    account: AccountNumber,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    forget(account, &mut *connection).await?;
    let dropped = query(DROP_ACCOUNT).bind(account.0).execute(connection).await;
    dropped.map_err(during("removing an account that was never used"))?;
    Ok(())
}

/// Numbers follow time: if the first was not made before then, nobody was.
pub(super) const ONE_IDLE: &str = "
    SELECT account FROM (
        SELECT members.account, accounts.created_at
        FROM members CROSS JOIN accounts ON accounts.number = members.account
        WHERE members.had_device = 0 AND members.account > 0
        ORDER BY members.account LIMIT 1
    ) AS named WHERE created_at < ?1";

const IDLE: &str = "
    SELECT members.account
    FROM members CROSS JOIN accounts ON accounts.number = members.account
    WHERE members.had_device = 0 AND members.account > 0 AND accounts.created_at < ?1
    ORDER BY members.account LIMIT ?2";

/// Removes members that were made before then and never had a device.
pub(super) async fn forget_idle(
    (before, limit): &(Timestamp, u32),
    connection: &mut SqliteConnection,
) -> Result<Result<u64, Fault>, StoreError> {
    let idle = query(IDLE).bind(before.as_micros()).bind(*limit).fetch_all(&mut *connection).await;
    let idle = idle.map_err(during("looking for accounts that were never used"))?;
    for row in &idle {
        give_up(AccountNumber(value(row, "account")?), &mut *connection).await?;
    }
    Ok(Ok(idle.len() as u64))
}
