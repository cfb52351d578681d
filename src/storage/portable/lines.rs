//! The file, line by line.
//!
//! ```text
//! {"sealpost":"export","form":1,"rows":7}
//! {"table":"accounts","columns":[{"name":"number","kind":"number"},…]}
//! [1,"AAAAAAAAAAAAAAAAAAAAAQ==","mixin",…]
//! {"end":"accounts","rows":1,"digest":"…"}
//! …
//! {"complete":true}
//! ```
//!
//! Bytes are Base64 (RFC 4648, section 4).

use std::io::{self, BufRead, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::error::PortableError;
use super::tables::{Cell, Column, Kind, Row, Table};

/// The form that is described above.
const FORM: u64 = 1;

#[derive(Serialize, Deserialize)]
struct First {
    sealpost: String,
    form: u64,
    rows: u64,
}

#[derive(Serialize, Deserialize)]
struct Begin {
    table: String,
    columns: Vec<Column>,
}

#[derive(Serialize, Deserialize)]
struct End {
    end: String,
    rows: u64,
    digest: String,
}

/// The number of rows and the sum of their digests: the same whatever their order is, since the two
/// databases do not order texts alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest {
    rows: u64,
    sum: [u64; 4],
}

impl Digest {
    /// Adds a row.
    pub(super) fn add(&mut self, table: Table, row: &Row) {
        self.rows += 1;
        let mut hash = Sha256::new();
        for cell in row.iter().take(table.kept_columns(row.len())) {
            // Each with its kind and its length before it, so that no two rows run into one another.
            let (kind, bytes): (u8, &[u8]) = match cell {
                Cell::Null => (0, &[]),
                Cell::Number(number) => (1, &number.to_le_bytes()),
                Cell::Text(text) => (2, text.as_bytes()),
                Cell::Bytes(bytes) => (3, bytes),
            };
            hash.update([kind]);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let (words, _) = digest.as_chunks::<8>();
        for (sum, word) in self.sum.iter_mut().zip(words) {
            *sum = sum.wrapping_add(u64::from_le_bytes(*word));
        }
    }

    fn text(&self) -> String {
        self.sum.iter().map(|word| format!("{word:016x}")).collect()
    }
}

/// Writes a file.
pub(super) struct Writer<W> {
    to: W,
    table: Table,
    digest: Digest,
}

impl<W: Write> Writer<W> {
    /// Writes the first line.
    pub(super) fn begin(to: W, rows: u64) -> Result<Self, PortableError> {
        let mut writer = Self { to, table: Table::Sequences, digest: Digest::default() };
        writer.line(&First { sealpost: "export".to_owned(), form: FORM, rows })?;
        Ok(writer)
    }

    /// A table begins.
    pub(super) fn table(&mut self, table: Table, columns: &[Column]) -> Result<(), PortableError> {
        (self.table, self.digest) = (table, Digest::default());
        self.line(&Begin { table: table.name().to_owned(), columns: columns.to_vec() })
    }

    /// A row of it.
    pub(super) fn row(&mut self, row: &Row) -> Result<(), PortableError> {
        self.digest.add(self.table, row);
        let values: Vec<Value> = row
            .iter()
            .map(|cell| match cell {
                Cell::Null => Value::Null,
                Cell::Number(number) => json!(number),
                Cell::Text(text) => json!(text),
                Cell::Bytes(bytes) => json!(STANDARD.encode(bytes)),
            })
            .collect();
        self.line(&values)
    }

    /// It ends.
    pub(super) fn end_table(&mut self) -> Result<(), PortableError> {
        let (rows, digest) = (self.digest.rows, self.digest.text());
        self.line(&End { end: self.table.name().to_owned(), rows, digest })
    }

    /// Nothing follows.
    pub(super) fn finish(mut self) -> Result<(), PortableError> {
        self.line(&json!({ "complete": true }))?;
        self.to.flush().map_err(PortableError::Write)
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), PortableError> {
        let written = serde_json::to_writer(&mut self.to, value).map_err(io::Error::from);
        written.and_then(|()| self.to.write_all(b"\n")).map_err(PortableError::Write)
    }
}

/// Reads a file.
pub(super) struct Reader<R> {
    from: R,
    line: u64,
    text: String,
    table: Table,
    digest: Digest,
    /// The line that ended the rows.
    end: Option<End>,
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line, and with it how many rows there are.
    pub(super) fn begin(from: R) -> Result<(Self, u64), PortableError> {
        let (text, digest) = (String::new(), Digest::default());
        let mut reader = Self { from, line: 0, text, table: Table::Sequences, digest, end: None };
        reader.advance()?;
        let First { sealpost, form, rows } = reader.parse()?;
        match (sealpost.as_str(), form) {
            ("export", FORM) => Ok((reader, rows)),
            ("export", found) => Err(PortableError::Version { found, known: FORM }),
            _ => Err(PortableError::Form { line: 1 }),
        }
    }

    /// A table begins, which must have these columns; those of a table as it is may stand in any
    /// order. Gives the file's order.
    pub(super) fn table(
        &mut self,
        table: Table,
        expected: &[Column],
    ) -> Result<Vec<Column>, PortableError> {
        self.advance()?;
        let Begin { table: name, columns } = self.parse()?;
        // Those of a form for the way are ours, and stand in our order.
        let fits = match table.own_columns() {
            Some(own) => columns == own,
            None => {
                columns.len() == expected.len() && expected.iter().all(|it| columns.contains(it))
            }
        };
        if name != table.name() || !fits {
            return Err(PortableError::Columns { table: table.name() });
        }
        (self.table, self.digest, self.end) = (table, Digest::default(), None);
        Ok(columns)
    }

    /// The next row; none at the end of the table.
    pub(super) fn row(&mut self, columns: &[Column]) -> Result<Option<Row>, PortableError> {
        if self.end.is_some() {
            return Ok(None);
        }
        self.advance()?;
        if !self.text.starts_with('[') {
            self.end = Some(self.parse()?);
            return Ok(None);
        }
        let values: Vec<Value> = self.parse()?;
        let line = self.line;
        let form = || PortableError::Form { line };
        if values.len() != columns.len() {
            return Err(form());
        }
        let cells = values.into_iter().zip(columns).map(|(value, column)| cell(value, column.kind));
        let row: Row = cells.collect::<Option<_>>().ok_or_else(form)?;
        self.digest.add(self.table, &row);
        Ok(Some(row))
    }

    /// The table ended; it is compared with what its last line says.
    pub(super) fn end_table(&mut self, table: Table) -> Result<Digest, PortableError> {
        let line = self.line;
        let End { end, rows, digest } = self.end.take().ok_or(PortableError::Form { line })?;
        if end != table.name() || rows != self.digest.rows || digest != self.digest.text() {
            return Err(PortableError::Damaged { table: table.name() });
        }
        Ok(self.digest)
    }

    /// Nothing follows.
    pub(super) fn finish(&mut self) -> Result<(), PortableError> {
        self.advance()?;
        let last: Value = self.parse()?;
        match last["complete"] == true {
            true => Ok(()),
            false => Err(PortableError::Form { line: self.line }),
        }
    }

    fn advance(&mut self) -> Result<(), PortableError> {
        self.text.clear();
        let read = self.from.read_line(&mut self.text).map_err(PortableError::Read)?;
        if read == 0 || !self.text.ends_with('\n') {
            return Err(PortableError::CutOff { line: self.line });
        }
        self.line += 1;
        Ok(())
    }

    fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, PortableError> {
        serde_json::from_str(&self.text).map_err(|_| PortableError::Form { line: self.line })
    }
}

fn cell(value: Value, kind: Kind) -> Option<Cell> {
    match (value, kind) {
        (Value::Null, _) => Some(Cell::Null),
        (Value::Number(number), Kind::Number) => number.as_i64().map(Cell::Number),
        (Value::String(text), Kind::Text) => Some(Cell::Text(text)),
        (Value::String(text), Kind::Bytes) => STANDARD.decode(text).ok().map(Cell::Bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = Table::Plain("settings");

    fn columns() -> Vec<Column> {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        vec![column("name", Kind::Text), column("value", Kind::Bytes), column("n", Kind::Number)]
    }

    fn rows() -> [Row; 2] {
        let row = |name: &str, byte, number| {
            vec![Cell::Text(name.to_owned()), Cell::Bytes(vec![byte; 40]), number]
        };
        [row("one\n", 1, Cell::Number(i64::MIN)), row("", 2, Cell::Null)]
    }

    fn written() -> String {
        let mut file = Vec::new();
        let mut writer = Writer::begin(&mut file, 2).unwrap();
        writer.table(TABLE, &columns()).unwrap();
        rows().iter().for_each(|row| writer.row(row).unwrap());
        writer.end_table().unwrap();
        writer.finish().unwrap();
        String::from_utf8(file).unwrap()
    }

    fn read(file: &str) -> Result<Vec<Row>, PortableError> {
        let (mut reader, _) = Reader::begin(file.as_bytes())?;
        let columns = reader.table(TABLE, &columns())?;
        let mut rows = Vec::new();
        while let Some(row) = reader.row(&columns)? {
            rows.push(row);
        }
        reader.end_table(TABLE)?;
        reader.finish()?;
        Ok(rows)
    }

    #[test]
    fn rows_come_back_as_they_went_in() {
        assert_eq!(read(&written()).unwrap(), rows());
    }

    #[test]
    fn a_file_that_was_cut_off_anywhere_is_refused() {
        let file = written();
        for end in 0..file.len() {
            assert!(read(&file[..end]).is_err(), "cut off after {end} bytes");
        }
    }

    #[test]
    fn a_row_that_was_changed_or_taken_out_is_noticed() {
        let file = written();
        let changed = file.replacen("AQEB", "AQEC", 1);
        assert!(matches!(read(&changed), Err(PortableError::Damaged { .. })), "{changed}");
        let short: Vec<_> = file.lines().filter(|line| !line.starts_with("[\"\"")).collect();
        assert_eq!(short.len(), file.lines().count() - 1);
        let short = short.join("\n") + "\n";
        assert!(matches!(read(&short), Err(PortableError::Damaged { .. })), "{short}");
    }

    #[test]
    fn a_later_form_and_other_columns_are_named() {
        let later = written().replacen("\"form\":1", "\"form\":2", 1);
        assert!(matches!(read(&later), Err(PortableError::Version { found: 2, known: 1 })));
        let other = written().replacen("\"value\"", "\"values\"", 1);
        assert!(matches!(read(&other), Err(PortableError::Columns { table: "settings" })));
    }
}
