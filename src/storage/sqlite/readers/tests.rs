use std::fs::remove_file;

use tempfile::TempDir;

use super::super::connection::hand_out;
use super::*;
use crate::domain::ids::AccountNumber;
use crate::storage::cells::Cells;
use crate::storage::own::OwnSet;

fn config(folder: &TempDir, readers: u32) -> StorageConfig {
    let config = StorageConfig { readers, ..StorageConfig::at(folder.path().join("a.db")) };
    let database = Connection::open(&config.path).unwrap();
    database.pragma_update(None, "journal_mode", "wal").unwrap();
    let rows = "CREATE TABLE IF NOT EXISTS t (n); INSERT INTO t VALUES (1)";
    database.execute_batch(rows).unwrap();
    config
}

fn rows(view: &View<'_>) -> Result<i64, StoreError> {
    let mut rows = 0;
    hand_out(view.connection, "SELECT count(*) AS rows FROM t", [], "counting", |row| {
        rows = row.integer("rows")?;
        Ok(())
    })?;
    Ok(rows)
}

#[tokio::test]
async fn a_question_that_fails_or_panics_is_told_so_and_others_are_answered() {
    let folder = TempDir::new().unwrap();
    let readers = Readers::start(&config(&folder, 1), &Arc::default()).unwrap();
    let failed =
        readers.read(AsOf::LastChange, |_| Err::<(), _>(StoreError::Corrupt { column: "n" })).await;
    assert!(matches!(failed, Err(StoreError::Corrupt { .. })), "{failed:?}");
    let panics =
        readers.read(AsOf::LastChange, |_| -> Result<(), StoreError> { panic!("as asked") });
    let (panicked, beside) = tokio::join!(panics, readers.read(AsOf::LastChange, rows));
    assert!(matches!(panicked, Err(StoreError::Panicked)), "{panicked:?}");
    assert_eq!(beside.unwrap(), 1);
    assert_eq!(readers.read(AsOf::LastChange, rows).await.unwrap(), 1);
    let write = |view: &View<'_>| {
        hand_out(view.connection, "INSERT INTO t VALUES (1)", [], "writing", |_| Ok(()))
    };
    let refused = readers.read(AsOf::LastChange, write).await;
    assert!(matches!(refused, Err(StoreError::Sqlite { .. })), "{refused:?}");
}

#[tokio::test]
async fn what_waits_is_answered_together() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 1);
    let known = Arc::new(Known::default());
    known.let_stay(false);
    let readers = Readers::start(&config, &known).unwrap();
    // The only reader is kept busy until the others wait.
    let (begun, has_begun) = oneshot::channel();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let slow = readers.read(AsOf::LastChange, move |view| {
        begun.send(()).unwrap();
        wait.recv().unwrap();
        rows(view)
    });
    let path = config.clone();
    let first = readers.read(AsOf::LastChange, move |view| {
        let before = rows(view)?;
        write(&path);
        Ok(before)
    });
    let others = (0..9).map(|_| readers.read(AsOf::LastChange, rows));
    let others = futures_util::future::join_all(others);
    let together = async {
        has_begun.await.unwrap();
        tokio::join!(first, others, async { go.send(()).unwrap() })
    };
    let (slow, (first, others, ())) = tokio::join!(slow, together);
    assert_eq!((slow.unwrap(), first.unwrap()), (1, 1));
    assert!(others.into_iter().all(|found| found.unwrap() == 1), "it was written meanwhile");
    assert_eq!(readers.read(AsOf::LastChange, rows).await.unwrap(), 2, "that is over");
}

/// Writes a row, as a group of messages would.
fn write(config: &StorageConfig) {
    Connection::open(&config.path).unwrap().execute_batch("INSERT INTO t VALUES (2)").unwrap();
}

#[tokio::test]
async fn a_reader_stays_until_something_changes_or_all_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 1);
    let known = Arc::new(Known::default());
    let readers = Readers::start(&config, &known).unwrap();
    let seen = async |as_of| readers.read(as_of, rows).await.unwrap();
    // A busy machine may take longer than a reader stays, so it is tried again.
    let mut stayed = false;
    for _ in 0..100 {
        let before = seen(AsOf::Now).await;
        write(&config);
        let same = seen(AsOf::LastChange).await;
        assert!(same == before || same == before + 1, "{before}, then {same}");
        stayed |= same == before;
        assert_eq!(seen(AsOf::Now).await, before + 1);
        write(&config);
        known.change().end();
        assert_eq!(seen(AsOf::LastChange).await, before + 2);
        known.let_stay(false);
        // It answers this, and leaves.
        seen(AsOf::LastChange).await;
        write(&config);
        assert_eq!(seen(AsOf::LastChange).await, before + 3);
        known.let_stay(true);
    }
    assert!(stayed);
}

#[tokio::test]
async fn a_reader_that_is_asked_nothing_more_leaves_by_itself() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 1);
    let readers = Readers::start(&config, &Arc::default()).unwrap();
    readers.read(AsOf::LastChange, rows).await.unwrap();
    write(&config);
    let log = Connection::open(&config.path).unwrap();
    log.busy_timeout(IDLE * 200).unwrap();
    let is_busy = |row: &rusqlite::Row<'_>| row.get(0);
    let busy: i64 = log.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], is_busy).unwrap();
    assert_eq!(busy, 0);
    assert_eq!(readers.read(AsOf::LastChange, rows).await.unwrap(), 2);
}

#[tokio::test]
async fn what_a_reader_saw_holds_unless_something_changed_meanwhile() {
    let folder = TempDir::new().unwrap();
    let known = Arc::new(Known::default());
    let readers = Readers::start(&config(&folder, 1), &known).unwrap();
    let guard = |account| Guard::Roster { account: AccountNumber(account), generation: 1 };
    let is_known = |account| {
        let mut guards = OwnSet::from_iter([guard(account)]);
        known.leave_unknown(&mut guards);
        guards.is_empty()
    };
    let hold = move |account| {
        move |view: &View<'_>| {
            view.hold([guard(account)]);
            Ok(())
        }
    };
    readers.read(AsOf::LastChange, hold(1)).await.unwrap();
    assert!(is_known(1) && !is_known(2));
    let change = Arc::clone(&known);
    let late = move |view: &View<'_>| {
        change.change().end();
        hold(2)(view)
    };
    readers.read(AsOf::LastChange, late).await.unwrap();
    assert!(!is_known(1) && !is_known(2));
}

#[tokio::test]
async fn closing_waits_for_what_was_asked() {
    let folder = TempDir::new().unwrap();
    let readers = Readers::start(&config(&folder, 2), &Arc::default()).unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let slow = readers.read(AsOf::LastChange, move |view| {
        wait.recv().unwrap();
        rows(view)
    });
    let (slow, (), ()) = tokio::join!(slow, readers.close(), async { go.send(()).unwrap() });
    assert_eq!(slow.unwrap(), 1);
    assert!(matches!(readers.read(AsOf::LastChange, rows).await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn without_a_database_each_is_told() {
    let folder = TempDir::new().unwrap();
    let config = config(&folder, 2);
    let readers = Readers::start(&config, &Arc::default()).unwrap();
    remove_file(&config.path).unwrap();
    let asked =
        futures_util::future::join_all((0..9).map(|_| readers.read(AsOf::LastChange, rows))).await;
    assert!(asked.iter().all(|it| matches!(it, Err(StoreError::Sqlite { .. }))), "{asked:?}");
}

/// A question whose answer nobody waits for.
struct Unheard;

impl Question for Unheard {
    fn begin(&self) -> bool {
        true
    }

    fn as_of(&self) -> AsOf {
        AsOf::LastChange
    }

    fn answer(self: Box<Self>, _: Result<&View<'_>, StoreError>) {}
}

/// Takes questions on a thread of its own, once it has most probably begun to wait for them; if it has
/// not, it finds by itself what it should be told of.
async fn take_elsewhere(line: &Arc<Line>) -> tokio::task::JoinHandle<usize> {
    let line = Arc::clone(line);
    let other = tokio::task::spawn_blocking(move || line.take(None).len());
    tokio::time::sleep(Duration::from_millis(50)).await;
    other
}

#[tokio::test]
async fn whoever_cannot_take_all_tells_another() {
    let line = Arc::new(Line::default());
    let other = take_elsewhere(&line).await;
    let questions = (0..=AT_ONCE).map(|_| Box::new(Unheard) as Box<dyn Question>);
    line.waiting().questions.extend(questions);
    let here = line.take(None).len();
    let there = timeout(Duration::from_secs(60), other).await.unwrap().unwrap();
    assert_eq!((here.max(there), here + there), (AT_ONCE, AT_ONCE + 1));
}

#[tokio::test]
async fn the_first_of_many_questions_tells_somebody() {
    let line = Arc::new(Line::default());
    let other = take_elsewhere(&line).await;
    line.push(Box::new(Unheard)).unwrap();
    assert_eq!(timeout(Duration::from_secs(60), other).await.unwrap().unwrap(), 1);
}
