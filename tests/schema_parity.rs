//! The two migration folders describe one schema: the same files, tables, columns and types.
//!
//! SQLite is asked for its catalogue after running its files. The PostgreSQL files are read by a
//! parser that knows just what they contain; it stops at anything else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sealpost::domain::ports::Store;
use sealpost::storage::{SqliteStore, StorageConfig};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row};

/// Table, then column, then type in SQLite's words and whether it may be empty.
type Schema = BTreeMap<String, BTreeMap<String, (String, Nullable)>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nullable {
    Yes,
    No,
}

#[derive(Clone, Copy)]
enum OnlyIn {
    Sqlite,
    Postgres,
}

/// Where the databases do best with different columns; the files say why.
const DIFFERENCES: [((&str, &str), OnlyIn); 4] = [
    (("payloads", "slots"), OnlyIn::Sqlite),
    (("inbox", "slot_start"), OnlyIn::Sqlite),
    (("inbox", "slot_length"), OnlyIn::Sqlite),
    (("inbox", "slot"), OnlyIn::Postgres),
];

fn folder(database: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database)
}

fn files(database: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder(database)).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

async fn sqlite_schema() -> Schema {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("schema.db");
    SqliteStore::open(&StorageConfig::at(&path)).await.unwrap().close().await;
    let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let rows = sqlx::query(
        "SELECT tables.name AS table_name, columns.name AS column_name, columns.type AS kind,
            columns.\"notnull\" AS required
         FROM pragma_table_list AS tables JOIN pragma_table_info(tables.name) AS columns
         WHERE tables.schema = 'main' AND tables.strict",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mut schema = Schema::new();
    for row in rows {
        let nullable = if row.get("required") { Nullable::No } else { Nullable::Yes };
        let table = schema.entry(row.get("table_name")).or_default();
        table.insert(row.get("column_name"), (row.get("kind"), nullable));
    }
    schema
}

fn postgres_schema() -> Schema {
    let mut schema = Schema::new();
    for file in files("postgres") {
        let text = std::fs::read_to_string(folder("postgres").join(&file)).unwrap();
        let lines = text.lines().map(|line| line.split("--").next().unwrap_or_default());
        let text = lines.collect::<Vec<_>>().join("\n");
        for statement in text.split(';').map(str::trim).filter(|it| !it.is_empty()) {
            read_statement(&mut schema, statement, &file);
        }
    }
    schema
}

fn read_statement(schema: &mut Schema, statement: &str, file: &str) {
    if statement.starts_with("CREATE INDEX") || statement.starts_with("INSERT INTO") {
        return;
    }
    let table = statement.strip_prefix("CREATE TABLE ");
    let table = table.and_then(|rest| rest.split_once('(')).and_then(|(name, rest)| {
        Some((name.trim().to_owned(), rest.trim_end().strip_suffix(')')?))
    });
    let (name, body) = table.unwrap_or_else(|| panic!("{file}: cannot read {statement:?}"));
    let parts = split_at_commas(body);
    let columns = parts.iter().map(|part| part.trim()).filter(|part| !is_constraint(part));
    assert!(schema.insert(name, columns.map(read_column).collect()).is_none(), "made twice");
}

/// Splits at the commas that stand in no parentheses.
fn split_at_commas(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for character in text.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(character);
    }
    parts
}

fn is_constraint(part: &str) -> bool {
    part.starts_with("PRIMARY KEY") || part.starts_with("UNIQUE")
}

fn read_column(definition: &str) -> (String, (String, Nullable)) {
    let mut words = definition.split_whitespace();
    let (name, kind) = (words.next().unwrap(), words.next().unwrap());
    let kind = match kind {
        "BIGINT" => "INTEGER",
        "BYTEA" => "BLOB",
        "TEXT" => "TEXT",
        other => panic!("{name} has the type {other}, which migrations/README.md does not list"),
    };
    let rest = words.collect::<Vec<_>>().join(" ");
    let required = rest.contains("NOT NULL") || rest.contains("PRIMARY KEY");
    let nullable = if required { Nullable::No } else { Nullable::Yes };
    (name.to_owned(), (kind.to_owned(), nullable))
}

#[test]
fn both_folders_have_the_same_files() {
    let names = files("sqlite");
    assert_eq!(names, files("postgres"));
    for (name, number) in names.iter().zip(1..) {
        assert!(name.starts_with(&format!("{number:04}_")), "{name} should be number {number}");
    }
}

#[tokio::test]
async fn both_folders_make_the_same_tables() {
    let mut schema = sqlite_schema().await;
    assert!(schema.contains_key("inbox") && schema.len() >= 10, "{:?}", schema.keys());
    let mut other = postgres_schema();
    for ((table, column), only_in) in DIFFERENCES {
        let (with, without) = match only_in {
            OnlyIn::Sqlite => (&mut schema, &other),
            OnlyIn::Postgres => (&mut other, &schema),
        };
        assert!(!without[table].contains_key(column), "{table}.{column} is in both");
        let removed = with.get_mut(table).and_then(|columns| columns.remove(column));
        assert!(removed.is_some(), "{table}.{column} is in none");
    }
    assert_eq!(schema, other);
}
