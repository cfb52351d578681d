//! From columns to the domain's types, and lists of ids into statements.

use std::collections::BTreeSet;
use std::fmt::Write;

use bytes::Bytes;
use sealpost_sdk::ids::Id;
use sealpost_sdk::keys::{AgreementKey, VerifyingKey};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row, Type};

use super::super::error::{StoreError, during};
use crate::domain::account::{Account, AccountKind, Dialect};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::session::{Attestation, Session, SessionOwner};

/// A column of a type that the database has.
pub(super) fn value<'r, T>(row: &'r SqliteRow, column: &'static str) -> Result<T, StoreError>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get(column).map_err(during("reading a row"))
}

/// A column of so many bytes.
pub(super) fn array<const N: usize>(
    row: &SqliteRow,
    column: &'static str,
) -> Result<[u8; N], StoreError> {
    let bytes: &[u8] = value(row, column)?;
    bytes.try_into().map_err(|_| StoreError::Corrupt { column })
}

/// A column that may be empty, otherwise of so many bytes.
pub(super) fn optional_array<const N: usize>(
    row: &SqliteRow,
    column: &'static str,
) -> Result<Option<[u8; N]>, StoreError> {
    let bytes: Option<&[u8]> = value(row, column)?;
    bytes.map(|bytes| bytes.try_into().map_err(|_| StoreError::Corrupt { column })).transpose()
}

/// A UUID.
pub(super) fn id<Kind>(row: &SqliteRow, column: &'static str) -> Result<Id<Kind>, StoreError> {
    array(row, column).map(Id::from_bytes)
}

/// A UUID that may be missing.
pub(super) fn optional_id<Kind>(
    row: &SqliteRow,
    column: &'static str,
) -> Result<Option<Id<Kind>>, StoreError> {
    Ok(optional_array(row, column)?.map(Id::from_bytes))
}

/// A time.
pub(super) fn time(row: &SqliteRow, column: &'static str) -> Result<Timestamp, StoreError> {
    value(row, column).map(Timestamp::from_micros)
}

/// Any number of bytes.
pub(super) fn bytes(row: &SqliteRow, column: &'static str) -> Result<Bytes, StoreError> {
    value::<Vec<u8>>(row, column).map(Bytes::from)
}

/// A count that cannot be negative.
pub(super) fn count(row: &SqliteRow, column: &'static str) -> Result<u64, StoreError> {
    let count: i64 = value(row, column)?;
    count.try_into().map_err(|_| StoreError::Corrupt { column })
}

/// A key that was checked when it was stored.
pub(super) fn agreement_key(
    row: &SqliteRow,
    column: &'static str,
) -> Result<AgreementKey, StoreError> {
    array(row, column).map(AgreementKey::from_bytes)
}

/// The columns of an account, under the names that [`account`] reads.
macro_rules! account_columns {
    () => {
        "accounts.number AS account_number, accounts.id AS user_id, accounts.dialect, \
         accounts.external_name, accounts.kind, accounts.full_name, accounts.biography, \
         accounts.avatar_url, \
         accounts.created_at AS account_created_at"
    };
}
pub(super) use account_columns;

/// The columns of a session, under the names that [`session_owner`] reads.
macro_rules! session_columns {
    () => {
        "sessions.number AS session_number, sessions.id AS session_id, sessions.signing_key, \
         sessions.agreement_key, sessions.platform, sessions.added_by, sessions.attestation, \
         sessions.created_at AS session_created_at, sessions.ended_at"
    };
}
pub(super) use session_columns;

/// An account, from the columns of `account_columns!`.
pub(super) fn account(row: &SqliteRow) -> Result<Account, StoreError> {
    let dialect = Dialect::from_name(value(row, "dialect")?);
    let kind = AccountKind::from_name(value(row, "kind")?);
    Ok(Account {
        number: AccountNumber(value(row, "account_number")?),
        id: id(row, "user_id")?,
        dialect: dialect.ok_or(StoreError::Corrupt { column: "accounts.dialect" })?,
        external_name: value(row, "external_name")?,
        kind: kind.ok_or(StoreError::Corrupt { column: "accounts.kind" })?,
        full_name: value(row, "full_name")?,
        biography: value(row, "biography")?,
        avatar_url: value(row, "avatar_url")?,
        created_at: time(row, "account_created_at")?,
    })
}

/// A session and its account, from the columns of `account_columns!` and `session_columns!`.
pub(super) fn session_owner(row: &SqliteRow) -> Result<SessionOwner, StoreError> {
    let account = account(row)?;
    let signing_key = VerifyingKey::from_stored_bytes(&array(row, "signing_key")?);
    let ended_at: Option<i64> = value(row, "ended_at")?;
    let session = Session {
        number: SessionNumber(value(row, "session_number")?),
        id: id(row, "session_id")?,
        account: account.number,
        user: account.id,
        signing_key: signing_key
            .map_err(|_| StoreError::Corrupt { column: "sessions.signing_key" })?,
        agreement_key: agreement_key(row, "agreement_key")?,
        platform: value(row, "platform")?,
        attestation: attestation(row)?,
        created_at: time(row, "session_created_at")?,
        ended_at: ended_at.map(Timestamp::from_micros),
    };
    Ok(SessionOwner { session, account })
}

fn attestation(row: &SqliteRow) -> Result<Option<Attestation>, StoreError> {
    let added_by = optional_id(row, "added_by")?;
    let signature = optional_array(row, "attestation")?;
    Ok(added_by.zip(signature).map(|(added_by, signature)| Attestation { added_by, signature }))
}

/// A list of ids for a statement: a JSON array of hexadecimal, to be read by `json_each` and
/// `unhex`, each id once. One parameter, whatever the length of the list, so the statement stays
/// the same.
pub(super) fn id_list<Kind>(ids: impl IntoIterator<Item = Id<Kind>>) -> String {
    let ids: BTreeSet<Id<Kind>> = ids.into_iter().collect();
    json_list(ids, |json, id| write!(json, "\"{}\"", id.uuid().as_simple()))
}

/// A list for a statement, each item written as JSON by `write`.
pub(super) fn json_list<T>(
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T) -> std::fmt::Result,
) -> String {
    let mut json = String::from("[");
    for item in items {
        if json.len() > 1 {
            json.push(',');
        }
        // Writing into a string cannot fail.
        write(&mut json, item).expect("a string takes everything");
    }
    json.push(']');
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::UserId;

    #[test]
    fn lists_are_json_and_ids_stand_in_them_once() {
        assert_eq!(id_list::<()>([]), "[]");
        let (low, high) = (UserId::from_bytes([0x0a; 16]), UserId::from_bytes([0xff; 16]));
        let expected = format!(r#"["{}","{}"]"#, "0a".repeat(16), "ff".repeat(16));
        assert_eq!(id_list([high, low, high]), expected);
        assert_eq!(json_list([1, 2], |json, n| write!(json, "[{n},0]")), "[[1,0],[2,0]]");
    }
}
