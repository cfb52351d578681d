//! A cache may be stale; a message to an old list must not get through all the same.
//!
//! Two nodes share one store. Each has a cache of its own, and nothing tells the one what the other
//! has changed.

use std::sync::Arc;

use bytes::Bytes;
use sealpost::bus::LocalBus;
use sealpost::domain::account::{AccountKind, contact_conversation_id};
use sealpost::domain::clock::{TestClock, Timestamp};
use sealpost::domain::conversation::Role;
use sealpost::domain::conversation::group::{GroupRequest, Named};
use sealpost::domain::conversation::plan::Wish;
use sealpost::domain::ids::{ConversationId, SessionId, UserId};
use sealpost::domain::inbox::{Details, InboxKey};
use sealpost::domain::measures::Measures;
use sealpost::domain::ports::Store;
use sealpost::domain::roster::Roster;
use sealpost::domain::session::{Session, SessionOwner};
use sealpost::domain::submit::{Addressees, Content, OnStale, SealedContent, Submission, Verdict};
use sealpost::domain::{Gateway, Limits};
use sealpost::sdk::keys::SigningKey;
use sealpost::storage::{CacheConfig, CachedStore, MemoryStore};

use crate::harness::actor::message_id;
use crate::harness::entropy::TestEntropy;

fn node(store: Arc<dyn Store>, seed: u64) -> Gateway {
    Gateway {
        store: Arc::new(CachedStore::new(store, &CacheConfig::default())),
        bus: Arc::new(LocalBus::new()),
        clock: Arc::new(TestClock::at(Timestamp::from_micros(1))),
        entropy: Arc::new(TestEntropy::new(seed)),
        limits: Limits::default(),
        measures: Measures::default(),
    }
}

fn inbox(session: &Session) -> InboxKey {
    InboxKey { shard: session.account.shard(), session: session.number }
}

struct Scene {
    here: Gateway,
    there: Gateway,
    sender: SessionOwner,
    anna: UserId,
    phone: Session,
}

async fn sign_in(node: &Gateway, user: UserId, key: u8, replaces: Option<SessionId>) -> Session {
    let key = SigningKey::from_seed(&[key; 32]).verifying_key();
    node.add_device_as_operator(user, key, String::new(), replaces).await.unwrap()
}

async fn scene() -> Scene {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (here, there) = (node(store.clone(), 1), node(store, 2));
    let bot = here.create_account(AccountKind::Bot, "bot").await.unwrap();
    let anna = here.create_account(AccountKind::User, "Anna").await.unwrap();
    let session = sign_in(&here, bot.id, 1, None).await;
    let phone = sign_in(&here, anna.id, 2, None).await;
    let sender = SessionOwner { session, account: bot };
    let scene = Scene { here, there, sender, anna: anna.id, phone };
    // Both nodes have everything in their caches now.
    for node in [&scene.here, &scene.there] {
        node.store.rosters(&[scene.anna, scene.sender.account.id]).await.unwrap();
    }
    scene
}

impl Scene {
    async fn roster(&self, node: &Gateway) -> Arc<Roster> {
        node.store.rosters(&[self.anna]).await.unwrap().remove(0)
    }

    /// A message sealed for what `roster` says.
    fn message(&self, number: u8, roster: &Roster) -> Submission {
        let slots = roster.members.iter().map(|member| (member.session, Bytes::from(vec![0; 64])));
        Submission {
            message_id: message_id(number),
            conversation: contact_conversation_id(self.sender.account.id, self.anna),
            to: Addressees::One(self.anna),
            category: "ENCRYPTED_TEXT".into(),
            checksum: Some(roster.checksum),
            named_sessions: None,
            on_stale: OnStale::Reject,
            content: Content::Sealed(SealedContent {
                sender_key: self.sender.session.agreement_key,
                body: Bytes::from_static(b"body"),
                slots: slots.collect(),
            }),
            details: Details::default(),
        }
    }

    async fn submit(&self, node: &Gateway, message: Submission) -> Verdict {
        node.submit(&self.sender, &[message]).await.unwrap().remove(0)
    }

    async fn waiting(&self, session: &Session) -> usize {
        self.there.lease(inbox(session), 100, None).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_stale_cache_does_not_let_a_message_through_to_an_old_list() {
    let scene = scene().await;
    let old = scene.roster(&scene.here).await;
    let tablet = sign_in(&scene.there, scene.anna, 3, None).await;
    assert_eq!(scene.roster(&scene.here).await.generation, old.generation, "the cache is stale");

    let verdict = scene.submit(&scene.here, scene.message(1, &old)).await;
    let Verdict::StaleSessions(stale) = verdict else { panic!("{verdict:?}") };
    assert_eq!(stale.missing, [tablet.id]);
    assert_eq!(scene.waiting(&scene.phone).await, 0, "nothing was stored");
}

#[tokio::test]
async fn a_sender_who_knows_more_than_the_cache_is_accepted() {
    let scene = scene().await;
    let tablet = sign_in(&scene.there, scene.anna, 3, None).await;
    let fresh = scene.there.store.fresh_rosters(&[scene.anna]).await.unwrap().remove(0);
    assert_eq!(fresh.members.len(), 2);

    let verdict = scene.submit(&scene.here, scene.message(1, &fresh)).await;
    assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict:?}");
    assert_eq!(scene.waiting(&tablet).await, 1);
}

#[tokio::test]
async fn a_key_of_the_sender_that_was_revoked_elsewhere_seals_nothing_more() {
    let scene = scene().await;
    let roster = scene.roster(&scene.here).await;
    let (bot, session) = (scene.sender.account.id, scene.sender.session.id);
    sign_in(&scene.there, bot, 4, Some(session)).await;

    let verdict = scene.submit(&scene.here, scene.message(1, &roster)).await;
    assert!(matches!(verdict, Verdict::Rejected(_)), "{verdict:?}");
    assert_eq!(scene.waiting(&scene.phone).await, 0);
}

#[tokio::test]
async fn an_accepted_id_stays_a_duplicate_when_everything_has_changed() {
    let scene = scene().await;
    let roster = scene.roster(&scene.here).await;
    let accepted = scene.submit(&scene.here, scene.message(1, &roster)).await;
    assert!(matches!(accepted, Verdict::Accepted(_)), "{accepted:?}");
    sign_in(&scene.there, scene.anna, 3, Some(scene.phone.id)).await;
    for node in [&scene.here, &scene.there] {
        let again = scene.submit(node, scene.message(1, &roster)).await;
        assert!(matches!(again, Verdict::Duplicate(_)), "{again:?}");
    }
}

/// A group of the bot's with Anna, which both nodes have in their caches.
async fn group(scene: &Scene) -> ConversationId {
    let named = Named { user: scene.anna, role: Role::Member, field: String::new() };
    let request = GroupRequest {
        id: scene.there.random_id(),
        name: "Team".to_owned(),
        announcement: String::new(),
        random_id: None,
        participants: vec![named],
    };
    let id = scene.there.create_group(&scene.sender, &request).await.unwrap().id;
    for node in [&scene.here, &scene.there] {
        assert_eq!(node.store.conversations(&[id]).await.unwrap().len(), 1);
    }
    id
}

impl Scene {
    /// A message to a group, sealed for Anna's phone.
    async fn to_group(&self, number: u8, group: ConversationId) -> Submission {
        let mut message = self.message(number, &*self.roster(&self.here).await);
        (message.conversation, message.to) = (group, Addressees::Others);
        message
    }
}

#[tokio::test]
async fn who_joins_a_group_elsewhere_is_missing_here_at_once() {
    let scene = scene().await;
    let id = group(&scene).await;
    let bert = scene.there.create_account(AccountKind::User, "Bert").await.unwrap();
    let phone = sign_in(&scene.there, bert.id, 5, None).await;
    let named = Named { user: bert.id, role: Role::Member, field: String::new() };
    scene.there.add_participants(&scene.sender, id, &[named]).await.unwrap();
    let known = scene.here.store.conversations(&[id]).await.unwrap().remove(0);
    assert_eq!(known.participants.len(), 2, "the cache is stale");

    let verdict = scene.submit(&scene.here, scene.to_group(1, id).await).await;
    let Verdict::StaleSessions(stale) = verdict else { panic!("{verdict:?}") };
    assert_eq!(stale.missing, [phone.id]);
    let mut plain = scene.to_group(2, id).await;
    (plain.content, plain.checksum) = (Content::Plain(Bytes::from_static(b"hi")), None);
    assert!(matches!(scene.submit(&scene.here, plain).await, Verdict::Accepted(_)));
    assert_eq!(
        scene.there.lease(inbox(&phone), 100, None).await.unwrap().len(),
        2,
        "with the notice"
    );
}

#[tokio::test]
async fn who_was_removed_elsewhere_posts_nothing_here() {
    let scene = scene().await;
    let id = group(&scene).await;
    let anna = scene.there.account(scene.anna).await.unwrap();
    let owner = SessionOwner { session: scene.phone.clone(), account: anna };
    let other = scene.there.create_account(AccountKind::User, "Bert").await.unwrap();
    sign_in(&scene.there, other.id, 6, None).await;
    let wish = Wish::Remove(vec![scene.anna]);
    scene.there.change_conversation(&scene.sender, id, &wish).await.unwrap();
    let mut message = scene.to_group(1, id).await;
    let Content::Sealed(content) = &mut message.content else { panic!("sealed") };
    content.sender_key = scene.phone.agreement_key;
    message.on_stale = OnStale::DeliverKnown;
    let verdict = scene.here.submit(&owner, &[message]).await.unwrap().remove(0);
    let Verdict::Rejected(fault) = verdict else { panic!("{verdict:?}") };
    assert!(fault.to_string().contains("takes no part"), "{fault}");
}

#[tokio::test]
async fn a_group_that_changed_elsewhere_turns_nobody_away_and_is_changed_as_it_is() {
    let scene = scene().await;
    let phone = &scene.phone;
    let anna = scene.there.account(scene.anna).await.unwrap();
    let anna = SessionOwner { session: phone.clone(), account: anna };
    let id = scene.here.random_id();
    let group = GroupRequest {
        id,
        name: "Team".into(),
        announcement: String::new(),
        random_id: None,
        participants: Vec::new(),
    };
    let made = scene.here.create_group(&scene.sender, &group).await.unwrap();
    scene.here.conversation(scene.sender.account.id, id).await.unwrap();
    scene.there.join_group(&anna, made.code.unwrap()).await.unwrap();
    assert!(scene.here.conversation(scene.anna, id).await.unwrap().has(scene.anna));
    let wish = Wish::Describe { name: Some("Both".into()), announcement: None };
    let changed = scene.here.change_conversation(&scene.sender, id, &wish).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.participants.len()), ("Both", 2));
}
