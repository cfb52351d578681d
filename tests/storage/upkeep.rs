//! The background keeps tables small, in steps that disturb nobody and survive a restart.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sealpost::domain::Fault;
use sealpost::domain::inbox::{Gap, GapReason};
use sealpost::domain::ports::Store;
use sealpost::domain::session::Session;
use sealpost::storage::conformance::scene::{
    SESSION_LIMIT, START, Scene, at, inbox_of, message_id, message_ids,
};
use sealpost::storage::{OpenError, SqliteStore, StorageConfig};

use super::Folder;
use super::durability::stranger;

async fn open(config: &StorageConfig) -> Scene {
    Scene::new(Arc::new(SqliteStore::open(config).await.unwrap()))
}

/// Rows of payloads, inbox and ended_inboxes.
async fn rows(config: &StorageConfig) -> (i64, i64, i64) {
    let count = "SELECT (SELECT count(*) FROM payloads), (SELECT count(*) FROM inbox),
        (SELECT count(*) FROM ended_inboxes)";
    sqlx::query_as(count).fetch_one(&mut stranger(config).await).await.unwrap()
}

/// Copies the one message that waits for `phone` so often, each a millisecond after the last.
async fn fill(config: &StorageConfig, phone: &Session, messages: i64) {
    let mut stranger = stranger(config).await;
    let payloads = "
        WITH RECURSIVE more (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM more WHERE n < ?1)
        INSERT INTO payloads (number, shard, sender_account, sender_session, conversation,
            message_id, category, accepted_at, expires_at, details, waiting, slots, body)
        SELECT n, shard, sender_account, sender_session, conversation, randomblob(16), category,
            accepted_at + 1000 * (n - 1), expires_at, details, waiting, slots, body
        FROM more JOIN payloads ON number = 1";
    sqlx::query(payloads).bind(messages).execute(&mut stranger).await.unwrap();
    let inbox = "
        INSERT INTO inbox (shard, session, number, slot_length)
        SELECT ?1, ?2, number, length(slots) FROM payloads";
    let (shard, session) = (inbox_of(phone).shard.0, phone.number.0);
    sqlx::query(inbox).bind(shard).bind(session).execute(&mut stranger).await.unwrap();
    let sequence = "UPDATE sequences SET value = ?1 WHERE name = 'messages'";
    sqlx::query(sequence).bind(messages).execute(&mut stranger).await.unwrap();
    let settled = "UPDATE settled SET through = ?1, target = ?1";
    sqlx::query(settled).bind(messages).execute(&mut stranger).await.unwrap();
}

/// A bot, a phone and a hundred thousand messages that wait for it.
async fn huge_inbox(config: &StorageConfig) -> (Scene, Session, Session) {
    let scene = open(config).await;
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    scene.send(&bot, &[&phone], 1).await;
    scene.store.close().await;
    fill(config, &phone, 100_000).await;
    (open(config).await, bot, phone)
}

#[tokio::test]
async fn expired_messages_leave_the_disk_even_across_a_restart() {
    let folder = Folder::new();
    let config = folder.config();
    let mut scene = open(&config).await;
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let mut batch = Vec::new();
    for n in 1..=40 {
        let mut message = scene.message(&bot, &[&phone], n).await;
        message.expires_at = at(50);
        batch.push(message);
    }
    scene.store.accept(batch).await.unwrap();
    let mut step = 500;
    while rows(&config).await.1 > 1 {
        let request = sealpost::domain::inbox::SweepRequest { from: None, limit: 7, now: at(50) };
        step += 1;
        scene.store.sweep(request, &|| message_id(step)).await.unwrap();
        scene.store.close().await;
        scene = open(&config).await;
    }
    scene.sweep_all(at(50), 7, 600).await;
    assert_eq!(rows(&config).await, (1, 1, 0), "the marker alone");
    let waiting = scene.lease(&phone, at(50)).await;
    let gap = Gap { reason: GapReason::Expired, count: 40, from: START, to: START };
    assert_eq!(waiting[0].body, Bytes::from(gap.to_json()));
}

#[tokio::test]
async fn a_huge_inbox_ends_in_one_step_and_is_removed_in_small_ones() {
    let folder = Folder::new();
    let config = folder.config();
    let (scene, bot, phone) = huge_inbox(&config).await;
    let before = scene.commit_groups().await;
    scene.store.end_session(phone.user, phone.id, at(5)).await.unwrap();
    assert_eq!(scene.commit_groups().await, before + 1);
    assert_eq!(rows(&config).await.1, 100_000, "they are out of reach, not gone");
    assert!(scene.lease(&phone, at(9)).await.is_empty());

    let mut steps = 1;
    while scene.store.clear_ended(5000).await.unwrap().more {
        steps += 1;
        assert!(scene.lease(&phone, at(9)).await.is_empty());
    }
    assert!(steps >= 20, "{steps} steps");
    let swept = scene.sweep_all(at(9), 5000, 500).await;
    assert_eq!((swept.dropped, swept.expired), (100_000, 0));
    assert_eq!(rows(&config).await, (0, 0, 0));
    let tablet = scene.device(3).await;
    scene.send(&bot, &[&tablet], 2).await;
    assert_eq!(scene.lease(&tablet, at(9)).await.len(), 1);
}

#[tokio::test]
async fn signing_in_again_counts_a_huge_inbox() {
    let folder = Folder::new();
    let config = folder.config();
    let (scene, _, phone) = huge_inbox(&config).await;
    let account = scene.store.accounts(&[phone.user]).await.unwrap().remove(0);
    let mut new = Scene::new_session(&account, 3);
    new.replaces = Some(phone.id);
    new.created_at = at(500);
    let again = scene.store.sign_in(new, SESSION_LIMIT, message_id(9)).await.unwrap().session;
    let waiting = scene.lease(&again, at(500)).await;
    let last = START.plus(Duration::from_millis(99_999));
    let gap = Gap { reason: GapReason::SignedInAgain, count: 100_000, from: START, to: last };
    assert_eq!(waiting[0].body, Bytes::from(gap.to_json()));
    assert_eq!(waiting.len(), 1);
}

#[tokio::test]
async fn a_poll_finds_nothing_of_what_expired() {
    let folder = Folder::new();
    let config = folder.config();
    let (scene, bot, phone) = huge_inbox(&config).await;
    let week = 8 * 24 * 3600;
    let swept = scene.sweep_all(at(week), 5000, 500).await;
    assert_eq!((swept.dropped, swept.expired), (100_000, 100_000));
    let mut message = scene.message(&bot, &[&phone], 2).await;
    message.expires_at = at(2 * week);
    scene.accept(message).await;
    assert_eq!(rows(&config).await, (2, 1, 0), "all that a poll can come across");
    let waiting = scene.lease(&phone, at(week)).await;
    assert!(waiting[0].body.starts_with(br#"{"reason":"expired","count":100000,"#));
    assert_eq!(waiting[1].message_id, message_ids([2])[0]);
}

#[tokio::test]
async fn a_look_for_damage_ends_in_time_and_leaves_the_readers_alone() {
    let folder = Folder::new();
    let config = folder.config();
    let (scene, _, phone) = huge_inbox(&config).await;
    let found = scene.store.check(Duration::ZERO).await.unwrap();
    assert!(!found.complete && found.damage.is_empty());
    assert!(scene.store.check(Duration::from_secs(60)).await.unwrap().complete);
    let mut request = Scene::request(&phone, START);
    request.limit = 100_000;
    request.max_bytes = u64::MAX;
    assert_eq!(scene.store.lease(request).await.unwrap().messages.len(), 100_000);
}

/// How many migrations there are.
fn migrations() -> usize {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
    std::fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn who_looks_at_a_database_changes_nothing_in_it() {
    let folder = Folder::new();
    let config = folder.config();
    let scene = open(&config).await;
    let phone = scene.device(1).await;
    scene.store.close().await;
    let before = std::fs::read(&config.path).unwrap();

    let (store, progress) = SqliteStore::look_at(&config).await.unwrap();
    assert_eq!((progress.done, progress.missing), (migrations(), 0));
    assert!(store.check(Duration::from_secs(60)).await.unwrap().complete);
    let scene = Scene::new(Arc::new(store));
    assert_eq!(scene.roster(phone.user).await.members.len(), 1);
    let refused = scene.store.create_account(Scene::new_account(2)).await;
    assert!(matches!(refused, Err(Fault::Unavailable { .. })));
    scene.store.close().await;
    assert_eq!(std::fs::read(&config.path).unwrap(), before);
}

#[tokio::test]
async fn a_database_without_its_migrations_can_be_looked_at() {
    let folder = Folder::new();
    let config = folder.config();
    let missing = SqliteStore::look_at(&config).await.err();
    assert!(matches!(missing, Some(OpenError::Database { .. })), "{missing:?}");
    std::fs::write(&config.path, "").unwrap();
    let (store, progress) = SqliteStore::look_at(&config).await.unwrap();
    assert_eq!((progress.done, progress.missing), (0, migrations()));
    assert!(store.check(Duration::from_secs(60)).await.unwrap().damage.is_empty());
}

#[tokio::test]
async fn damage_is_found() {
    let folder = Folder::new();
    let config = folder.config();
    let (scene, ..) = huge_inbox(&config).await;
    scene.store.close().await;
    let mut bytes = std::fs::read(&config.path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(&config.path, bytes).unwrap();

    let (store, _) = SqliteStore::look_at(&config).await.unwrap();
    let found = store.check(Duration::from_secs(60)).await.unwrap();
    assert!(found.complete && !found.damage.is_empty(), "{found:?}");
}
