//! Columns as the domain's types, whatever the database.

use bytes::Bytes;
use sealpost_sdk::ids::Id;
use sealpost_sdk::keys::{AgreementKey, VerifyingKey};

use super::error::StoreError;
use crate::domain::account::{Account, AccountKind, Dialect};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::session::{Attestation, Session, SessionOwner};

/// A row that can be asked for its columns by their names. Each method fails when there is no such
/// column, or it is of another type.
pub(super) trait Cells {
    /// A number.
    fn integer(&self, column: &'static str) -> Result<i64, StoreError>;

    /// A number that may be missing.
    fn optional_integer(&self, column: &'static str) -> Result<Option<i64>, StoreError>;

    /// A text.
    fn text(&self, column: &'static str) -> Result<&str, StoreError>;

    /// A text that may be missing.
    fn optional_text(&self, column: &'static str) -> Result<Option<&str>, StoreError>;

    /// Bytes.
    fn blob(&self, column: &'static str) -> Result<&[u8], StoreError>;

    /// Bytes that may be missing.
    fn optional_blob(&self, column: &'static str) -> Result<Option<&[u8]>, StoreError>;
}

/// Implements [`Cells`] by the module's function `value`.
macro_rules! cells {
    ($row:ty) => {
        impl Cells for $row {
            fn integer(&self, column: &'static str) -> Result<i64, StoreError> {
                value(self, column)
            }

            fn optional_integer(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
                value(self, column)
            }

            fn text(&self, column: &'static str) -> Result<&str, StoreError> {
                value(self, column)
            }

            fn optional_text(&self, column: &'static str) -> Result<Option<&str>, StoreError> {
                value(self, column)
            }

            fn blob(&self, column: &'static str) -> Result<&[u8], StoreError> {
                value(self, column)
            }

            fn optional_blob(&self, column: &'static str) -> Result<Option<&[u8]>, StoreError> {
                value(self, column)
            }
        }
    };
}
pub(super) use cells;

/// A column of so many bytes.
pub(super) fn array<const N: usize>(
    row: &impl Cells,
    column: &'static str,
) -> Result<[u8; N], StoreError> {
    let bytes = row.blob(column)?;
    bytes.try_into().map_err(|_| StoreError::Corrupt { column })
}

/// A column that may be empty, otherwise of so many bytes.
pub(super) fn optional_array<const N: usize>(
    row: &impl Cells,
    column: &'static str,
) -> Result<Option<[u8; N]>, StoreError> {
    let bytes = row.optional_blob(column)?;
    bytes.map(|bytes| bytes.try_into().map_err(|_| StoreError::Corrupt { column })).transpose()
}

/// A UUID.
pub(super) fn id<Kind>(row: &impl Cells, column: &'static str) -> Result<Id<Kind>, StoreError> {
    array(row, column).map(Id::from_bytes)
}

/// A UUID that may be missing.
pub(super) fn optional_id<Kind>(
    row: &impl Cells,
    column: &'static str,
) -> Result<Option<Id<Kind>>, StoreError> {
    Ok(optional_array(row, column)?.map(Id::from_bytes))
}

/// A time.
pub(super) fn time(row: &impl Cells, column: &'static str) -> Result<Timestamp, StoreError> {
    row.integer(column).map(Timestamp::from_micros)
}

/// Any number of bytes.
pub(super) fn bytes(row: &impl Cells, column: &'static str) -> Result<Bytes, StoreError> {
    row.blob(column).map(Bytes::copy_from_slice)
}

/// A count that cannot be negative.
pub(super) fn count(row: &impl Cells, column: &'static str) -> Result<u64, StoreError> {
    let count = row.integer(column)?;
    count.try_into().map_err(|_| StoreError::Corrupt { column })
}

/// A small number that cannot be negative.
pub(super) fn small(row: &impl Cells, column: &'static str) -> Result<u32, StoreError> {
    let number = row.integer(column)?;
    number.try_into().map_err(|_| StoreError::Corrupt { column })
}

/// Whether something is so: a number above 0.
pub(super) fn flag(row: &impl Cells, column: &'static str) -> Result<bool, StoreError> {
    Ok(row.integer(column)? > 0)
}

/// A key that was checked when it was stored.
pub(super) fn agreement_key(
    row: &impl Cells,
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
pub(super) fn account(row: &impl Cells) -> Result<Account, StoreError> {
    let dialect = Dialect::from_name(row.text("dialect")?);
    let kind = AccountKind::from_name(row.text("kind")?);
    Ok(Account {
        number: AccountNumber(row.integer("account_number")?),
        id: id(row, "user_id")?,
        dialect: dialect.ok_or(StoreError::Corrupt { column: "accounts.dialect" })?,
        external_name: row.text("external_name")?.to_owned(),
        kind: kind.ok_or(StoreError::Corrupt { column: "accounts.kind" })?,
        full_name: row.text("full_name")?.to_owned(),
        biography: row.text("biography")?.to_owned(),
        avatar_url: row.text("avatar_url")?.to_owned(),
        created_at: time(row, "account_created_at")?,
    })
}

/// A session and its account, from the columns of `account_columns!` and `session_columns!`.
pub(super) fn session_owner(row: &impl Cells) -> Result<SessionOwner, StoreError> {
    let account = account(row)?;
    let signing_key = VerifyingKey::from_stored_bytes(&array(row, "signing_key")?);
    let ended_at = row.optional_integer("ended_at")?;
    let session = Session {
        number: SessionNumber(row.integer("session_number")?),
        id: id(row, "session_id")?,
        account: account.number,
        user: account.id,
        signing_key: signing_key
            .map_err(|_| StoreError::Corrupt { column: "sessions.signing_key" })?,
        agreement_key: agreement_key(row, "agreement_key")?,
        platform: row.text("platform")?.to_owned(),
        attestation: attestation(row)?,
        created_at: time(row, "session_created_at")?,
        ended_at: ended_at.map(Timestamp::from_micros),
    };
    Ok(SessionOwner { session, account })
}

fn attestation(row: &impl Cells) -> Result<Option<Attestation>, StoreError> {
    let added_by = optional_id(row, "added_by")?;
    let signature = optional_array(row, "attestation")?;
    Ok(added_by.zip(signature).map(|(added_by, signature)| Attestation { added_by, signature }))
}
