//! The shard leads every key of the hot tables, so an operator may have the server partition them by
//! its hash: the store does there what every store must do.

use std::sync::Arc;
use std::time::Duration;

use sealpost::domain::inbox::Accepted;
use sealpost::domain::messenger::receipt::NewReceipt;
use sealpost::domain::ports::Store;
use sealpost::domain::top_up::TopUpOffer;
use sealpost::storage::conformance::scene::{START, Scene, at, message_id};
use sealpost::storage::{PostgresConfig, PostgresStore, conformance};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, query_as, raw_sql};

use super::postgres::Schemas;
use crate::harness::postgres::Schema;

/// How many partitions each table has.
const PARTITIONS: u32 = 2;

/// Tables with a shard, and whether it leads every key.
const WITH_SHARD: &str = "
    SELECT tables.relname::text, bool_and(first.attname = 'shard')
    FROM pg_class AS tables
        JOIN pg_attribute AS shard ON shard.attrelid = tables.oid AND shard.attname = 'shard'
        JOIN pg_index AS keys ON keys.indrelid = tables.oid AND keys.indisunique
        JOIN pg_attribute AS first
            ON first.attrelid = tables.oid AND first.attnum = keys.indkey[0]
    WHERE tables.relnamespace = current_schema()::regnamespace
    GROUP BY tables.relname ORDER BY tables.relname";

/// Statements that make partitions of an empty table.
fn partition(table: &str) -> String {
    let parts = (0..PARTITIONS).map(|n| {
        format!(
            "CREATE TABLE {table}_{n} PARTITION OF {table}
            FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {n});"
        )
    });
    let parts: String = parts.collect();
    format!(
        "ALTER TABLE {table} RENAME TO whole;
        CREATE TABLE {table} (LIKE whole INCLUDING ALL) PARTITION BY HASH (shard);
        {parts}
        DROP TABLE whole;"
    )
}

/// A store whose hot tables are partitioned.
async fn open(config: &PostgresConfig) -> Arc<PostgresStore> {
    let store = PostgresStore::open(config).await.unwrap();
    let options: PgConnectOptions = config.url.parse().unwrap();
    let mut operator = options.connect().await.unwrap();
    let tables: Vec<(String, bool)> = query_as(WITH_SHARD).fetch_all(&mut operator).await.unwrap();
    let partitions: String = tables.iter().map(|(table, _)| partition(table)).collect();
    raw_sql(AssertSqlSafe(partitions)).execute(&mut operator).await.unwrap();
    Arc::new(store)
}

#[tokio::test]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn the_shard_leads_every_key_of_the_hot_tables() {
    let schema = Schema::create();
    PostgresStore::open(&schema.config()).await.unwrap().close().await;
    let tables: Vec<(String, bool)> =
        query_as(WITH_SHARD).fetch_all(&mut schema.connect().await).await.unwrap();
    for hot in ["inbox", "payloads", "receipts", "seen_messages"] {
        assert!(tables.iter().any(|(table, _)| table == hot), "{hot} is not in {tables:?}");
    }
    assert!(tables.iter().all(|(_, leads)| *leads), "{tables:?}");
}

/// Whose stories are about tables with a shard. To make partitions for each takes its time, and the
/// other tables are what they always are.
const STORIES: &[&str] = &[
    "sessions",
    "conversations",
    "messages",
    "inbox",
    "browse",
    "phones",
    "chats",
    "sending",
    "isolation",
    "quota",
    "upkeep",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn the_store_on_partitions_does_what_a_store_must_do() {
    let schemas = Schemas::default();
    let make = async || open(&schemas.config()).await as Arc<dyn Store>;
    conformance::run_those(STORIES, make).await;
}

/// Accounts whose rows are in several partitions.
const ACCOUNTS: u16 = 16;

/// Partitioned tables with rows of many accounts, each of which has written to the next one.
struct Story {
    schema: Schema,
    scene: Scene,
}

impl Story {
    async fn begin() -> Self {
        let schema = Schema::create();
        let scene = Scene::new(open(&schema.config()).await);
        let mut devices = Vec::new();
        for n in 1..=ACCOUNTS {
            devices.push(scene.device(n).await);
        }
        for (n, one) in (1..).zip(&devices) {
            let next = &devices[usize::from(n % ACCOUNTS)];
            let mut message = scene.message(one, &[next], n).await;
            let users = vec![next.user];
            message.top_up = Some(TopUpOffer { users, left_out: None, until: START });
            assert!(matches!(scene.accept(message).await, Accepted::Stored(_)));
            let (sender, message, device) = (one.account, message_id(n), next.number);
            let receipt = NewReceipt { sender, message, device, is_read: false };
            scene.store.note_receipts(vec![receipt], START).await.unwrap();
        }
        Self { schema, scene }
    }

    /// Of a table: its rows, how many partitions have any, and how many places occur in all of them.
    async fn spread(&self, table: &str) -> (i64, i64, i64) {
        let spread =
            format!("SELECT count(*), count(DISTINCT tableoid), count(DISTINCT ctid) FROM {table}");
        query_as(AssertSqlSafe(spread)).fetch_one(&mut self.schema.connect().await).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn rows_of_several_accounts_lie_in_several_partitions() {
    let story = Story::begin().await;
    for table in ["inbox", "payloads", "receipts", "seen_messages", "top_ups"] {
        let (rows, partitions, places) = story.spread(table).await;
        assert_eq!(rows, i64::from(ACCOUNTS), "{table}");
        assert!(partitions > 1, "{table} has all rows in one");
        assert!(places < rows, "{table} has no place twice, so the next test shows nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn what_is_over_goes_without_what_lies_at_its_place_in_another_partition() {
    let Story { schema: _schema, scene } = Story::begin().await;
    let store = &scene.store;
    for left in (0..=ACCOUNTS).rev() {
        let one = u64::from(left.min(1));
        assert_eq!(store.forget_seen(at(1), 1).await.unwrap(), one, "{left} ids are left");
        assert_eq!(store.forget_receipts(at(1), 1).await.unwrap(), one, "{left} receipts");
        assert_eq!(store.close_top_ups(at(1), 1).await.unwrap(), one, "{left} top-ups");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_look_for_damage_reads_partitions() {
    let Story { schema, scene } = Story::begin().await;
    let look = async || scene.store.check(Duration::from_secs(60)).await;
    let found = look().await.unwrap();
    assert!(found.complete && found.damage.is_empty(), "{found:?}");
    // No row with such a column can be hashed, so whoever reads one says so.
    let spoil = "ALTER TABLE inbox ADD COLUMN spoilt json";
    raw_sql(spoil).execute(&mut schema.connect().await).await.unwrap();
    assert!(look().await.is_err(), "it passes the rows by");
}
