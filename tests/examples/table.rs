//! What the languages can do, as a table.

use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

/// One language.
pub struct Row {
    pub language: &'static str,
    pub vectors: String,
    pub echo: String,
    pub broadcast: String,
    pub refresh: String,
}

/// Adds a language and prints the table with all languages so far; the last one has them all.
///
/// It goes to standard output itself, which is not captured as `println` is.
pub fn add(row: Row) {
    static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());
    let mut rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    rows.push(row);
    rows.sort_by_key(|row| row.language);
    io::stdout().write_all(text(&rows).as_bytes()).expect("standard output");
}

fn text(rows: &[Row]) -> String {
    let titles = ["language", "vectors", "echo_bot", "broadcast", "session_refresh"];
    let mut lines = vec![titles.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        let Row { language, vectors, echo, broadcast, refresh } = row;
        [*language, vectors, echo, broadcast, refresh].map(str::to_owned)
    }));
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3, 4].map(width);
    let line = |cells: &[String; 5]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let lines: Vec<_> = lines.iter().map(line).collect();
    format!("\n{}\n\n", lines.join("\n"))
}

#[test]
fn every_column_is_as_wide_as_its_widest_cell() {
    let row = |language, cell: &str| {
        let [vectors, echo, broadcast, refresh] = [cell; 4].map(str::to_owned);
        Row { language, vectors, echo, broadcast, refresh }
    };
    let expected = "
language  vectors       echo_bot      broadcast     session_refresh
Go        a long story  a long story  a long story  a long story
Python    short         short         short         short

";
    assert_eq!(text(&[row("Go", "a long story"), row("Python", "short")]), expected);
}
