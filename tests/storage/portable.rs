//! A move with a row in every table: nothing is left behind on the way to either kind of database.

use sealpost::domain::ports::Store;
use sealpost::storage::portable::{self, Moved, PortableError, Watcher};
use sealpost::storage::{Database, PostgresConfig, PostgresStore, SqliteStore, StorageConfig};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Row, SqliteConnection, query, query_as};
use tempfile::TempDir;

use crate::harness::postgres::Schema;

/// Tables that are laid out in a way of their own, and are filled below one by one.
const OWN: &[&str] = &[
    "settings",
    "sequences",
    "payloads",
    "inbox",
    "fresh_rows",
    "settled",
    "seen_newest",
    "seen_runs",
    "seen_chunks",
    "seen_filters",
];

/// A message with two slots, of which the second one waits; ids of messages among the newest and in a
/// run; and numbers that were given out before.
const ROWS: &[&str] = &[
    "INSERT INTO settings (name, value) VALUES ('gateway_signing_key', x'07')",
    "UPDATE sequences SET value = 9",
    "UPDATE settled SET through = 9, target = 9",
    "INSERT INTO payloads (number, shard, sender_account, sender_session, message_id, category,
        accepted_at, expires_at, details, waiting, slots, body)
    VALUES (9, 5, 1, 1, x'00000000000000000000000000000009', 'ENCRYPTED_TEXT', 3, 4, x'', x'01',
        x'0a0b0c0d', x'ff')",
    "INSERT INTO inbox (shard, session, number, leased_until, deliveries, slot_start, slot_length)
    VALUES (6, 1, 9, 77, 2, 2, 2)",
    // A notice has no slots, and its row an empty one.
    "INSERT INTO payloads (number, shard, sender_account, sender_session, message_id, category,
        accepted_at, expires_at, details, waiting, slots, body)
    VALUES (8, 6, 1, 1, x'00000000000000000000000000000008', 'SYSTEM_CONVERSATION', 3, 4, x'', x'',
        x'', x'ff')",
    "INSERT INTO inbox (shard, session, number, leased_until, deliveries, slot_start, slot_length)
    VALUES (6, 1, 8, 0, 0, 0, 0)",
    "INSERT INTO seen_newest (number, newest_at, ids) VALUES (9, 3,
        unhex('0100000000000000' || '1111111111111111' || '2222222222222222'
            || '3333333333333333' || '4444444444444444'
            || '0200000000000000' || '5555555555555555' || '6666666666666666'
            || '7777777777777777' || '8888888888888888'))",
    "INSERT INTO seen_runs (number, level, ids, newest_at, state, written_to)
    VALUES (1, 0, 1, 3, 'done', 9)",
    "INSERT INTO seen_chunks (run, first, ids) VALUES (1, 0,
        unhex('0300000000000000' || '9999999999999999' || 'aaaaaaaaaaaaaaaa'
            || 'bbbbbbbbbbbbbbbb' || 'cccccccccccccccc'))",
    "UPDATE sqlite_sequence SET seq = 12 WHERE name = 'drop_boxes'",
];

/// A database file.
struct File {
    folder: TempDir,
}

impl File {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn config(&self) -> StorageConfig {
        StorageConfig::at(self.folder.path().join("moved.db"))
    }

    async fn connect(&self) -> SqliteConnection {
        let path = self.config().path;
        SqliteConnectOptions::new().filename(path).connect().await.unwrap()
    }

    /// With a row in every table; returns how many there are.
    async fn filled() -> (Self, usize) {
        let file = Self::new();
        SqliteStore::open(&file.config()).await.unwrap().close().await;
        let mut connection = file.connect().await;
        run(&mut connection, "PRAGMA foreign_keys = OFF").await;
        let names = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict";
        let tables = query(names).fetch_all(&mut connection).await.unwrap();
        for table in &tables {
            let table: String = table.get("name");
            if !OWN.contains(&table.as_str()) {
                let insert = made_up(&mut connection, &table).await;
                run(&mut connection, &insert).await;
            }
        }
        for statement in ROWS {
            run(&mut connection, statement).await;
        }
        let broken = query("PRAGMA foreign_key_check").fetch_all(&mut connection).await;
        assert_eq!(broken.unwrap().len(), 0, "rows that refer to nothing");
        (file, tables.len())
    }
}

async fn run(connection: &mut SqliteConnection, statement: &str) {
    let done = query(AssertSqlSafe(statement.to_owned())).execute(connection).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// An insert of a row that has a value in every column.
async fn made_up(connection: &mut SqliteConnection, table: &str) -> String {
    let columns = query("SELECT name, type FROM pragma_table_info(?1)");
    let columns = columns.bind(table.to_owned()).fetch_all(connection).await.unwrap();
    let value = |kind: String| match kind.as_str() {
        "INTEGER" => "1",
        "TEXT" => "'tëxt \"1\"'",
        _ => "x'00000000000000000000000000000001'",
    };
    let names: Vec<String> = columns.iter().map(|column| column.get("name")).collect();
    let values: Vec<&str> = columns.iter().map(|column| value(column.get("type"))).collect();
    format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", "))
}

/// Counts what it is told.
#[derive(Default)]
struct Told {
    total: u64,
    done: u64,
}

impl Watcher for Told {
    fn begins(&mut self, rows: u64) {
        self.total = rows;
    }

    fn advanced(&mut self, rows: u64) {
        self.done += rows;
    }
}

/// The export's lines and what it says of itself.
async fn export(database: &Database) -> (String, Moved) {
    let (mut file, mut told) = (Vec::new(), Told::default());
    let moved = portable::export(database, &mut file, &mut told).await.unwrap();
    assert_eq!((told.total, told.done), (moved.rows, moved.rows));
    (String::from_utf8(file).unwrap(), moved)
}

async fn import(database: &Database, file: &str) -> Result<Moved, PortableError> {
    portable::import(database, file.as_bytes(), &mut Told::default()).await
}

/// The rows of the file, whatever their order.
fn rows(file: &str) -> Vec<&str> {
    let mut rows: Vec<_> = file.lines().filter(|line| line.starts_with('[')).collect();
    rows.sort_unstable();
    rows
}

#[tokio::test]
async fn every_row_of_every_table_arrives() {
    let (source, tables) = File::filled().await;
    let (file, moved) = export(&source.config().into()).await;
    assert!(moved.rows > (tables - OWN.len()) as u64, "{moved:?}");
    assert!(file.contains("\"DA0=\""), "the slot that waits is cut from the message's: {file}");
    assert!(file.contains("[8,6,6,1,0,null,\"\"]"), "what has no slot has an empty one: {file}");
    assert!(!file.contains("seen_secret"), "{file}");
    let target = File::new();
    assert_eq!(import(&target.config().into(), &file).await.unwrap(), moved);
    let (again, _) = export(&target.config().into()).await;
    assert_eq!(rows(&again), rows(&file));
}

#[tokio::test]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn every_row_of_every_table_arrives_on_a_server_and_back() {
    let (source, _) = File::filled().await;
    let (file, moved) = export(&source.config().into()).await;
    let schema = Schema::create();
    let server = Database::from(PostgresConfig::at(schema.url()));
    assert_eq!(import(&server, &file).await.unwrap(), moved);
    let (there, _) = export(&server).await;
    let back = File::new();
    assert_eq!(import(&back.config().into(), &there).await.unwrap(), moved);
    let (again, _) = export(&back.config().into()).await;
    // The order of columns is the database's own, so the two files cannot be compared line by line.
    assert_eq!(rows(&again).len(), rows(&file).len());
    assert!(again.contains("[9,5,6,1,2,null,\"DA0=\"]"), "{again}");
    let numbers = "SELECT nextval('message_numbers') AS message,
        nextval(pg_get_serial_sequence('drop_boxes', 'number')) AS box,
        nextval(pg_get_serial_sequence('accounts', 'number')) AS account";
    let row = query(numbers).fetch_one(&mut schema.connect().await).await.unwrap();
    let next: [i64; 3] = ["message", "box", "account"].map(|name| row.get(name));
    assert_eq!(next, [10, 13, 2], "numbers go on where they were");
}

/// An id that was forgotten with its era, and came again before its old row was gone.
const CAME_AGAIN: [&str; 4] = [
    "INSERT INTO seen_messages VALUES (1, 1, 'id'::bytea, ''::bytea, 3, 1)",
    "DELETE FROM seen_eras",
    "INSERT INTO seen_eras (era) VALUES (2)",
    "INSERT INTO seen_messages VALUES (1, 1, 'id'::bytea, ''::bytea, 7, 2)",
];

#[tokio::test]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn an_id_that_was_forgotten_with_its_era_stays_behind() {
    let (source, target) = (Schema::create(), Schema::create());
    PostgresStore::open(&source.config()).await.unwrap().close().await;
    for statement in CAME_AGAIN {
        query(statement).execute(&mut source.connect().await).await.unwrap();
    }
    let (file, moved) = export(&source.config().into()).await;
    assert_eq!(import(&target.config().into(), &file).await.unwrap(), moved);
    let rows = query_as::<_, (i64, i64)>("SELECT era, accepted_at FROM seen_messages");
    assert_eq!(rows.fetch_all(&mut target.connect().await).await.unwrap(), [(1, 7)]);
}

#[tokio::test]
async fn a_file_that_breaks_off_leaves_the_database_as_it_was() {
    let (source, _) = File::filled().await;
    let (file, _) = export(&source.config().into()).await;
    let target = File::new();
    let half = &file[..file.len() / 2];
    let failed = import(&target.config().into(), half).await;
    assert!(matches!(failed, Err(PortableError::CutOff { .. })), "{failed:?}");
    import(&target.config().into(), &file).await.unwrap();
    let failed = import(&target.config().into(), &file).await;
    assert!(matches!(failed, Err(PortableError::NotEmpty { .. })), "{failed:?}");
}
