//! Accounts by their public names.

use std::collections::HashSet;
use std::fmt::Write;

use async_trait::async_trait;
use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::rows::{account, account_columns, id_list, json_list, value};
use super::sign_in;
use crate::domain::Fault;
use crate::domain::account::{
    Account, CreatedAccount, Dialect, FirstSession, IDENTITY_NUMBER, NewAccount, ProfileChange,
};
use crate::domain::ids::{AccountNumber, UserId};
use crate::domain::ports::Accounts;
use crate::storage::error::{StoreError, during};

pub(super) const BY_IDS: &str = concat!(
    "SELECT ",
    account_columns!(),
    " FROM json_each(?1) AS wanted CROSS JOIN accounts ON accounts.id = unhex(wanted.value)
      WHERE accounts.dialect = 'mixin'"
);

pub(super) const BY_EXTERNAL_NAME: &str = concat!(
    "SELECT ",
    account_columns!(),
    " FROM accounts WHERE dialect = ?1 AND external_name = ?2"
);

const PAGE: &str = concat!(
    "SELECT ",
    account_columns!(),
    " FROM accounts WHERE number > ?1 AND dialect = 'mixin' ORDER BY number LIMIT ?2"
);

#[async_trait]
impl Accounts for SqliteStore {
    async fn create_account(&self, account: NewAccount) -> Result<CreatedAccount, Fault> {
        self.change(account, |account, connection| Box::pin(create(account, connection))).await
    }

    async fn accounts(&self, ids: &[UserId]) -> Result<Vec<Account>, Fault> {
        let list = id_list(ids.iter().copied());
        let rows = query(BY_IDS).bind(list).fetch_all(&self.readers).await;
        let rows = rows.map_err(during("reading accounts"))?;
        Ok(rows.iter().map(account).collect::<Result<_, _>>()?)
    }

    async fn account_by_identity_number(&self, number: &str) -> Result<Option<Account>, Fault> {
        let found = query(BY_EXTERNAL_NAME).bind(Dialect::Mixin.as_str()).bind(number);
        let row = found.fetch_optional(&self.readers).await;
        let row = row.map_err(during("reading an account"))?;
        Ok(row.as_ref().map(account).transpose()?)
    }

    async fn list_accounts(
        &self,
        after: Option<AccountNumber>,
        limit: u32,
    ) -> Result<Vec<Account>, Fault> {
        let after = after.map_or(0, |number| number.0);
        let rows = query(PAGE).bind(after).bind(limit).fetch_all(&self.readers).await;
        let rows = rows.map_err(during("listing accounts"))?;
        Ok(rows.iter().map(account).collect::<Result<_, _>>()?)
    }

    async fn change_profile(&self, user: UserId, change: ProfileChange) -> Result<Account, Fault> {
        self.change((user, change), |input, connection| Box::pin(change_profile(input, connection)))
            .await
    }
}

pub(super) const CHANGE_PROFILE: &str = concat!(
    "UPDATE accounts SET full_name = coalesce(?2, full_name), \
        biography = coalesce(?3, biography), avatar_url = coalesce(?4, avatar_url) \
     WHERE accounts.id = ?1 AND accounts.dialect = 'mixin' RETURNING ",
    account_columns!()
);

async fn change_profile(
    (user, change): &(UserId, ProfileChange),
    connection: &mut SqliteConnection,
) -> Result<Result<Account, Fault>, StoreError> {
    let changed = query(CHANGE_PROFILE)
        .bind(&user.as_bytes()[..])
        .bind(change.full_name.as_deref())
        .bind(change.biography.as_deref())
        .bind(change.avatar_url.as_deref())
        .fetch_optional(connection)
        .await
        .map_err(during("changing a profile"))?;
    let account = changed.as_ref().map(account).transpose()?;
    Ok(account.ok_or(Fault::NotFound { what: "user" }))
}

const TAKEN: &str = "
    SELECT id = ?1 AS by_id FROM accounts WHERE id = ?1
    UNION ALL
    SELECT id = ?1 AS by_id FROM accounts WHERE dialect = ?2 AND external_name = ?3";

const CREATE: &str = "
    INSERT INTO accounts (id, dialect, external_name, kind, full_name, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    RETURNING number";

/// Makes an account and signs its first sessions in.
async fn create(
    new: &NewAccount,
    connection: &mut SqliteConnection,
) -> Result<Result<CreatedAccount, Fault>, StoreError> {
    match obstacle(new, connection).await? {
        Some(conflict) => Ok(Err(conflict)),
        None => make(new, connection).await.map(Ok),
    }
}

/// What on file speaks against a new account.
pub(super) async fn obstacle(
    new: &NewAccount,
    connection: &mut SqliteConnection,
) -> Result<Option<Fault>, StoreError> {
    if let Some(field) = taken_name(new, connection).await? {
        return Ok(Some(Fault::conflict(field, "is taken")));
    }
    if a_key_is_taken(&new.sessions, connection).await? {
        return Ok(Some(Fault::conflict("public_key", "is on file for a session")));
    }
    Ok(None)
}

/// Makes an account that nothing speaks against.
pub(super) async fn make(
    new: &NewAccount,
    connection: &mut SqliteConnection,
) -> Result<CreatedAccount, StoreError> {
    let account = insert(new, connection).await?;
    let mut sessions = Vec::with_capacity(new.sessions.len());
    for first in &new.sessions {
        let first = first.clone().of(&account);
        sessions.push(sign_in::create(connection, &first).await?);
    }
    if !sessions.is_empty() {
        sign_in::raise_generation(connection, account.number).await?;
    }
    Ok(CreatedAccount { account, sessions })
}

/// The field whose value belongs to another account.
async fn taken_name(
    new: &NewAccount,
    connection: &mut SqliteConnection,
) -> Result<Option<&'static str>, StoreError> {
    let taken = query(TAKEN)
        .bind(&new.id.as_bytes()[..])
        .bind(new.dialect.as_str())
        .bind(new.external_name.as_str())
        .fetch_optional(connection)
        .await
        .map_err(during("looking for an account's names"))?;
    let Some(row) = taken else {
        return Ok(None);
    };
    Ok(Some(if value(&row, "by_id")? { "user_id" } else { IDENTITY_NUMBER }))
}

pub(super) const KEYS_ON_FILE: &str = "
    SELECT sessions.number
    FROM json_each(?1) AS wanted
    CROSS JOIN sessions ON sessions.signing_key = unhex(wanted.value)
    LIMIT 1";

/// Whether a key is on file for a session, or given twice.
async fn a_key_is_taken(
    sessions: &[FirstSession],
    connection: &mut SqliteConnection,
) -> Result<bool, StoreError> {
    let keys: HashSet<_> = sessions.iter().map(|session| session.signing_key.to_bytes()).collect();
    if keys.len() < sessions.len() {
        return Ok(true);
    }
    let list = json_list(sessions, |json, it| write!(json, "\"{}\"", it.signing_key.to_hex()));
    let found = query(KEYS_ON_FILE).bind(list).fetch_optional(connection).await;
    Ok(found.map_err(during("looking for keys on file"))?.is_some())
}

async fn insert(
    new: &NewAccount,
    connection: &mut SqliteConnection,
) -> Result<Account, StoreError> {
    let row = query(CREATE)
        .bind(&new.id.as_bytes()[..])
        .bind(new.dialect.as_str())
        .bind(new.external_name.as_str())
        .bind(new.kind.as_str())
        .bind(new.full_name.as_str())
        .bind(new.created_at.as_micros())
        .fetch_one(connection)
        .await
        .map_err(during("creating an account"))?;
    Ok(Account {
        number: AccountNumber(value(&row, "number")?),
        id: new.id,
        dialect: new.dialect,
        external_name: new.external_name.clone(),
        kind: new.kind,
        full_name: new.full_name.clone(),
        biography: String::new(),
        avatar_url: String::new(),
        created_at: new.created_at,
    })
}
