//! The two migration folders describe one schema: the same files, tables, columns, types, defaults and
//! keys.
//!
//! Both databases run their files and are asked for their catalogues. What only one of them has
//! stands below, with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sealpost::domain::ports::Store;
use sealpost::storage::{PostgresStore, SqliteStore, StorageConfig};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection};

use crate::harness::postgres::Schema as Place;

/// Tables that only PostgreSQL has, with the reason.
const POSTGRES_TABLES: &[(&str, &str)] = &[
    (
        "seen_messages",
        "many writers at once need a unique key; it is appended to a heap, and to the key's tree",
    ),
    ("seen_eras", "which part of that tree takes new ids, and filters for the others"),
];

/// Tables that only SQLite has, with the reason.
const SQLITE_TABLES: &[(&str, &str)] = &[
    ("seen_newest", "one writer can keep ids in sorted runs, which cost a tenth of a tree's pages"),
    ("seen_runs", "the same"),
    ("seen_chunks", "the same"),
    ("seen_filters", "the same"),
    ("fresh_rows", "one process can keep rows in memory until many go to their places at once"),
    ("settled", "how far they have"),
];

/// Columns that only PostgreSQL has: table, column, reason.
const POSTGRES_COLUMNS: &[(&str, &str, &str)] = &[
    ("inbox", "home", "the shard of the payload, which is stored once and not once for each shard"),
    ("top_ups", "home", "the same"),
    ("inbox", "slot", "rows are appended to a heap; only SQLite's tree pays for their length"),
    ("ended_inboxes", "successor", "messages may arrive after the session was replaced"),
    (
        "ended_inboxes",
        "look_at",
        "the same; SQLite's one writer stores nothing for an ended session",
    ),
];

/// Columns that only SQLite has: table, column, reason.
const OWN_SQLITE_COLUMNS: &[(&str, &str, &str)] = &[
    ("payloads", "slots", "short rows of inboxes share pages of their tree, so slots stand here"),
    ("inbox", "slot_start", "where the slot stands in the payload's"),
    ("inbox", "slot_length", "the same"),
];

/// Primary keys that differ: table, SQLite's columns, PostgreSQL's, reason.
const PRIMARY_KEYS: &[(&str, &str, &str, &str)] = &[(
    "payloads",
    "number",
    "shard,number",
    "a file is in one place and grows at its right edge; a server's tables can be spread by shard",
)];

/// Over which rows an index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Extent {
    All,
    Some,
}

/// An index that one database has: table, columns, rows, reason.
type Own = (&'static str, &'static str, Extent, &'static str);

/// Indexes that only PostgreSQL has.
const POSTGRES_INDEXES: &[Own] = &[
    (
        "ended_inboxes",
        "look_at",
        Extent::All,
        "entries stay for a while, so those that are due are looked up",
    ),
    (
        "sessions",
        "account",
        Extent::Some,
        "a roster reads the rows anyway, to see whether they are visible",
    ),
];

/// Indexes that only SQLite has.
const SQLITE_INDEXES: &[Own] = &[(
    "sessions",
    "account,ended_at,id,agreement_key,platform",
    Extent::Some,
    "what an index has need not be read from the rows, which saves a page for each roster",
)];

/// Rows of `sequences` that only SQLite has, with the reason.
const SQLITE_SEQUENCES: &[(&str, &str)] =
    &[("messages", "PostgreSQL has a sequence of its own, for which no writer waits for another")];

/// What a database says of its tables.
#[derive(Debug, Default, PartialEq, Eq)]
struct Schema {
    /// Table, then column.
    columns: BTreeMap<String, BTreeMap<String, Column>>,
    /// Primary keys: table and columns, in order.
    primary_keys: BTreeSet<(String, String)>,
    /// Other indexes.
    indexes: BTreeSet<Index>,
    /// Columns that refer to others.
    references: BTreeSet<Reference>,
    /// The rows of the table `sequences`.
    sequences: BTreeSet<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Column {
    /// The type in SQLite's words.
    kind: String,
    nullable: Nullable,
    /// What it is when nobody says, as SQL.
    default: Option<String>,
}

/// One column of a foreign key.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reference {
    table: String,
    column: String,
    other_table: String,
    other_column: String,
    /// What becomes of a row that refers to one which is deleted.
    on_delete: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nullable {
    Yes,
    No,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Index {
    table: String,
    /// In order, with commas between them.
    columns: String,
    unique: bool,
    extent: Extent,
}

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

const SQLITE_COLUMNS: &str = "
    SELECT tables.name AS table_name, columns.name AS column_name, columns.type AS kind,
        columns.\"notnull\" OR columns.pk AS required, columns.dflt_value AS default_value
    FROM pragma_table_list AS tables JOIN pragma_table_info(tables.name) AS columns
    WHERE tables.schema = 'main' AND tables.strict";

const SQLITE_PRIMARY_KEYS: &str = "
    SELECT table_name, group_concat(name) AS column_names FROM (
        SELECT tables.name AS table_name, columns.name
        FROM pragma_table_list AS tables JOIN pragma_table_info(tables.name) AS columns
        WHERE tables.schema = 'main' AND tables.strict AND columns.pk > 0
        ORDER BY tables.name, columns.pk
    ) GROUP BY table_name";

const SQLITE_INDEX_COLUMNS: &str = "
    SELECT table_name, only_one, is_partial, group_concat(name) AS column_names FROM (
        SELECT tables.name AS table_name, indexes.name AS index_name,
            indexes.\"unique\" AS only_one, indexes.partial AS is_partial, columns.name
        FROM pragma_table_list AS tables JOIN pragma_index_list(tables.name) AS indexes
            JOIN pragma_index_info(indexes.name) AS columns
        WHERE tables.schema = 'main' AND tables.strict AND indexes.origin <> 'pk'
        ORDER BY indexes.name, columns.seqno
    ) GROUP BY table_name, index_name";

const SQLITE_REFERENCES: &str = "
    SELECT tables.name AS table_name, keys.\"from\" AS column_name, keys.\"table\" AS other_table,
        keys.\"to\" AS other_column, keys.on_delete
    FROM pragma_table_list AS tables JOIN pragma_foreign_key_list(tables.name) AS keys
    WHERE tables.schema = 'main' AND tables.strict";

async fn sqlite_schema() -> Schema {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("schema.db");
    SqliteStore::open(&StorageConfig::at(&path)).await.unwrap().close().await;
    let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let mut schema = Schema::default();
    for row in sqlite(&mut connection, SQLITE_COLUMNS).await {
        let nullable = if row.get("required") { Nullable::No } else { Nullable::Yes };
        let (kind, default) = (row.get("kind"), row.get("default_value"));
        let table = schema.columns.entry(row.get("table_name")).or_default();
        table.insert(row.get("column_name"), Column { kind, nullable, default });
    }
    for row in sqlite(&mut connection, SQLITE_PRIMARY_KEYS).await {
        schema.primary_keys.insert((row.get("table_name"), row.get("column_names")));
    }
    for row in sqlite(&mut connection, SQLITE_INDEX_COLUMNS).await {
        schema.indexes.insert(Index {
            table: row.get("table_name"),
            columns: row.get("column_names"),
            unique: row.get("only_one"),
            extent: extent(row.get("is_partial")),
        });
    }
    for row in sqlite(&mut connection, SQLITE_REFERENCES).await {
        schema.references.insert(Reference {
            table: row.get("table_name"),
            column: row.get("column_name"),
            other_table: row.get("other_table"),
            other_column: row.get("other_column"),
            on_delete: row.get("on_delete"),
        });
    }
    let sequences = sqlite(&mut connection, "SELECT name FROM sequences").await;
    schema.sequences = sequences.iter().map(|row| row.get("name")).collect();
    schema
}

async fn sqlite(
    connection: &mut SqliteConnection,
    sql: &'static str,
) -> Vec<sqlx::sqlite::SqliteRow> {
    sqlx::query(sql).fetch_all(connection).await.unwrap()
}

const POSTGRES_COLUMN_LIST: &str = "
    SELECT table_name::text, column_name::text, data_type::text AS kind,
        is_nullable = 'YES' AS nullable, column_default::text AS default_value
    FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name <> '_sqlx_migrations'";

/// Every index, a primary key's included, with its columns in order.
const POSTGRES_INDEX_COLUMNS: &str = "
    SELECT tables.relname::text AS table_name, indexes.indisprimary AS is_primary,
        indexes.indisunique AS only_one, indexes.indpred IS NOT NULL AS is_partial,
        string_agg(columns.attname, ',' ORDER BY keys.place) AS column_names
    FROM pg_index AS indexes
        JOIN pg_class AS tables ON tables.oid = indexes.indrelid
        CROSS JOIN unnest(indexes.indkey::smallint[]) WITH ORDINALITY AS keys (attribute, place)
        JOIN pg_attribute AS columns
            ON columns.attrelid = tables.oid AND columns.attnum = keys.attribute
    WHERE tables.relnamespace = current_schema()::regnamespace
        AND tables.relname <> '_sqlx_migrations' AND keys.place <= indexes.indnkeyatts
    GROUP BY indexes.indexrelid, tables.relname, indexes.indisprimary, indexes.indisunique,
        indexes.indpred IS NOT NULL";

const POSTGRES_REFERENCES: &str = "
    SELECT tables.relname::text AS table_name, columns.attname::text AS column_name,
        others.relname::text AS other_table, targets.attname::text AS other_column,
        CASE keys.confdeltype WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT'
            WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END AS on_delete
    FROM pg_constraint AS keys
        JOIN pg_class AS tables ON tables.oid = keys.conrelid
        JOIN pg_class AS others ON others.oid = keys.confrelid
        CROSS JOIN unnest(keys.conkey, keys.confkey) AS pairs (own, other)
        JOIN pg_attribute AS columns
            ON columns.attrelid = tables.oid AND columns.attnum = pairs.own
        JOIN pg_attribute AS targets
            ON targets.attrelid = others.oid AND targets.attnum = pairs.other
    WHERE keys.contype = 'f' AND tables.relnamespace = current_schema()::regnamespace";

async fn postgres_schema() -> Schema {
    let place = Place::create();
    drop(PostgresStore::open(&place.config()).await.unwrap());
    let mut connection = place.connect().await;
    let mut schema = Schema::default();
    for row in sqlx::query(POSTGRES_COLUMN_LIST).fetch_all(&mut connection).await.unwrap() {
        let nullable = if row.get("nullable") { Nullable::Yes } else { Nullable::No };
        let kind = in_sqlites_words(row.get("kind"));
        let default: Option<String> = row.get("default_value");
        let default = default.map(|value| value.trim_end_matches("::text").to_owned());
        let table = schema.columns.entry(row.get("table_name")).or_default();
        table.insert(row.get("column_name"), Column { kind: kind.to_owned(), nullable, default });
    }
    for row in sqlx::query(POSTGRES_INDEX_COLUMNS).fetch_all(&mut connection).await.unwrap() {
        let (table, columns) = (row.get("table_name"), row.get("column_names"));
        if row.get("is_primary") {
            schema.primary_keys.insert((table, columns));
        } else {
            let (unique, extent) = (row.get("only_one"), extent(row.get("is_partial")));
            schema.indexes.insert(Index { table, columns, unique, extent });
        }
    }
    for row in sqlx::query(POSTGRES_REFERENCES).fetch_all(&mut connection).await.unwrap() {
        schema.references.insert(Reference {
            table: row.get("table_name"),
            column: row.get("column_name"),
            other_table: row.get("other_table"),
            other_column: row.get("other_column"),
            on_delete: row.get("on_delete"),
        });
    }
    let sequences = sqlx::query("SELECT name FROM sequences").fetch_all(&mut connection).await;
    schema.sequences = sequences.unwrap().iter().map(|row| row.get("name")).collect();
    schema
}

fn extent(is_partial: bool) -> Extent {
    if is_partial { Extent::Some } else { Extent::All }
}

fn in_sqlites_words(kind: &str) -> &'static str {
    match kind {
        "bigint" => "INTEGER",
        "bytea" => "BLOB",
        "text" => "TEXT",
        other => panic!("a column has the type {other}, which migrations/README.md does not list"),
    }
}

impl Schema {
    /// Takes out the tables that a list allows one database to have.
    fn take_out_tables(&mut self, allowed: &[(&str, &str)]) {
        for (table, reason) in allowed {
            assert!(self.columns.remove(*table).is_some(), "no table {table}: {reason}");
            self.primary_keys.retain(|(own, _)| own != table);
            self.indexes.retain(|index| index.table != *table);
            self.references.retain(|reference| reference.table != *table);
        }
    }
}

/// Takes out what a list allows one database to have; what is listed and not there is a mistake too.
fn take_out(indexes: &mut BTreeSet<Index>, allowed: &[Own]) {
    for (table, columns, extent, reason) in allowed {
        let before = indexes.len();
        indexes.retain(|index| {
            (index.table.as_str(), index.columns.as_str(), index.extent)
                != (*table, *columns, *extent)
        });
        assert!(indexes.len() < before, "no index on {table} ({columns}): {reason}");
    }
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
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn both_folders_make_the_same_tables() {
    let (mut sqlite, mut postgres) = (sqlite_schema().await, postgres_schema().await);
    assert!(sqlite.columns.contains_key("inbox") && sqlite.columns.len() >= 10, "{sqlite:?}");
    assert!(sqlite.indexes.len() >= 10 && sqlite.primary_keys.len() >= 10, "{sqlite:?}");
    assert!(sqlite.references.len() >= 10, "{sqlite:?}");
    assert_eq!(sqlite.columns["inbox"]["deliveries"].default.as_deref(), Some("0"));
    sqlite.take_out_tables(SQLITE_TABLES);
    postgres.take_out_tables(POSTGRES_TABLES);
    for (table, column, reason) in POSTGRES_COLUMNS {
        let taken = postgres.columns.get_mut(*table).and_then(|columns| columns.remove(*column));
        assert!(taken.is_some(), "{table}.{column} is not there: {reason}");
    }
    for (table, column, reason) in OWN_SQLITE_COLUMNS {
        let taken = sqlite.columns.get_mut(*table).and_then(|columns| columns.remove(*column));
        assert!(taken.is_some(), "{table}.{column} is not there: {reason}");
    }
    for (name, reason) in SQLITE_SEQUENCES {
        assert!(sqlite.sequences.remove(*name), "no sequence {name}: {reason}");
    }
    for (table, ours, theirs, reason) in PRIMARY_KEYS {
        let key = |columns: &str| (String::from(*table), columns.to_owned());
        let both =
            sqlite.primary_keys.remove(&key(ours)) && postgres.primary_keys.remove(&key(theirs));
        assert!(both, "the keys of {table} are others: {reason}");
    }
    take_out(&mut postgres.indexes, POSTGRES_INDEXES);
    take_out(&mut sqlite.indexes, SQLITE_INDEXES);
    assert_eq!(sqlite.columns, postgres.columns);
    assert_eq!(sqlite.references, postgres.references);
    assert_eq!(sqlite.primary_keys, postgres.primary_keys);
    assert_eq!(sqlite.indexes, postgres.indexes);
    assert_eq!(sqlite.sequences, postgres.sequences);
}
