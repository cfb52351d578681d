//! The tables in BENCHMARKS.md. A run replaces those of the parts that it has measured; the others
//! stay as an earlier run has left them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::ValueEnum as _;

use super::arguments::Part;

/// Everything after this line is written here.
const MARK: &str = "<!-- results -->\n";

const DATABASES: [&str; 2] = ["SQLite", "PostgreSQL"];

/// The tables of each part, by the database's name and the part's.
#[derive(Default)]
pub struct Results(BTreeMap<(String, String), String>);

impl Results {
    /// Adds what a part came to.
    pub fn add(&mut self, database: &str, part: Part, text: String) {
        self.0.insert((database.to_owned(), name(part)), text);
    }

    /// All of them, in order.
    pub fn text(&self) -> String {
        let mut all = String::new();
        for database in DATABASES {
            let parts = Part::value_variants().iter().map(|part| name(*part));
            let find = |part: String| {
                let text = self.0.get(&(database.to_owned(), part.clone()))?;
                Some((part, text.trim()))
            };
            let found: Vec<_> = parts.filter_map(find).collect();
            if !found.is_empty() {
                let _ = writeln!(all, "## {database}\n");
            }
            for (part, text) in found {
                let _ = writeln!(all, "{}\n{text}\n", comment(&part));
            }
        }
        all
    }

    /// Puts them into the file.
    pub fn write(self) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/BENCHMARKS.md");
        let before = std::fs::read_to_string(path).unwrap_or_default();
        let (head, old) = before.split_once(MARK).unwrap_or((&before, ""));
        let mut all = Self::of(old);
        all.0.extend(self.0);
        let text = format!("{head}{MARK}\n{}", all.text());
        std::fs::write(path, text).expect("a file that can be written");
    }

    fn of(text: &str) -> Self {
        let mut all = Self::default();
        let (mut database, mut part) = (String::new(), None);
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("## ") {
                (database, part) = (name.to_owned(), None);
            } else if let Some(found) = named(line) {
                part = Some(found);
            } else if let Some(part) = &part {
                let text = all.0.entry((database.clone(), part.clone())).or_default();
                let _ = writeln!(text, "{line}");
            }
        }
        all
    }
}

/// What stands before the tables of a part.
fn comment(part: &str) -> String {
    format!("<!-- part: {part} -->")
}

fn named(line: &str) -> Option<String> {
    let name = line.strip_prefix("<!-- part: ")?.strip_suffix(" -->")?;
    Some(name.to_owned())
}

fn name(part: Part) -> String {
    let value = part.to_possible_value();
    value.map(|value| value.get_name().to_owned()).unwrap_or_default()
}
