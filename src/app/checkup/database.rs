//! What `sealpost doctor` sees in the database: opened to be looked at, or asked of the gateway that
//! works with it.

use std::time::Duration;

use super::{BEHIND, CLOCK_ADVICE, Finding};
use crate::admin::client::{AdminClient, CallError};
use crate::admin::types::{DatabaseCheck, Status};
use crate::domain::clock::{Clock, SystemClock, Timestamp};
use crate::domain::ports::Soundness;
use crate::http::fault_log::chain;
use crate::storage::{self, Database, Progress};

const DATABASE: &str = "database";
const MESSAGES: &str = "messages";

/// How long a look for damage may take. The whole of a database of some gigabytes takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

const BACKUP: &str = "stop the gateway, keep a copy, and put the last backup in its place";

const UNREADABLE: &str =
    "let this user read and write it; if it is damaged, put the last backup in its place";

const OUT_OF_REACH: &str = "see that the server runs and that database.url has the right host, \
     database, user and password: `psql` with the same URL says what it says";

/// Looks at a database that no gateway of this directory works with, and changes nothing in it.
pub(super) async fn at_rest(database: &Database) -> Vec<Finding> {
    let advice = match database {
        Database::Sqlite(_) => UNREADABLE,
        Database::Postgres(_) => OUT_OF_REACH,
    };
    let (store, progress) = match storage::look_at(database).await {
        Ok(opened) => opened,
        Err(error) => return vec![Finding::fail(DATABASE, chain(&error), advice)],
    };
    if matches!((database, progress.done), (Database::Postgres(_), 0)) {
        store.close().await;
        return vec![Finding::ok(DATABASE, "answers, and is empty; `serve` makes its tables")];
    }
    let mut findings = vec![match store.check(PATIENCE).await {
        Ok(found) => soundness(&found, progress),
        Err(fault) => Finding::fail(DATABASE, chain(&fault), BACKUP),
    }];
    // Before the migrations there may be nothing to read the messages from.
    if progress.missing == 0 {
        findings.push(match store.statistics().await {
            Ok(statistics) => newest_message(SystemClock.now(), statistics.newest_message),
            Err(fault) => Finding::fail(MESSAGES, chain(&fault), BACKUP),
        });
    }
    store.close().await;
    findings
}

/// Asks the gateway that works with the database.
pub(super) async fn at_work(client: &AdminClient, status: &Status) -> Vec<Finding> {
    let current = Progress { done: 0, missing: 0 };
    let checked: Result<DatabaseCheck, CallError> = client.get("/admin/v1/check").await;
    let mut findings = vec![match checked {
        Ok(DatabaseCheck { complete, damage }) => {
            soundness(&Soundness { complete, damage }, current)
        }
        Err(error) => Finding::fail(DATABASE, chain(&error), "look into the gateway's log"),
    }];
    if let Some(storage) = &status.storage {
        let newest = storage.newest_message_at.as_deref();
        let newest = newest.and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let newest = newest.map(|at| Timestamp::from_micros(at.as_microsecond()));
        findings.push(newest_message(SystemClock.now(), newest));
    }
    findings
}

fn soundness(found: &Soundness, progress: Progress) -> Finding {
    if !found.damage.is_empty() {
        let damage = found.damage.join("; ");
        return Finding::fail(DATABASE, format!("is damaged: {damage}"), BACKUP);
    }
    let sound = match found.complete {
        true => "no damage found",
        false => "no damage found in the time that a look may take",
    };
    match progress {
        Progress { missing: 0, .. } => {
            Finding::ok(DATABASE, format!("opens, is up to date, and answers; {sound}"))
        }
        Progress { done, missing } => {
            let all = done + missing;
            let found = format!("has run {done} of {all} migrations; {sound}");
            Finding::warn(DATABASE, found, "back it up; `serve` and `migrate` run the others")
        }
    }
}

fn newest_message(now: Timestamp, newest: Option<Timestamp>) -> Finding {
    match newest {
        None => Finding::ok(MESSAGES, "none is kept"),
        Some(newest) if now.plus(BEHIND) < newest => {
            let found = format!("the newest is of {newest}, which lies after the clock's {now}");
            Finding::fail(MESSAGES, found, CLOCK_ADVICE)
        }
        Some(newest) => Finding::ok(MESSAGES, format!("the newest is of {newest}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;
    use crate::storage::{PostgresConfig, StorageConfig};

    const CURRENT: Progress = Progress { done: 4, missing: 0 };

    #[test]
    fn damage_is_shown_in_the_databases_words() {
        let damage = vec!["row 3 missing".to_owned(), "page 7 is never used".to_owned()];
        let finding = soundness(&Soundness { complete: true, damage }, CURRENT);
        assert_eq!(finding.state, State::Fail);
        assert!(finding.found.contains("row 3 missing; page 7"), "{finding:?}");
        assert!(finding.advice.contains("backup"));
    }

    #[test]
    fn migrations_that_are_missing_deserve_a_look() {
        let finding = soundness(
            &Soundness { complete: false, damage: vec![] },
            Progress { done: 3, missing: 1 },
        );
        assert_eq!(finding.state, State::Warn);
        assert!(finding.found.contains("3 of 4 migrations"), "{finding:?}");
    }

    #[test]
    fn a_message_from_the_future_means_that_the_clock_is_wrong() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let state = |ahead| newest_message(now, Some(now.plus(Duration::from_secs(ahead)))).state;
        assert_eq!((state(0), state(60), state(61)), (State::Ok, State::Ok, State::Fail));
        assert_eq!(newest_message(now, None).state, State::Ok);
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_named_without_its_password() {
        // Nobody listens on port 1, and who does is no such server.
        let server = PostgresConfig::at("postgres://gateway:hunter2@127.0.0.1:1/messages");
        let findings = at_rest(&server.into()).await;
        assert_eq!(findings[0].state, State::Fail);
        let shown = format!("{findings:?}");
        assert!(shown.contains("messages on 127.0.0.1:1"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[tokio::test]
    async fn looking_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealpost.db");
        std::fs::write(&path, "").unwrap();
        let findings = at_rest(&StorageConfig::at(&path).into()).await;
        assert_eq!(findings[0].state, State::Warn, "{findings:?}");
        assert!(findings[0].found.contains("has run 0 of"), "{findings:?}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }
}
