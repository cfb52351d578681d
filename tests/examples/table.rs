//! What the languages can do, as a table.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The languages in the order of their rows.
const LANGUAGES: [&str; 5] = ["Rust", "Python", "Go", "TypeScript", "a browser"];

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
/// It goes to standard output itself, which is not captured as `println` is, and into a file in the
/// build's folder, which `scripts/test.sh` shows at its end.
pub fn add(row: Row) {
    static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());
    let mut rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    rows.push(row);
    rows.sort_by_key(|row| place(row.language));
    let table = text(&rows);
    io::stdout().write_all(format!("\n{table}\n").as_bytes()).expect("standard output");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples.txt");
    fs::write(file, table).expect("a writable folder");
}

fn place(language: &str) -> usize {
    LANGUAGES.iter().position(|one| *one == language).expect("a language of the table")
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
    format!("{}\n", lines.join("\n"))
}

#[test]
fn every_column_is_as_wide_as_its_widest_cell() {
    let row = |language, cell: &str| {
        let [vectors, echo, broadcast, refresh] = [cell; 4].map(str::to_owned);
        Row { language, vectors, echo, broadcast, refresh }
    };
    let expected = "\
language  vectors       echo_bot      broadcast     session_refresh
Go        a long story  a long story  a long story  a long story
Python    short         short         short         short
";
    assert_eq!(text(&[row("Go", "a long story"), row("Python", "short")]), expected);
}
