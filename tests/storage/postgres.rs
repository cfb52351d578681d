//! The store on a server: what every store must do, and who may open it.

use std::cell::RefCell;
use std::sync::Arc;

use sealpost::domain::ports::Store;
use sealpost::storage::{
    OpenError, PostgresConfig, PostgresStore, Progress, conformance, look_at, open,
};
use sqlx::query;

use crate::harness::pooler::{self, Settings};
use crate::harness::postgres::Schema;

/// Schemas, of which each is dropped when the next one is made.
#[derive(Default)]
pub struct Schemas(RefCell<Option<Schema>>);

impl Schemas {
    pub fn config(&self) -> PostgresConfig {
        // The old one goes first.
        self.0.take();
        let schema = Schema::create();
        let config = schema.config();
        self.0.replace(Some(schema));
        config
    }
}

async fn store(config: &PostgresConfig) -> Arc<dyn Store> {
    Arc::new(PostgresStore::open(config).await.unwrap())
}

fn text(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", text(cause)));
    format!("{error} {error:?}{}", cause.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn the_store_on_a_server_does_what_a_store_must_do() {
    let schemas = Schemas::default();
    conformance::run_all(async || store(&schemas.config()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn the_store_on_a_server_behind_a_cache_does_what_a_store_must_do() {
    let schemas = Schemas::default();
    conformance::run_all(async || open(&schemas.config().into()).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn the_store_behind_a_pooler_does_what_a_store_must_do() {
    let schemas = Schemas::default();
    let behind_pooler = async || {
        let config = schemas.config();
        let url = pooler::in_front_of(&config.url, Settings::Refused).await;
        store(&PostgresConfig { pooler: true, url, ..config }).await
    };
    conformance::run_all(behind_pooler).await;
}

/// Or the test above would show nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_store_that_knows_of_no_pooler_fails_behind_one() {
    let schema = Schema::create();
    let config = schema.config();
    let url = pooler::in_front_of(&config.url, Settings::Ignored).await;
    store(&config).await.close().await;
    // It reads something when it opens.
    let opened = PostgresStore::open(&PostgresConfig { url, ..config }).await;
    let mut failed = opened.is_err();
    if let Ok(store) = opened {
        for _ in 0..20 {
            failed |= store.statistics().await.is_err();
        }
    }
    assert!(failed, "a statement is prepared on one connection and executed on another");
}

#[tokio::test]
async fn a_server_out_of_reach_is_named_without_its_password() {
    // Nobody listens on port 1.
    let config = PostgresConfig::at("postgres://gateway:hunter2@127.0.0.1:1/messages");
    let error = PostgresStore::open(&config).await.err().expect("nobody is there");
    let error = text(&error);
    assert!(error.contains("messages on 127.0.0.1:1"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_without_being_shown() {
    for url in ["postgres://gateway:hunter2@[db/x", "postgres://gateway:hunter2@db:port/x"] {
        let error = PostgresStore::open(&PostgresConfig::at(url)).await.err().expect("no URL");
        assert!(matches!(error, OpenError::Url { .. }), "{error:?}");
        assert!(!text(&error).contains("hunter2"), "{}", text(&error));
    }
}

#[tokio::test]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_wrong_password_is_not_shown() {
    let schema = Schema::create();
    let (before, after) =
        schema.url().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let user = before.rsplit_once(':').unwrap().0;
    let url = format!("{user}:hunter2@{after}");
    let error =
        PostgresStore::open(&PostgresConfig::at(url)).await.err().expect("a wrong password");
    let error = text(&error);
    assert!(error.contains("password authentication failed"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn many_open_an_empty_database_at_once() {
    let schema = Schema::create();
    let config = schema.config();
    let open = || store(&config);
    let (a, b, c) = tokio::join!(open(), open(), open());
    for store in [a, b, c] {
        store.ping().await.unwrap();
        store.close().await;
    }
}

#[tokio::test]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn looking_makes_and_changes_nothing() {
    let schema = Schema::create();
    let config = schema.config().into();
    let (store, progress) = look_at(&config).await.unwrap();
    assert_eq!(progress.done, 0);
    store.close().await;
    let count = "SELECT count(*) FROM pg_tables WHERE schemaname = $1";
    let tables: i64 = sqlx::query_scalar(count)
        .bind(schema.name())
        .fetch_one(&mut schema.connect().await)
        .await
        .unwrap();
    assert_eq!(tables, 0);

    open(&config).await.unwrap().close().await;
    let (store, now) = look_at(&config).await.unwrap();
    assert_eq!(now, Progress { done: progress.missing, missing: 0 });
    assert_eq!(store.statistics().await.unwrap().newest_message, None);
    assert!(store.setting_or("key", vec![1]).await.is_err(), "it would be kept");
    store.close().await;
}

#[tokio::test]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_database_of_another_version_is_refused() {
    let schema = Schema::create();
    let config = schema.config();
    store(&config).await.close().await;
    let mut stranger = schema.connect().await;
    query("UPDATE _sqlx_migrations SET version = 1000 WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .execute(&mut stranger)
        .await
        .unwrap();
    let error = PostgresStore::open(&config).await.err().expect("a newer database");
    assert!(matches!(error, OpenError::Newer { found: 1000, .. }), "{error:?}");
    let looked = look_at(&config.clone().into()).await.err().expect("a newer database");
    assert!(matches!(looked, OpenError::Newer { found: 1000, .. }), "{looked:?}");

    query("DELETE FROM _sqlx_migrations WHERE version = 1000")
        .execute(&mut stranger)
        .await
        .unwrap();
    query("UPDATE _sqlx_migrations SET checksum = 'x' WHERE version = 2")
        .execute(&mut stranger)
        .await
        .unwrap();
    let error = PostgresStore::open(&config).await.err().expect("a changed file");
    assert!(matches!(error, OpenError::Changed { number: 2, .. }), "{error:?}");
}
