//! From columns to the domain's types, and lists of ids into statements.

use std::collections::BTreeSet;
use std::fmt::Write;

use sealpost_sdk::ids::Id;
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row, Type};

use super::super::cells::{Cells, cells};
pub(super) use super::super::cells::{
    account, account_columns, array, count, id, optional_id, session_columns, session_owner, time,
};
use super::super::error::{StoreError, during};

cells!(SqliteRow);

/// A column of a type that the database has.
pub(super) fn value<'r, T>(row: &'r SqliteRow, column: &'static str) -> Result<T, StoreError>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get(column).map_err(during("reading a row"))
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
