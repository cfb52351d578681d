//! From columns to the domain's types, and lists into statements.

use sealpost_sdk::ids::Id;
use sqlx::postgres::{PgRow, Postgres};
use sqlx::{Decode, Row, Type};

use crate::domain::ids::AccountNumber;
use crate::storage::cells::{Cells, cells};
pub(super) use crate::storage::cells::{
    account, account_columns, array, count, id, optional_id, session_columns, session_owner, time,
};
use crate::storage::error::{StoreError, during};

cells!(PgRow);

/// A column of a type that the database has.
pub(super) fn value<'r, T>(row: &'r PgRow, column: &'static str) -> Result<T, StoreError>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
{
    row.try_get(column).map_err(during("reading a row"))
}

/// Ids as a parameter of type `bytea[]`.
pub(super) fn id_array<Kind>(ids: impl IntoIterator<Item = Id<Kind>>) -> Vec<Vec<u8>> {
    ids.into_iter().map(|id| id.as_bytes().to_vec()).collect()
}

/// Numbers of accounts as a parameter of type `bigint[]`.
pub(super) fn account_array<'a>(accounts: impl IntoIterator<Item = &'a AccountNumber>) -> Vec<i64> {
    accounts.into_iter().map(|account| account.0).collect()
}
