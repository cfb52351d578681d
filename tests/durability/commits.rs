//! Finds SQLite's commits in a log of system calls, and checks that each was synced in time.
//!
//! The write-ahead log has a 32-byte header and then frames: a header of 24 bytes and a page. The
//! second 32-bit number of a frame's header is zero except in the last frame of a transaction
//! (SQLite's file format, section 4.1), so one such header is one commit.

use std::path::Path;

use super::strace_log::{Call, Event};

const FRAME_HEADER: usize = 24;

/// What a log says about the write-ahead log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transactions, each of them one group of requests.
    pub commits: usize,
    /// Sync calls.
    pub syncs: usize,
    /// Answers that left after the first commit.
    pub answers: usize,
}

/// Counts, and checks two rules: between two commits there is a sync, and no answer leaves while
/// a commit that came before it has not been synced.
///
/// The second rule holds for every answer only while there is one request at a time. With more,
/// the next group may be on its way when the answers for the last one leave, so only the first
/// `one_by_one` answers are held to it.
///
/// # Errors
/// With the first breach.
pub fn check(events: &[Event], wal: &Path, one_by_one: usize) -> Result<Counts, String> {
    let mut counts = Counts::default();
    let mut unsynced_commit: Option<usize> = None;
    let mut syncs_before_answer = 0;
    for event in events {
        match &event.call {
            Call::Write { file, bytes, .. } if file == wal && ends_transaction(bytes) => {
                if let Some(line) = unsynced_commit {
                    return Err(format!(
                        "the commit of line {line} was followed by another, not by a sync"
                    ));
                }
                counts.commits += 1;
                unsynced_commit = Some(event.ended);
            }
            Call::Sync { path } if path == wal => {
                counts.syncs += 1;
                unsynced_commit = unsynced_commit.filter(|written| event.began < *written);
            }
            Call::Answer { .. } if counts.answers < one_by_one => {
                if let Some(line) = unsynced_commit {
                    return Err(format!(
                        "an answer left before the commit of line {line} was synced"
                    ));
                }
                if counts.syncs == syncs_before_answer {
                    return Err(format!("the answer of line {} followed no sync", event.began));
                }
                syncs_before_answer = counts.syncs;
                counts.answers += 1;
            }
            Call::Answer { .. } => counts.answers += 1,
            _ => {}
        }
    }
    Ok(counts)
}

fn ends_transaction(bytes: &[u8]) -> bool {
    bytes.len() == FRAME_HEADER && bytes[4..8] != [0; 4]
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAL: &str = "/d/sealpost.db-wal";

    fn events(calls: &[&str]) -> Vec<Event> {
        let call = |name: &&str| match *name {
            "page" => Call::Write { file: WAL.into(), offset: 0, bytes: vec![7; 4096] },
            "commit" => Call::Write { file: WAL.into(), offset: 0, bytes: vec![1; FRAME_HEADER] },
            "sync" => Call::Sync { path: WAL.into() },
            _ => Call::Answer { bytes: Vec::new() },
        };
        let event = |(at, name)| Event { began: at, ended: at, call: call(name) };
        calls.iter().enumerate().map(event).collect()
    }

    #[test]
    fn honest_logs_are_counted() {
        let log = events(&["commit", "page", "sync", "answer", "commit", "sync", "answer"]);
        let counts = Counts { commits: 2, syncs: 2, answers: 2 };
        assert_eq!(check(&log, Path::new(WAL), 2), Ok(counts));
    }

    #[test]
    fn an_answer_before_its_sync_is_caught() {
        let log = events(&["commit", "answer", "sync"]);
        assert!(check(&log, Path::new(WAL), 1).is_err());
    }

    #[test]
    fn an_answer_without_a_commit_of_its_own_is_caught() {
        let log = events(&["commit", "sync", "answer", "answer"]);
        assert!(check(&log, Path::new(WAL), 2).is_err());
        assert!(check(&log, Path::new(WAL), 1).is_ok());
    }

    #[test]
    fn two_commits_without_a_sync_between_them_are_caught() {
        let log = events(&["commit", "commit", "sync"]);
        assert!(check(&log, Path::new(WAL), 0).is_err());
    }
}
