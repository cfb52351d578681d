//! A row of either database as it travels.

use sqlx::{ColumnIndex, Decode, Type};

use super::READING;
use super::tables::{Cell, Column, Kind, Row};
use crate::storage::error::{StoreError, during};

/// The values of a row that was read with these columns, in their order.
pub(in crate::storage) fn cells<'r, R>(row: &'r R, columns: &[Column]) -> Result<Row, StoreError>
where
    R: sqlx::Row,
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let cell = |(place, column): (usize, &Column)| {
        let cell = match column.kind {
            Kind::Number => row.try_get::<Option<i64>, _>(place).map(|it| it.map(Cell::Number)),
            Kind::Text => row.try_get::<Option<String>, _>(place).map(|it| it.map(Cell::Text)),
            Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(place).map(|it| it.map(Cell::Bytes)),
        };
        cell.map(|cell| cell.unwrap_or(Cell::Null)).map_err(during(READING))
    };
    columns.iter().enumerate().map(cell).collect()
}
