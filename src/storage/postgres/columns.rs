//! Columns of many rows as parameters: arrays, written straight from wherever the values are.
//!
//! The driver takes arrays as lists of values that own their bytes, or refer to them; so the bodies
//! and slots of a group would be gathered in lists first, only to be copied into the message to the
//! server. These go there at once.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{Encode, Postgres, Type};

// The types' numbers in every PostgreSQL.
const BYTEA: u32 = 17;
const INT8: u32 = 20;
const TEXT: u32 = 25;

/// A parameter of type `bigint[]`.
pub(super) struct Numbers<'a, T, F> {
    rows: &'a [T],
    of: F,
}

/// A number of each row.
pub(super) fn numbers<T, F: Fn(&T) -> i64>(rows: &[T], of: F) -> Numbers<'_, T, F> {
    Numbers { rows, of }
}

/// A parameter of type `bytea[]`.
pub(super) struct Blobs<'a, T, F> {
    rows: &'a [T],
    of: F,
}

/// Bytes of each row.
pub(super) fn blobs<T, F: for<'r> Fn(&'r T) -> &'r [u8]>(rows: &[T], of: F) -> Blobs<'_, T, F> {
    Blobs { rows, of }
}

/// A parameter of type `text[]`.
pub(super) struct Texts<'a, T, F> {
    rows: &'a [T],
    of: F,
}

/// A text of each row.
pub(super) fn texts<T, F: for<'r> Fn(&'r T) -> &'r str>(rows: &[T], of: F) -> Texts<'_, T, F> {
    Texts { rows, of }
}

impl<T, F> Type<Postgres> for Numbers<'_, T, F> {
    fn type_info() -> PgTypeInfo {
        <Vec<i64> as Type<Postgres>>::type_info()
    }
}

impl<T, F> Type<Postgres> for Blobs<'_, T, F> {
    fn type_info() -> PgTypeInfo {
        <Vec<Vec<u8>> as Type<Postgres>>::type_info()
    }
}

impl<T, F> Type<Postgres> for Texts<'_, T, F> {
    fn type_info() -> PgTypeInfo {
        <Vec<String> as Type<Postgres>>::type_info()
    }
}

impl<T, F: Fn(&T) -> i64> Encode<'_, Postgres> for Numbers<'_, T, F> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        begin(buffer, INT8, self.rows.len(), 12 * self.rows.len())?;
        for row in self.rows {
            push(buffer, &(self.of)(row).to_be_bytes())?;
        }
        Ok(IsNull::No)
    }
}

impl<T, F: for<'r> Fn(&'r T) -> &'r [u8]> Encode<'_, Postgres> for Blobs<'_, T, F> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let bytes = self.rows.iter().map(|row| 4 + (self.of)(row).len());
        begin(buffer, BYTEA, self.rows.len(), bytes.sum())?;
        self.rows.iter().try_for_each(|row| push(buffer, (self.of)(row)))?;
        Ok(IsNull::No)
    }
}

impl<T, F: for<'r> Fn(&'r T) -> &'r str> Encode<'_, Postgres> for Texts<'_, T, F> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        begin(buffer, TEXT, self.rows.len(), 16 * self.rows.len())?;
        self.rows.iter().try_for_each(|row| push(buffer, (self.of)(row).as_bytes()))?;
        Ok(IsNull::No)
    }
}

/// What stands before the elements of an array of one dimension.
fn begin(
    buffer: &mut Vec<u8>,
    element: u32,
    count: usize,
    bytes: usize,
) -> Result<(), BoxDynError> {
    let count = i32::try_from(count)?;
    buffer.reserve(20 + bytes);
    // One dimension, nothing missing; the type, the length, and the first index.
    for word in [1, 0, element.cast_signed(), count, 1] {
        buffer.extend_from_slice(&word.to_be_bytes());
    }
    Ok(())
}

fn push(buffer: &mut Vec<u8>, element: &[u8]) -> Result<(), BoxDynError> {
    buffer.extend_from_slice(&i32::try_from(element.len())?.to_be_bytes());
    buffer.extend_from_slice(element);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded<'q>(value: impl Encode<'q, Postgres>) -> Vec<u8> {
        let mut buffer = PgArgumentBuffer::default();
        assert!(matches!(value.encode(&mut buffer), Ok(IsNull::No)));
        buffer.to_vec()
    }

    #[test]
    fn arrays_are_those_that_the_driver_would_write() {
        let rows = [(1, vec![7_u8, 8], "a"), (-2, vec![], "bc"), (i64::MAX, vec![0; 300], "")];
        let list: Vec<i64> = rows.iter().map(|row| row.0).collect();
        assert_eq!(encoded(numbers(&rows, |row| row.0)), encoded(list));
        let list: Vec<&[u8]> = rows.iter().map(|row| row.1.as_slice()).collect();
        assert_eq!(encoded(blobs(&rows, |row| &row.1)), encoded(list));
        let list: Vec<&str> = rows.iter().map(|row| row.2).collect();
        assert_eq!(encoded(texts(&rows, |row| row.2)), encoded(list));
        assert_eq!(encoded(numbers(&[], |row: &i64| *row)), encoded(Vec::<i64>::new()));
    }
}
