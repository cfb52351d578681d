//! What is on disk stays there, and is written together.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join_all;
use sealpost::domain::inbox::Accepted;
use sealpost::domain::ports::{Inbox, Rosters, Store};
use sealpost::storage::conformance::scene::{START, Scene, at, ids, message_id, message_ids};
use sealpost::storage::{OpenError, SqliteStore, StorageConfig};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

use super::Folder;

/// Another program's connection to the same file.
pub(super) async fn stranger(config: &StorageConfig) -> SqliteConnection {
    SqliteConnectOptions::new().filename(&config.path).connect().await.unwrap()
}

async fn open(config: &StorageConfig) -> Scene {
    Scene::new(Arc::new(SqliteStore::open(config).await.unwrap()))
}

#[tokio::test]
async fn a_database_that_is_opened_again_holds_everything() {
    let folder = Folder::new();
    let config = folder.config();
    let scene = open(&config).await;
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    for n in [1, 2, 3] {
        scene.send(&bot, &[&phone], n).await;
    }
    scene.lease(&phone, START).await;
    scene.acknowledge(&phone, &[2]).await;
    scene.store.setting_or("key", vec![1]).await.unwrap();
    let roster = scene.roster(phone.user).await;
    let repeated = scene.message(&bot, &[&phone], 3).await;
    scene.store.close().await;

    let scene = open(&config).await;
    assert!(scene.lease(&phone, START).await.is_empty(), "leases survive as well");
    let again = scene.lease(&phone, at(100)).await;
    assert_eq!((ids(&again), again[0].deliveries), (message_ids([1, 3]), 2));
    assert_eq!(scene.accept(repeated).await, Accepted::Duplicate);
    assert_eq!(scene.roster(phone.user).await, roster);
    assert_eq!(scene.store.session(bot.id).await.unwrap().unwrap().session, bot);
    assert_eq!(scene.store.setting_or("key", vec![2]).await.unwrap(), [1]);
}

#[tokio::test]
async fn numbers_rise_even_when_every_message_is_gone() {
    let folder = Folder::new();
    let config = folder.config();
    let mut scene = open(&config).await;
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let mut last = None;
    for n in 1..=3 {
        let message = scene.message(&bot, &[&phone], n).await;
        let Accepted::Stored(order) = scene.accept(message).await else { panic!("stored") };
        assert!(last < Some(order));
        last = Some(order);
        scene.lease(&phone, START).await;
        scene.acknowledge(&phone, &[n]).await;
        assert_eq!(scene.sweep(None, 10).await.dropped, 1);
        scene.store.close().await;
        scene = open(&config).await;
    }
}

#[tokio::test]
async fn a_message_is_stored_even_when_its_caller_goes_away() {
    let folder = Folder::new();
    let config = folder.config();
    let scene = open(&config).await;
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let message = scene.message(&bot, &[&phone], 1).await;
    assert!(scene.store.accept(vec![message]).now_or_never().is_none(), "it waits for the disk");
    scene.store.close().await;

    let scene = open(&config).await;
    assert_eq!(ids(&scene.lease(&phone, START).await), [message_id(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_share_their_commits() {
    let folder = Folder::new();
    let store = folder.sqlite().await;
    let scene = Scene::new(store.clone());
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let mut messages = Vec::new();
    for n in 1..=200 {
        messages.push(scene.message(&bot, &[&phone], n).await);
    }
    let before = scene.commit_groups().await;
    let outcomes = join_all(messages.into_iter().map(|message| scene.accept(message))).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Accepted::Stored(_))));
    let groups = scene.commit_groups().await - before;
    assert!((1..100).contains(&groups), "200 requests took {groups} commits");
}

#[tokio::test]
async fn an_idle_poll_writes_nothing() {
    let folder = Folder::new();
    let store = folder.sqlite().await;
    let scene = Scene::new(store.clone());
    let phone = scene.device(1).await;
    let before = scene.commit_groups().await;
    assert!(scene.lease(&phone, START).await.is_empty());
    scene.acknowledge(&phone, &[1]).await;
    assert_eq!(scene.sweep(None, 10).await.dropped, 0);
    assert_eq!(store.forget_seen(at(1000), 10).await.unwrap(), 0);
    assert_eq!(store.rosters(&[phone.user]).await.unwrap().len(), 1);
    assert_eq!(scene.commit_groups().await, before);
}

#[cfg(unix)]
#[tokio::test]
async fn the_database_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let config = folder.config();
    let store = SqliteStore::open(&config).await.unwrap();
    store.setting_or("a", vec![1]).await.unwrap();
    for entry in std::fs::read_dir(config.path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let folder = Folder::new();
    let config = folder.config();
    SqliteStore::open(&config).await.unwrap().close().await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'later', 1, x'00', 0)",
    )
    .execute(&mut stranger(&config).await)
    .await
    .unwrap();
    let refused = SqliteStore::open(&config).await.err().unwrap();
    assert!(matches!(refused, OpenError::Newer { found: 9999, known: ..9999, .. }), "{refused:?}");
    assert!(refused.to_string().contains("newer sealpost"));
}

#[tokio::test]
async fn a_database_of_another_build_is_refused() {
    let folder = Folder::new();
    let config = folder.config();
    SqliteStore::open(&config).await.unwrap().close().await;
    let change = "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 2";
    sqlx::query(change).execute(&mut stranger(&config).await).await.unwrap();
    let refused = SqliteStore::open(&config).await.err().unwrap();
    assert!(matches!(refused, OpenError::Changed { number: 2, .. }), "{refused:?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = Folder::new();
    let config = folder.config();
    let text = "this is a letter and no database ".repeat(100);
    std::fs::write(&config.path, &text).unwrap();
    let refused = SqliteStore::open(&config).await.err().unwrap();
    assert!(matches!(refused, OpenError::Database { .. }), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&config.path).unwrap(), text);

    let nowhere = StorageConfig::at(config.path.with_file_name("missing").join("a.db"));
    let refused = SqliteStore::open(&nowhere).await.err().unwrap();
    assert!(matches!(refused, OpenError::File { .. }), "{refused:?}");
}
