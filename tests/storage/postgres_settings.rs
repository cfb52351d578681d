//! What transactions on a server rely on, whatever others have set.

use std::sync::Arc;

use sealpost::storage::conformance::scene::{Scene, at};
use sealpost::storage::{PostgresConfig, PostgresStore};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, query_scalar, raw_sql};

use crate::harness::pooler::{self, Settings};
use crate::harness::postgres::Schema;

/// Notes in which circumstances rows of a table are written or deleted.
async fn watch(schema: &Schema, table: &str, setting: &str) {
    let mut connection = schema.connect().await;
    let watch = format!(
        "CREATE TABLE IF NOT EXISTS noted (setting text, value text);
         CREATE FUNCTION note_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO noted VALUES ('{setting}', current_setting('{setting}'));
             RETURN NULL;
         END $$;
         CREATE TRIGGER note AFTER INSERT OR DELETE ON {table}
             FOR EACH STATEMENT EXECUTE FUNCTION note_{table}()"
    );
    raw_sql(AssertSqlSafe(watch)).execute(&mut connection).await.unwrap();
}

/// The values that were noted.
async fn noted(schema: &Schema) -> Vec<String> {
    let values = query_scalar("SELECT DISTINCT value FROM noted ORDER BY value");
    values.fetch_all(&mut schema.connect().await).await.unwrap()
}

#[tokio::test]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_setting_that_somebody_left_behind_a_pooler_makes_no_commit_hasty() {
    for (ours, expected) in [("on", "on"), ("remote_apply", "remote_apply")] {
        let schema = Schema::create();
        let config = schema.config();
        let set = format!("{}%20-c%20synchronous_commit%3D{ours}", config.url);
        let url = pooler::in_front_of(&set, Settings::Refused).await;
        let somebody: PgConnectOptions = url.parse().unwrap();
        let mut somebody = somebody.connect().await.unwrap();
        for _ in 0..pooler::CONNECTIONS {
            // Each time on the next of the pooler's connections.
            raw_sql("SET synchronous_commit = off").execute(&mut somebody).await.unwrap();
        }
        let config = PostgresConfig { url, pooler: true, ..config };
        let store = PostgresStore::open(&config).await.expect("it is not the role's setting");
        for table in ["accounts", "payloads"] {
            watch(&schema, table, "synchronous_commit").await;
        }
        let scene = Scene::new(Arc::new(store));
        let (bot, phone) = (scene.device(1).await, scene.device(2).await);
        for n in 1..=6 {
            scene.send(&bot, &[&phone], n).await;
        }
        scene.store.ping().await.unwrap();
        scene.store.close().await;
        assert_eq!(noted(&schema).await, [expected]);
    }
}

#[tokio::test]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn the_background_has_more_time_than_requests() {
    let schema = Schema::create();
    let scene = Scene::new(Arc::new(PostgresStore::open(&schema.config()).await.unwrap()));
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let mut message = scene.message(&bot, &[&phone], 1).await;
    message.expires_at = at(50);
    scene.accept(message).await;
    for table in ["accounts", "payloads"] {
        watch(&schema, table, "statement_timeout").await;
    }
    assert_eq!(scene.sweep(None, 100).await.dropped, 0);
    assert_eq!(scene.sweep_all(at(60), 100, 500).await.dropped, 1);
    assert_eq!(noted(&schema).await, ["1min"]);
    scene.device(3).await;
    assert_eq!(noted(&schema).await, ["10s", "1min"]);
}
