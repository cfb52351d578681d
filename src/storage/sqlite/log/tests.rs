use std::path::PathBuf;

use sqlx::{Connection, SqliteConnection, query, query_scalar};

use super::*;
use crate::storage::StorageConfig;
use crate::storage::sqlite::connect;
use crate::storage::sqlite::connection::hand_out;
use crate::storage::sqlite::readers::{AsOf, Readers, View};

const SHORT: Lengths = Lengths { look_bytes: PAGE, due: 40, little: 8 };

const PAGE: usize = 4096;

/// So many groups are far from the length at which commits copy the log by themselves.
const GROUPS: i64 = 10_000;

/// A writer and its log.
struct Desk {
    _folder: tempfile::TempDir,
    config: StorageConfig,
    writer: SqliteConnection,
    known: Arc<Known>,
    log: Log,
    groups: i64,
}

impl Desk {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = StorageConfig::at(folder.path().join("sealpost.db"));
        connect::create_file(&config.path).unwrap();
        let mut writer = connect::writer(&connect::writer_options(&config)).await.unwrap();
        query("CREATE TABLE pages (body BLOB)").execute(&mut writer).await.unwrap();
        let known = Arc::new(Known::default());
        let copier = connect::copier(&config).await.unwrap();
        let log = Log::new(&config.path, copier, SHORT, Arc::clone(&known));
        Self { _folder: folder, config, writer, known, log, groups: 0 }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        format!("{}{ending}", self.config.path.display()).into()
    }

    /// Writes a group; gives whether the log began anew with it.
    async fn write(&mut self) -> bool {
        let before = ask(&mut self.writer, LOOK).await.unwrap().length;
        self.log.finish(&mut self.writer).await;
        let insert = query("INSERT INTO pages VALUES (zeroblob(3000))");
        insert.execute(&mut self.writer).await.unwrap();
        self.log.grew(PAGE);
        self.groups += 1;
        ask(&mut self.writer, LOOK).await.unwrap().length < before
    }

    async fn writes_until_the_log_begins_anew(&mut self) {
        while !self.write().await {
            assert!(self.groups < GROUPS, "the log was never copied to its end");
        }
    }
}

async fn written(connection: &mut SqliteConnection) -> i64 {
    query_scalar("SELECT count(*) FROM pages").fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn a_log_that_is_copied_beside_its_writer_begins_anew() {
    let mut desk = Desk::new().await;
    for _ in 0..3 {
        desk.writes_until_the_log_begins_anew().await;
    }
    assert_eq!(written(&mut desk.writer).await, desk.groups);
    let files = ["-wal", "-shm"].map(|ending| desk.beside(ending));
    desk.log.close().await;
    desk.writer.close().await.unwrap();
    assert!(files.iter().all(|file| !file.exists()), "somebody still has the database open");
}

#[tokio::test]
async fn a_reader_that_stays_holds_up_the_log_and_nobody_else() {
    let mut desk = Desk::new().await;
    let readers = connect::readers(&desk.config).await.unwrap();
    let mut reader = readers.begin().await.unwrap();
    assert_eq!(written(&mut reader).await, 0);
    for _ in 0..400 {
        assert!(!desk.write().await, "the log began anew under a reader");
    }
    assert!(!desk.log.is_nearly_copied.load(Ordering::Acquire), "all of it was left to the writer");
    assert_eq!(written(&mut reader).await, 0);
    reader.commit().await.unwrap();
    desk.writes_until_the_log_begins_anew().await;
    assert_eq!(written(&mut desk.writer).await, desk.groups);
}

#[tokio::test]
async fn readers_that_stay_while_they_may_leave_for_the_log_to_begin_anew() {
    let mut desk = Desk::new().await;
    let readers = Readers::start(&desk.config, &desk.known).unwrap();
    let ask = |view: &View<'_>| {
        hand_out(view.connection, "SELECT count(*) AS pages FROM pages", [], "counting", |_| Ok(()))
    };
    for _ in 0..3 {
        while !desk.write().await {
            readers.read(AsOf::LastChange, ask).await.unwrap();
            assert!(desk.groups < GROUPS, "the log was never copied to its end");
        }
    }
    readers.close().await;
}

/// The version from which connections may copy a log beside others.
const SAFE: [u32; 3] = [3, 51, 3];

#[tokio::test]
async fn the_library_that_is_built_in_lets_others_copy() {
    let mut desk = Desk::new().await;
    let version = query_scalar("SELECT sqlite_version()").fetch_one(&mut desk.writer).await;
    let version: String = version.unwrap();
    let numbers: Vec<u32> = version.split('.').map(|number| number.parse().unwrap()).collect();
    assert!(numbers.as_slice() >= SAFE.as_slice(), "{version}");
}

#[tokio::test]
async fn the_library_that_is_built_in_shares_no_lock_and_takes_pages_one_by_one() {
    let mut desk = Desk::new().await;
    let options = query_scalar("PRAGMA compile_options").fetch_all(&mut desk.writer).await;
    let options: Vec<String> = options.unwrap();
    for wanted in ["DEFAULT_MEMSTATUS=0", "DEFAULT_PCACHE_INITSZ=0"] {
        assert!(options.iter().any(|option| option == wanted), "{wanted}: {options:?}");
    }
    assert!(options.iter().all(|option| option != "ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
}
