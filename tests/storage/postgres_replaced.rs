//! What comes to an inbox whose session was replaced while it was on its way.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use sealpost::app::entropy::SystemEntropy;
use sealpost::bus::LocalBus;
use sealpost::domain::account::Account;
use sealpost::domain::clock::TestClock;
use sealpost::domain::inbox::{Acceptance, Accepted, Gap, GapReason, SYSTEM_GAP, Waiting};
use sealpost::domain::measures::Measures;
use sealpost::domain::ports::{Hint, Inbox};
use sealpost::domain::session::{NewSession, Session};
use sealpost::domain::{Gateway, Limits};
use sealpost::storage::PostgresStore;
use sealpost::storage::conformance::scene::{START, Scene, at, message_id};
use sqlx::{PgConnection, query, query_scalar};

use crate::harness::postgres::{Schema, wait_until_blocked};

struct Story {
    schema: Schema,
    store: Arc<PostgresStore>,
    gateway: Gateway,
    scene: Scene,
    bot: Session,
    old: Session,
    account: Account,
    replacing: NewSession,
}

impl Story {
    async fn begin() -> Self {
        let schema = Schema::create();
        let store = Arc::new(PostgresStore::open(&schema.config()).await.unwrap());
        let scene = Scene::new(store.clone());
        let bot = scene.device(1).await;
        let account = scene.account(2).await;
        let old = scene.session(&account, 2).await;
        let replacing = NewSession {
            replaces: Some(old.id),
            created_at: at(20),
            ..Scene::new_session(&account, 3)
        };
        let gateway = Gateway {
            store: store.clone(),
            bus: Arc::new(LocalBus::new()),
            clock: Arc::new(TestClock::at(START)),
            entropy: Arc::new(SystemEntropy::new().unwrap()),
            limits: Limits::default(),
            measures: Measures::default(),
        };
        Self { schema, store, gateway, scene, bot, old, account, replacing }
    }

    /// A message to the old session, accepted at that second.
    async fn message(&self, n: u16) -> Acceptance {
        let mut message = self.scene.message(&self.bot, &[&self.old], n).await;
        message.accepted_at = at(n.into());
        message
    }

    /// Somebody who is about to store a message under the same id: whoever comes second waits.
    async fn hold_back(&self, message: &Acceptance) -> PgConnection {
        let mut stranger = self.schema.connect().await;
        query("BEGIN").execute(&mut stranger).await.unwrap();
        query("INSERT INTO seen_messages VALUES ($1, $2, $3, ''::bytea, 0, 1)")
            .bind(message.sender.shard().0)
            .bind(message.sender.0)
            .bind(message.message_id.as_bytes().to_vec())
            .execute(&mut stranger)
            .await
            .unwrap();
        stranger
    }

    /// Signs in while a message that was judged before waits to be stored.
    async fn replace_during(&self, message: Acceptance) -> Session {
        let mut stranger = self.hold_back(&message).await;
        let store = self.store.clone();
        let accepting = tokio::spawn(async move { store.accept(vec![message]).await });
        wait_until_blocked(&self.schema, &mut stranger).await;
        let signed_in = self.scene.sign_in(self.replacing.clone()).await.unwrap().session;
        query("ROLLBACK").execute(&mut stranger).await.unwrap();
        let accepted = accepting.await.unwrap().unwrap();
        assert!(matches!(accepted[..], [Accepted::Stored(_)]), "{accepted:?}");
        signed_in
    }

    async fn clear(&self) {
        while self.gateway.clear_ended(10).await.unwrap() {}
    }

    async fn entries(&self) -> i64 {
        let count = query_scalar("SELECT count(*) FROM ended_inboxes");
        count.fetch_one(&mut self.schema.connect().await).await.unwrap()
    }

    /// Minutes pass.
    async fn pass_time(&self) {
        query("UPDATE ended_inboxes SET look_at = 1 WHERE look_at > 0")
            .execute(&mut self.schema.connect().await)
            .await
            .unwrap();
    }
}

fn gap(count: u64, from: u64, to: u64) -> String {
    Gap { reason: GapReason::SignedInAgain, count, from: at(from), to: at(to) }.to_json()
}

fn bodies(waiting: &[Waiting]) -> Vec<&str> {
    assert!(waiting.iter().all(|it| it.category == SYSTEM_GAP), "{waiting:?}");
    waiting.iter().map(|it| std::str::from_utf8(&it.body).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_message_that_is_stored_while_its_session_is_replaced_is_told_to_the_new_one() {
    let story = Story::begin().await;
    story.scene.accept(story.message(1).await).await;
    let new = story.replace_during(story.message(2).await).await;
    let mut hints = story.gateway.bus.subscribe();
    story.clear().await;
    let woken = hints.next().now_or_never().flatten();
    assert_eq!(woken, Some(Hint::Wake([new.number].into())), "it may wait for something");
    let waiting = story.scene.lease(&new, at(30)).await;
    assert_eq!(bodies(&waiting), [gap(2, 1, 2)], "what was told before is counted in");
    story.clear().await;
    assert_eq!(story.scene.lease(&new, at(100)).await.len(), 1, "it is told once");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn what_comes_after_the_old_inbox_was_cleared_is_told_as_well() {
    let story = Story::begin().await;
    let message = story.message(3).await;
    let mut stranger = story.hold_back(&message).await;
    let store = story.store.clone();
    let accepting = tokio::spawn(async move { store.accept(vec![message]).await });
    wait_until_blocked(&story.schema, &mut stranger).await;
    let new = story.scene.sign_in(story.replacing.clone()).await.unwrap().session;
    story.clear().await;
    assert_eq!(story.entries().await, 1, "something may still be on its way");
    query("ROLLBACK").execute(&mut stranger).await.unwrap();
    accepting.await.unwrap().unwrap();
    story.clear().await;
    assert!(story.scene.lease(&new, at(30)).await.is_empty(), "it is not yet time");

    story.pass_time().await;
    story.clear().await;
    assert_eq!(bodies(&story.scene.lease(&new, at(30)).await), [gap(1, 3, 3)]);
    assert_eq!(story.entries().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn whoever_signs_in_twice_is_told_at_the_last_session() {
    let story = Story::begin().await;
    let second = story.replace_during(story.message(4).await).await;
    let id = story.replacing.id;
    assert_eq!(second.id, id);
    let again = NewSession { replaces: Some(id), ..Scene::new_session(&story.account, 4) };
    let third = story.scene.sign_in(again).await.unwrap().session;
    story.clear().await;
    assert_eq!(bodies(&story.scene.lease(&third, at(30)).await), [gap(1, 4, 4)]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn what_expires_in_the_old_inbox_is_told_to_the_new_one() {
    let story = Story::begin().await;
    let mut message = story.message(5).await;
    message.expires_at = at(50);
    let new = story.replace_during(message).await;
    assert_eq!(story.scene.sweep_all(at(60), 100, 500).await.marked, [new.number]);
    let told = Gap { reason: GapReason::Expired, count: 1, from: at(5), to: at(5) };
    assert_eq!(bodies(&story.scene.lease(&new, at(60)).await), [told.to_json()]);
    story.clear().await;
    assert!(story.scene.lease(&new, at(61)).await.is_empty(), "each once");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn what_waited_is_taken_out_when_its_session_is_replaced() {
    let story = Story::begin().await;
    for n in 1..=5 {
        story.scene.accept(story.message(n).await).await;
    }
    story.scene.lease(&story.old, START).await;
    story.scene.acknowledge(&story.old, &[2]).await;
    let new = story.scene.sign_in(story.replacing.clone()).await.unwrap().session;
    assert_eq!(story.scene.sweep(None, 100).await.dropped, 5, "four, and one that was read");
    assert_eq!(bodies(&story.scene.lease(&new, at(30)).await), [gap(4, 1, 5)]);
    story.scene.acknowledge(&new, &[60_000]).await;
    story.clear().await;
    assert_eq!(story.scene.lease(&new, at(30)).await.len(), 0);
    let seen = story.store.seen(story.bot.account, &[message_id(1)]).await.unwrap();
    assert!(seen[0].is_some());
}
