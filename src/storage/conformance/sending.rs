//! Stories about relationships, slots that come later, and requests that come again.

use bytes::Bytes;

use super::scene::{START, Scene, at, ids, inbox_of, message_id, message_ids, user_id};
use crate::domain::account::Account;
use crate::domain::idempotency::{
    AnswerQuota, Claimed, LONGEST_ANSWER, RequestClaim, RequestKey, RunningRequest, StoredAnswer,
};
use crate::domain::ids::AccountNumber;
use crate::domain::inbox::{Accepted, Guard, Slot};
use crate::domain::relationship::{Relation, RelationChange};
use crate::domain::session::Session;
use crate::domain::top_up::{SlotAddition, SlotsAdded, TopUpOffer};

pub(super) async fn a_relation_is_one_sided_and_the_last_word_counts(scene: Scene) {
    let (one, two, three) =
        (scene.account(1).await, scene.account(2).await, scene.account(3).await);
    let all = [one.number, two.number, three.number];
    let change = async |other: AccountNumber, change: RelationChange, second: u64| {
        scene.store.change_relation(one.number, other, change, at(second)).await.unwrap();
    };
    change(two.number, RelationChange::Set(Relation::Friend), 1).await;
    change(three.number, RelationChange::Set(Relation::Friend), 2).await;
    change(two.number, RelationChange::Set(Relation::Friend), 3).await;
    let friends = scene.store.related(one.number, Relation::Friend, 10).await.unwrap();
    assert_eq!(friends, [three.clone(), two.clone()], "the latest first; no change is no news");
    let latest = scene.store.related(one.number, Relation::Friend, 1).await.unwrap();
    assert_eq!(latest, friends[..1]);
    assert!(scene.store.relations(two.number, &all).await.unwrap().is_empty());

    let all_blockers = async |account: &Account, limit: u32| {
        scene.store.all_blockers(account.number, limit).await.unwrap()
    };
    assert_eq!(all_blockers(&two, 0).await, Some(Vec::new()), "friends are not among them");
    // A cache that knew that nobody is blocked must forget it.
    assert!(scene.store.blockers(two.number, &all).await.unwrap().is_empty());
    change(two.number, RelationChange::Set(Relation::Blocked), 4).await;
    assert_eq!(scene.store.blockers(two.number, &all).await.unwrap(), [one.number]);
    assert_eq!(all_blockers(&two, 1).await, Some(vec![one.number]));
    assert_eq!(all_blockers(&two, 0).await, None, "they are more than that");
    assert!(scene.store.blockers(one.number, &all).await.unwrap().is_empty());
    assert!(scene.store.blockers(three.number, &all).await.unwrap().is_empty());
    change(two.number, RelationChange::Clear(Relation::Friend), 5).await;
    let mut relations = scene.store.relations(one.number, &all).await.unwrap();
    relations.sort_unstable_by_key(|it| it.0);
    assert_eq!(relations, [(two.number, Relation::Blocked), (three.number, Relation::Friend)]);
    let again = RelationChange::Set(Relation::Blocked);
    scene.store.change_relation(three.number, two.number, again, at(6)).await.unwrap();
    let mut both = all_blockers(&two, 2).await.unwrap();
    both.sort_unstable();
    assert_eq!((both, all_blockers(&two, 1).await), (vec![one.number, three.number], None));
    change(two.number, RelationChange::Clear(Relation::Blocked), 7).await;
    assert_eq!(all_blockers(&two, 1).await, Some(vec![three.number]));
    assert_eq!(scene.store.blockers(two.number, &all).await.unwrap(), [three.number]);
}

pub(super) async fn who_shares_a_conversation_is_found_among_others(scene: Scene) {
    let (bot, phone, stranger) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    scene.contact(&bot, &phone).await;
    let asked = [phone.user, stranger.user, user_id(50)];
    let found = scene.store.companions_among(bot.account, &asked).await.unwrap();
    assert_eq!(found, [phone.user]);
    assert!(scene.store.companions_among(stranger.account, &asked).await.unwrap().is_empty());
}

/// A message to the phone that the laptop, of another account, may still get within 100 seconds.
async fn offered(scene: &Scene, bot: &Session, phone: &Session, laptop: &Session) {
    let mut message = scene.message(bot, &[phone], 1).await;
    let users = vec![phone.user, laptop.user];
    message.top_up = Some(TopUpOffer { users, left_out: None, until: at(100) });
    assert!(matches!(scene.accept(message).await, Accepted::Stored(_)));
}

async fn addition(scene: &Scene, bot: &Session, to: &Session, completes: bool) -> SlotAddition {
    let open = scene.store.open_top_up(bot.account, message_id(1), START).await.unwrap().unwrap();
    let roster = scene.roster(to.user).await;
    SlotAddition {
        sender: bot.account,
        message_id: message_id(1),
        order: open.order,
        slots: vec![Slot {
            shard: to.account.shard(),
            session: to.number,
            bytes: Bytes::from_static(b"a later slot"),
        }],
        guards: vec![Guard::Roster { account: to.account, generation: roster.generation }],
        quota: Scene::quota(1000, START),
        completes,
        now: START,
    }
}

pub(super) async fn a_slot_that_comes_later_stands_where_its_message_does(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    offered(&scene, &bot, &phone, &laptop).await;
    scene.send(&bot, &[&laptop], 2).await;
    scene.lease(&phone, START).await;
    scene.acknowledge(&phone, &[1]).await;
    assert_eq!(scene.sweep(None, 100).await.dropped, 0, "the payload stays for those to come");

    let open = scene.store.open_top_up(bot.account, message_id(1), START).await.unwrap().unwrap();
    assert_eq!(open.offer.users, [phone.user, laptop.user]);
    assert_eq!(open.stored_for, [inbox_of(&phone)]);
    let added = addition(&scene, &bot, &laptop, false).await;
    for _ in ["once", "and again"] {
        assert_eq!(scene.store.add_slots(added.clone()).await.unwrap(), SlotsAdded::Added);
    }
    let waiting = scene.lease(&laptop, START).await;
    assert_eq!(ids(&waiting), message_ids([1, 2]));
    assert_eq!(waiting[0].slot, "a later slot");
    scene.acknowledge(&laptop, &[1, 2]).await;
    scene.store.add_slots(added).await.unwrap();
    assert!(scene.lease(&laptop, at(50)).await.is_empty(), "who has had it gets it once");

    let back = addition(&scene, &bot, &phone, true).await;
    assert_eq!(scene.store.add_slots(back).await.unwrap(), SlotsAdded::Added);
    assert!(scene.lease(&phone, at(50)).await.is_empty());
    assert_eq!(scene.store.open_top_up(bot.account, message_id(1), START).await.unwrap(), None);
    assert_eq!(scene.sweep(None, 100).await.dropped, 2, "nobody is missing any more");
}

pub(super) async fn slots_are_added_for_the_roster_that_was_looked_at(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let account = scene.account(3).await;
    let laptop = scene.session(&account, 3).await;
    offered(&scene, &bot, &phone, &laptop).await;
    let stale = addition(&scene, &bot, &laptop, true).await;
    scene.session(&account, 4).await;
    assert_eq!(scene.store.add_slots(stale).await.unwrap(), SlotsAdded::RosterMoved);
    assert!(scene.lease(&laptop, START).await.is_empty());
    let fresh = addition(&scene, &bot, &laptop, true).await;
    assert_eq!(scene.store.add_slots(fresh).await.unwrap(), SlotsAdded::Added);
    assert_eq!(ids(&scene.lease(&laptop, START).await), message_ids([1]));
}

pub(super) async fn a_slot_that_comes_later_finds_room_or_waits(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    offered(&scene, &bot, &phone, &laptop).await;
    scene.send(&bot, &[&laptop], 2).await;
    let mut added = addition(&scene, &bot, &laptop, true).await;
    added.quota = Scene::quota(1, START);
    assert_eq!(scene.store.add_slots(added.clone()).await.unwrap(), SlotsAdded::Full);
    assert_eq!(ids(&scene.lease(&laptop, START).await), message_ids([2]));
    scene.acknowledge(&laptop, &[2]).await;
    assert_eq!(scene.store.add_slots(added).await.unwrap(), SlotsAdded::Added);
    let mut next = scene.message(&bot, &[&laptop], 3).await;
    next.quota = Scene::quota(1, START);
    assert_eq!(scene.accept(next).await, Accepted::Full, "later slots count");
}

pub(super) async fn a_top_up_ends_with_its_time(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    offered(&scene, &bot, &phone, &laptop).await;
    let open = async |sender: &Session, now| {
        scene.store.open_top_up(sender.account, message_id(1), now).await.unwrap().is_some()
    };
    assert!(open(&bot, at(99)).await && !open(&bot, at(100)).await);
    assert!(!open(&phone, START).await, "it is the sender's");
    let mut late = addition(&scene, &bot, &laptop, true).await;
    late.now = at(100);
    assert_eq!(scene.store.add_slots(late).await.unwrap(), SlotsAdded::Gone);

    scene.lease(&phone, START).await;
    scene.acknowledge(&phone, &[1]).await;
    assert_eq!(scene.store.close_top_ups(at(99), 10).await.unwrap(), 0);
    assert_eq!(scene.sweep(None, 100).await.dropped, 0);
    assert_eq!(scene.store.close_top_ups(at(100), 10).await.unwrap(), 1);
    assert_eq!(scene.store.close_top_ups(at(100), 10).await.unwrap(), 0);
    assert_eq!(scene.sweep(None, 100).await.dropped, 1);
}

pub(super) async fn an_expired_message_is_kept_until_its_top_up_is_over(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    let mut message = scene.message(&bot, &[&phone], 1).await;
    message.expires_at = at(50);
    let users = vec![phone.user, laptop.user];
    message.top_up = Some(TopUpOffer { users, left_out: Some(phone.id), until: at(50) });
    scene.accept(message).await;
    let open = scene.store.open_top_up(bot.account, message_id(1), at(49)).await.unwrap();
    assert_eq!(open.unwrap().offer.left_out, Some(phone.id));
    let swept = scene.sweep_all(at(50), 100, 500).await;
    assert_eq!((swept.expired, swept.dropped), (1, 0));
    scene.store.close_top_ups(at(50), 10).await.unwrap();
    assert_eq!(scene.sweep_all(at(50), 100, 600).await.dropped, 1);
}

/// Two requests, and room for ten bytes beside the longest answer.
const QUOTA: AnswerQuota = AnswerQuota { requests: 2, bytes: LONGEST_ANSWER as u64 + 10 };

fn claim(account: i64, key: u8, digest: u8, claim: u8, now: u64) -> RequestClaim {
    let key = RequestKey { account: AccountNumber(account), hash: [key; 32] };
    RequestClaim {
        running: RunningRequest { key, claim: [claim; 16] },
        digest: [digest; 32],
        now: at(now),
        claimed_until: at(now + 10),
        expires_at: at(now + 100),
        quota: QUOTA,
    }
}

pub(super) async fn a_request_is_claimed_once_and_answered_ever_after(scene: Scene) {
    let ask = async |claim: RequestClaim| scene.store.claim_request(claim).await.unwrap();
    let answer = StoredAnswer { status: 202, body: Bytes::from_static(b"{}") };
    let first = claim(1, 1, 1, 1, 0);
    assert_eq!(ask(first).await, Claimed::First);
    assert_eq!(ask(claim(1, 1, 1, 2, 1)).await, Claimed::Running);
    assert_eq!(ask(claim(1, 1, 9, 2, 1)).await, Claimed::Differs);
    assert_eq!(ask(claim(2, 1, 9, 2, 1)).await, Claimed::First, "keys belong to their caller");
    scene.store.finish_request(first.running, Some(answer.clone()), QUOTA).await.unwrap();
    assert_eq!(ask(claim(1, 1, 1, 3, 99)).await, Claimed::Answered(answer));
    assert_eq!(ask(claim(1, 1, 9, 3, 99)).await, Claimed::Differs);
    assert_eq!(ask(claim(1, 1, 9, 3, 100)).await, Claimed::First, "its time is over");
}

pub(super) async fn a_request_that_never_ended_is_claimed_again(scene: Scene) {
    let ask = async |claim: RequestClaim| scene.store.claim_request(claim).await.unwrap();
    let answer = |text: &'static str| {
        Some(StoredAnswer { status: 200, body: Bytes::from_static(text.as_bytes()) })
    };
    let (lost, second) = (claim(1, 1, 1, 1, 0), claim(1, 1, 2, 2, 10));
    assert_eq!(ask(lost).await, Claimed::First);
    assert_eq!(ask(second).await, Claimed::First);
    scene.store.finish_request(lost.running, answer("lost"), QUOTA).await.unwrap();
    assert_eq!(ask(claim(1, 1, 2, 3, 11)).await, Claimed::Running, "the lost one speaks no more");
    scene.store.finish_request(second.running, None, QUOTA).await.unwrap();
    let third = claim(1, 1, 3, 3, 12);
    assert_eq!(ask(third).await, Claimed::First, "it was given back");
    scene.store.finish_request(third.running, answer("third"), QUOTA).await.unwrap();
    assert_eq!(scene.store.forget_requests(at(111), 10).await.unwrap(), 0);
    assert_eq!(scene.store.forget_requests(at(112), 10).await.unwrap(), 1);
    assert_eq!(scene.store.forget_requests(at(112), 10).await.unwrap(), 0);
}

pub(super) async fn an_account_keeps_so_many_requests_and_bytes(scene: Scene) {
    let ask = async |claim: RequestClaim| scene.store.claim_request(claim).await.unwrap();
    let finish = async |claim: RequestClaim, answer: Option<usize>| {
        let answer = answer.map(|it| StoredAnswer { status: 200, body: vec![b'x'; it].into() });
        scene.store.finish_request(claim.running, answer, QUOTA).await.unwrap();
    };
    let (one, two) = (claim(1, 1, 1, 1, 0), claim(1, 2, 1, 2, 0));
    assert_eq!(ask(one).await, Claimed::First);
    assert_eq!(ask(two).await, Claimed::First);
    assert_eq!(ask(claim(1, 3, 1, 3, 0)).await, Claimed::Full, "two are kept");
    assert_eq!(ask(claim(2, 3, 1, 3, 0)).await, Claimed::First, "for each account");
    finish(two, None).await;
    finish(two, None).await;
    let three = claim(1, 3, 1, 3, 1);
    assert_eq!(ask(three).await, Claimed::First, "what is given back makes room, once");
    assert_eq!(ask(claim(1, 4, 1, 4, 1)).await, Claimed::Full);
    // Both began when there was room, and together they are too much.
    finish(one, Some(11)).await;
    finish(three, Some(LONGEST_ANSWER)).await;
    assert!(matches!(ask(claim(1, 1, 1, 5, 2)).await, Claimed::Answered(_)));
    assert_eq!(ask(claim(1, 3, 1, 5, 2)).await, Claimed::Done);
    assert_eq!(ask(claim(1, 3, 9, 5, 2)).await, Claimed::Differs);
    // Its time is over, and its place and its bytes are free.
    assert_eq!(scene.store.forget_requests(at(100), 10).await.unwrap(), 2);
    assert_eq!(ask(claim(1, 4, 1, 4, 100)).await, Claimed::First);
    assert_eq!(
        ask(claim(1, 3, 2, 6, 101)).await,
        Claimed::First,
        "the same for one that is replaced"
    );
    assert_eq!(ask(claim(1, 5, 1, 5, 101)).await, Claimed::Full);
}

pub(super) async fn bytes_of_answers_are_kept_until_they_are_forgotten(scene: Scene) {
    let ask = async |claim: RequestClaim| scene.store.claim_request(claim).await.unwrap();
    let first = claim(1, 1, 1, 1, 0);
    assert_eq!(ask(first).await, Claimed::First);
    let answer = StoredAnswer { status: 200, body: vec![b'x'; 11].into() };
    scene.store.finish_request(first.running, Some(answer), QUOTA).await.unwrap();
    assert_eq!(ask(claim(1, 2, 1, 2, 1)).await, Claimed::Full, "the longest answer has no room");
    assert_eq!(scene.store.forget_requests(at(100), 10).await.unwrap(), 1);
    assert_eq!(ask(claim(1, 2, 1, 2, 100)).await, Claimed::First);
}
