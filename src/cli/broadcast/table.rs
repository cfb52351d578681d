//! The table of a broadcast: who gets what, a row at a time.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Reader, ReaderBuilder};

use crate::cli::error::CommandError;
use crate::cli::output::on_one_line;
use crate::sdk::ids::UserId;

/// The column that says for whom a row is.
const USER: &str = "user_id";

/// The column of texts, unless another one is named.
const TEXT: &str = "text";

/// Comma-separated values (RFC 4180) with a header line.
pub(super) struct Table {
    path: PathBuf,
    reader: Reader<File>,
    user: usize,
    /// The column of texts; none when all rows have one text.
    text: Option<usize>,
}

/// What texts a table is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Texts<'a> {
    /// None: everybody gets the same one.
    Elsewhere,
    /// In the column of that name.
    In(Option<&'a str>),
}

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The line on which it begins, from 1.
    pub(super) line: u64,
    /// What it says in the column of the account.
    pub(super) named: String,
    /// The account and, where the table has texts, the text; or what is wrong with the row.
    pub(super) asks: Result<(UserId, Option<String>), &'static str>,
}

impl Table {
    /// Reads the header line.
    pub(super) fn open(path: &Path, texts: Texts<'_>) -> Result<Self, CommandError> {
        // It is read twice, once to count.
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            let error = io::Error::new(ErrorKind::InvalidInput, "it is no file on a disk");
            return Err(unreadable(path)(error.into()));
        }
        let mut reader = reader(path)?;
        let header = reader.byte_headers().map_err(unreadable(path))?.clone();
        let names: Vec<_> = header.iter().map(String::from_utf8_lossy).collect();
        let column = |wanted: &str| {
            let place = names.iter().position(|name| name.trim() == wanted);
            place.ok_or_else(|| CommandError::NoColumn {
                path: path.to_owned(),
                column: wanted.to_owned(),
                found: on_one_line(&names.join(", ")),
            })
        };
        let user = column(USER)?;
        let text = match texts {
            Texts::Elsewhere => None,
            Texts::In(name) => Some(column(name.unwrap_or(TEXT))?),
        };
        Ok(Self { path: path.to_owned(), reader, user, text })
    }

    /// How many rows there are, all of them read once to find out.
    pub(super) fn count(path: &Path) -> Result<u64, CommandError> {
        let mut reader = reader(path)?;
        let mut record = ByteRecord::new();
        let mut rows = 0;
        while reader.read_byte_record(&mut record).map_err(unreadable(path))? {
            rows += 1;
        }
        Ok(rows)
    }

    /// The next rows, at most so many; none at the end.
    pub(super) fn next(&mut self, most: usize) -> Result<Vec<Row>, CommandError> {
        let mut rows = Vec::new();
        let mut record = ByteRecord::new();
        while rows.len() < most {
            let more = self.reader.read_byte_record(&mut record);
            if !more.map_err(unreadable(&self.path))? {
                break;
            }
            rows.push(self.row(&record));
        }
        Ok(rows)
    }

    fn row(&self, record: &ByteRecord) -> Row {
        let named = record.get(self.user).unwrap_or_default();
        let named = String::from_utf8_lossy(named).trim().to_owned();
        let line = record.position().map_or(0, csv::Position::line);
        let asks = match UserId::parse(&named) {
            Err(_) => Err("user_id is no id"),
            Ok(user) => self.text_of(record).map(|text| (user, text)),
        };
        Row { line, named, asks }
    }

    fn text_of(&self, record: &ByteRecord) -> Result<Option<String>, &'static str> {
        let Some(column) = self.text else { return Ok(None) };
        let bytes = record.get(column).unwrap_or_default();
        match std::str::from_utf8(bytes) {
            Ok("") => Err("the text is empty"),
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err("the text is not UTF-8"),
        }
    }
}

fn reader(path: &Path) -> Result<Reader<File>, CommandError> {
    // A row that is too short is a row that fails, and no reason to read no further.
    ReaderBuilder::new().flexible(true).from_path(path).map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl FnOnce(csv::Error) -> CommandError {
    move |source| CommandError::Table { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: &str = "00000000-0000-4000-8000-000000000001";

    fn rows(table: &str, texts: Texts<'_>) -> Result<Vec<Row>, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("people.csv");
        fs::write(&path, table)?;
        let rows = Table::open(&path, texts)?.next(100)?;
        assert_eq!(Table::count(&path)?, rows.len() as u64);
        Ok(rows)
    }

    #[test]
    fn quotes_line_breaks_and_further_columns_are_understood() {
        let table = format!("name, user_id ,text\n\"A, B\",{ANNA},\"two\nlines\"\nC, {ANNA} ,x\n");
        let rows = rows(&table, Texts::In(None)).unwrap();
        let anna = UserId::parse(ANNA).unwrap();
        assert_eq!(rows[0].asks, Ok((anna, Some("two\nlines".to_owned()))));
        assert_eq!((rows[0].line, rows[1].line), (2, 4));
        assert_eq!(rows[1].asks, Ok((anna, Some("x".to_owned()))));
    }

    #[test]
    fn a_bad_row_spoils_no_other() {
        let table = format!("user_id,text\nnobody,hi\n{ANNA}\n{ANNA},\n{ANNA},hi\n");
        let rows = rows(&table, Texts::In(None)).unwrap();
        let good: Vec<_> = rows.iter().map(|row| row.asks.is_ok()).collect();
        assert_eq!(good, [false, false, false, true]);
        assert_eq!(rows[0].named, "nobody");
    }

    #[test]
    fn one_text_for_all_needs_no_column() {
        let table = format!("user_id\n{ANNA}\n");
        assert!(rows(&table, Texts::Elsewhere).unwrap()[0].asks.is_ok());
        let lacking = rows(&table, Texts::In(Some("greeting"))).unwrap_err().to_string();
        assert!(lacking.ends_with("has no column `greeting`; its first line names user_id"));
    }
}
