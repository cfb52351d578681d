//! Accounts of members: making them, and deleting them with all that they had.

use sqlx::query;

use super::devices;
use crate::domain::Fault;
use crate::domain::account::{AccountKind, Dialect};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber, UserId};
use crate::domain::inbox::InboxKey;
use crate::domain::messenger::{ListedMember, NewMember};
use crate::storage::cells::flag;
use crate::storage::error::{StoreError, during};
use crate::storage::postgres::link::Link;
use crate::storage::postgres::rows::{time, value};

#[cfg(test)]
pub(in super::super) const STATEMENTS: &[&str] = &[HOLDER, FORGET, LEAVE_GROUPS];

/// Whoever enrols a device of it waits for both rows.
const HOLDER: &str = "
    SELECT members.account, members.had_device, accounts.created_at
    FROM members JOIN accounts ON accounts.number = members.account
    WHERE members.relay = '' AND members.name = $1
    FOR UPDATE";

/// Makes a member, in the place of one that never came to anything.
pub(super) async fn create(
    new: &NewMember,
    link: &mut Link<'_>,
) -> Result<Result<ListedMember, Fault>, StoreError> {
    let holder = query(HOLDER).bind(new.name.as_str()).fetch_optional(&mut *link).await;
    if let Some(holder) = holder.map_err(during("looking for a name"))? {
        let taken = new.check_holder(flag(&holder, "had_device")?, time(&holder, "created_at")?);
        if let Err(taken) = taken {
            return Ok(Err(taken));
        }
        forget(AccountNumber(value(&holder, "account")?), link).await?;
    }
    let account = add_account(new.user, new.at, link).await?;
    add(account, "", new.name.as_str(), new.enrols_itself, link).await?;
    let (user, name) = (new.user, new.name.clone());
    Ok(Ok(ListedMember { account, user, name, created_at: new.at }))
}

/// The name stands elsewhere, so that it can become free.
const ADD_ACCOUNT: &str = "
    INSERT INTO accounts (id, dialect, external_name, kind, full_name, created_at)
    VALUES ($1, $2, $3, $4, '', $5)
    RETURNING number";

/// Makes a member's account.
pub(super) async fn add_account(
    user: UserId,
    at: Timestamp,
    link: &mut Link<'_>,
) -> Result<AccountNumber, StoreError> {
    let row = query(ADD_ACCOUNT)
        .bind(&user.as_bytes()[..])
        .bind(Dialect::HushNet.as_str())
        .bind(user.to_string())
        .bind(AccountKind::User.as_str())
        .bind(at.as_micros())
        .fetch_one(link)
        .await
        .map_err(during("making a member's account"))?;
    Ok(AccountNumber(value(&row, "number")?))
}

const ADD: &str = "
    INSERT INTO members (account, relay, name, enrols_itself, had_device)
    VALUES ($1, $2, $3, $4, 0)";

/// Notes that an account is somebody's, here or at another gateway.
pub(super) async fn add(
    account: AccountNumber,
    relay: &str,
    name: &str,
    enrols_itself: bool,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    let add = query(ADD).bind(account.0).bind(relay).bind(name).bind(i64::from(enrols_itself)).execute(link);
    add.await.map_err(during("naming a member"))?;
    Ok(())
}

/// Deletes a member; its account stays, because messages and chats name it.
pub(super) async fn delete(
    (account, at): &(AccountNumber, Timestamp),
    link: &mut Link<'_>,
) -> Result<Result<Vec<SessionNumber>, Fault>, StoreError> {
    devices::raise(*account, link).await?;
    let ended = devices::sessions(*account, link).await?;
    for session in &ended {
        let inbox = InboxKey { shard: account.shard(), session: *session };
        devices::end(inbox, *at, link).await?;
    }
    forget(*account, link).await?;
    Ok(Ok(ended))
}

const FORGET: &str = "DELETE FROM members WHERE account = $1";

/// A group that nobody is left in can be joined no more.
const LEAVE_GROUPS: &str = "
    WITH gone AS (
        DELETE FROM participants USING conversations
        WHERE participants.account = $1 AND conversations.number = participants.conversation
            AND conversations.category = 'group'
        RETURNING participants.conversation
    )
    UPDATE conversations SET generation = generation + 1, code = CASE
        WHEN EXISTS (
            SELECT 1 FROM participants
            WHERE participants.conversation = conversations.number
                AND participants.account <> $1
        ) THEN code END
    FROM gone WHERE conversations.number = gone.conversation";

/// Frees the name of an account without devices, and takes it out of its groups.
async fn forget(account: AccountNumber, link: &mut Link<'_>) -> Result<(), StoreError> {
    let doing = "deleting a member";
    let forgotten = query(FORGET).bind(account.0).execute(&mut *link).await;
    if forgotten.map_err(during(doing))?.rows_affected() == 0 {
        return Ok(());
    }
    let left = query(LEAVE_GROUPS).bind(account.0).execute(&mut *link).await;
    left.map_err(during(doing))?;
    devices::raise(account, link).await
}
