//! Stories about signing in, ending sessions, rosters and tokens.

use super::scene::{
    SESSION_LIMIT, START, Scene, at, conflict, ids, key, message_id, message_ids, session_id,
};
use crate::domain::Fault;
use crate::domain::inbox::{Gap, GapReason, SYSTEM_GAP, Waiting};
use crate::domain::session::{ApiToken, Attestation, Scopes, TokenHash};

pub(super) async fn signing_in_raises_the_generation_and_joins_the_roster(scene: Scene) {
    let account = scene.account(1).await;
    let empty = scene.roster(account.id).await;
    assert!(empty.members.is_empty() && empty.checksum.is_empty());

    let session = scene.session(&account, 1).await;
    for _ in ["from the database", "from a cache"] {
        let roster = scene.store.rosters(&[account.id]).await.unwrap().remove(0);
        assert_eq!((roster.account, roster.user), (account.number, account.id));
        assert!(roster.generation > empty.generation);
        let [member] = &roster.members[..] else { panic!("one member") };
        assert_eq!((member.session, member.number), (session.id, session.number));
        assert_eq!((member.key, member.platform.as_str()), (session.agreement_key, "Test"));
    }
    let second = scene.session(&account, 2).await;
    let both =
        scene.store.rosters(&[account.id, super::scene::user_id(9), account.id]).await.unwrap();
    assert_eq!(both.len(), 1, "unknown accounts are left out, others come once");
    assert!(both[0].member(session.id).is_some() && both[0].member(second.id).is_some());
}

pub(super) async fn a_session_remembers_everything(scene: Scene) {
    let account = scene.account(1).await;
    let mut new = Scene::new_session(&account, 1);
    new.attestation = Some(Attestation { added_by: session_id(9), signature: [3; 64] });
    let session = scene.sign_in(new.clone()).await.unwrap().session;
    assert_eq!((session.id, session.user, session.account), (new.id, account.id, account.number));
    assert_eq!(session.agreement_key, key(1).agreement_key());
    assert_eq!(session.attestation, new.attestation);
    for _ in ["from the database", "from a cache"] {
        let owner = scene.store.session(session.id).await.unwrap().unwrap();
        assert_eq!(owner.session, session);
        assert_eq!(owner.account, account);
    }
    assert_eq!(scene.store.session(session_id(2)).await.unwrap(), None);
}

pub(super) async fn a_key_is_used_once_for_ever(scene: Scene) {
    let (ann, ben) = (scene.account(1).await, scene.account(2).await);
    let session = scene.session(&ann, 1).await;
    let mut same_key = Scene::new_session(&ben, 2);
    same_key.signing_key = key(1);
    for _ in ["while it is live", "after its end"] {
        let refused = scene.sign_in(same_key.clone()).await;
        assert_eq!(conflict(refused).as_deref(), Some("public_key"));
        // The second time there is nothing left to end.
        let _ = scene.store.end_session(ann.id, session.id, at(1)).await;
    }
    assert!(scene.roster(ben.id).await.members.is_empty());
}

pub(super) async fn an_account_has_no_more_sessions_than_its_limit(scene: Scene) {
    let account = scene.account(1).await;
    for n in 1..=3 {
        scene.session(&account, n).await;
    }
    let before = scene.roster(account.id).await;
    assert_eq!(before.members.len(), SESSION_LIMIT as usize);
    let refused = scene.sign_in(Scene::new_session(&account, 4)).await;
    assert_eq!(conflict(refused).as_deref(), Some("sessions"));
    assert_eq!(scene.roster(account.id).await, before);

    let mut replacing = Scene::new_session(&account, 5);
    replacing.replaces = Some(session_id(2));
    assert!(scene.sign_in(replacing).await.is_ok(), "a replaced session leaves its place");
}

pub(super) async fn only_a_live_session_of_the_account_can_be_replaced(scene: Scene) {
    let (ann, ben) = (scene.account(1).await, scene.account(2).await);
    let ended = scene.session(&ann, 1).await;
    scene.store.end_session(ann.id, ended.id, at(1)).await.unwrap();
    let foreign = scene.session(&ben, 2).await;
    let before = scene.roster(ann.id).await;
    for replaces in [ended.id, foreign.id, session_id(99)] {
        let mut new = Scene::new_session(&ann, 3);
        new.replaces = Some(replaces);
        let refused = scene.sign_in(new).await;
        assert!(matches!(refused, Err(Fault::NotFound { what: "session" })));
    }
    assert_eq!(scene.roster(ann.id).await, before);
    assert_eq!(scene.roster(ben.id).await.members.len(), 1);
}

/// The body of the one message that waits, which must be a marker.
async fn only_gap(scene: &Scene, session: &crate::domain::session::Session) -> Waiting {
    let mut waiting = scene.lease(session, at(100)).await;
    assert_eq!(waiting.len(), 1);
    let gap = waiting.remove(0);
    assert_eq!(gap.category, SYSTEM_GAP);
    gap
}

fn gap(count: u64, from: u64, to: u64) -> String {
    Gap { reason: GapReason::SignedInAgain, count, from: at(from), to: at(to) }.to_json()
}

pub(super) async fn signing_in_again_replaces_and_leaves_a_gap(scene: Scene) {
    let bot = scene.device(1).await;
    let account = scene.account(2).await;
    let old = scene.session(&account, 2).await;
    for (n, seconds) in [(1, 5), (2, 7), (3, 9)] {
        let mut message = scene.message(&bot, &[&old], n).await;
        message.accepted_at = at(seconds);
        scene.accept(message).await;
    }
    let before = scene.roster(account.id).await;
    let mut new = Scene::new_session(&account, 3);
    new.replaces = Some(old.id);
    new.created_at = at(20);
    let signed_in = scene.store.sign_in(new, SESSION_LIMIT, message_id(77)).await.unwrap();
    assert_eq!(signed_in.replaced, Some(old.number));

    let after = scene.roster(account.id).await;
    assert!(after.generation > before.generation);
    assert_eq!(after.members.len(), 1);
    assert!(after.member(signed_in.session.id).is_some());
    assert!(scene.lease(&old, at(100)).await.is_empty());
    let ended = scene.store.session(old.id).await.unwrap().unwrap().session;
    assert_eq!(ended.ended_at, Some(at(20)));

    let marker = only_gap(&scene, &signed_in.session).await;
    assert_eq!(marker.message_id, message_id(77));
    assert_eq!(&marker.body[..], gap(3, 5, 9).as_bytes());
    assert!(marker.slot.is_empty() && marker.conversation.is_none());
    assert_eq!((marker.sender, marker.sender_session), (account.id, signed_in.session.id));
    assert_eq!(marker.accepted_at, at(20));
    scene.acknowledge(&signed_in.session, &[77]).await;
    assert!(scene.lease(&signed_in.session, at(200)).await.is_empty());
}

pub(super) async fn an_unread_gap_is_counted_in_the_next_one(scene: Scene) {
    let bot = scene.device(1).await;
    let account = scene.account(2).await;
    let mut current = scene.session(&account, 2).await;
    for n in [3, 4] {
        let mut message = scene.message(&bot, &[&current], n).await;
        message.accepted_at = at(u64::from(n));
        scene.accept(message).await;
        let mut new = Scene::new_session(&account, n);
        new.replaces = Some(current.id);
        new.created_at = at(50);
        current = scene.sign_in(new).await.unwrap().session;
    }
    assert_eq!(&only_gap(&scene, &current).await.body[..], gap(2, 3, 4).as_bytes());
}

pub(super) async fn a_replaced_session_with_nothing_waiting_leaves_no_gap(scene: Scene) {
    let account = scene.account(1).await;
    let old = scene.session(&account, 1).await;
    let mut new = Scene::new_session(&account, 2);
    new.replaces = Some(old.id);
    let session = scene.sign_in(new).await.unwrap().session;
    assert!(scene.lease(&session, at(100)).await.is_empty());
}

pub(super) async fn ending_a_session_drops_what_waited(scene: Scene) {
    let bot = scene.device(1).await;
    let account = scene.account(2).await;
    let (phone, laptop) = (scene.session(&account, 2).await, scene.session(&account, 3).await);
    scene.send(&bot, &[&phone, &laptop], 1).await;
    let before = scene.roster(account.id).await;
    // What a cache holds must not outlive the change.
    assert!(scene.store.session(phone.id).await.unwrap().unwrap().session.is_live());
    scene.store.rosters(&[account.id]).await.unwrap();

    let ended = scene.store.end_session(account.id, phone.id, at(5)).await.unwrap();
    assert_eq!(ended, phone.number);
    let roster = scene.store.rosters(&[account.id]).await.unwrap().remove(0);
    assert!(roster.generation > before.generation);
    assert!(roster.member(phone.id).is_none() && roster.member(laptop.id).is_some());
    let owner = scene.store.session(phone.id).await.unwrap().unwrap();
    assert_eq!(owner.session.ended_at, Some(at(5)));
    assert!(scene.lease(&phone, at(10)).await.is_empty());
    assert_eq!(ids(&scene.lease(&laptop, at(10)).await), message_ids([1]));
}

pub(super) async fn a_session_ends_once_and_for_its_own_user(scene: Scene) {
    let (phone, other) = (scene.device(1).await, scene.device(2).await);
    let foreign = scene.store.end_session(other.user, phone.id, START).await;
    assert!(matches!(foreign, Err(Fault::NotFound { what: "session" })));
    assert!(scene.store.end_session(phone.user, phone.id, START).await.is_ok());
    let again = scene.store.end_session(phone.user, phone.id, START).await;
    assert!(matches!(again, Err(Fault::NotFound { what: "session" })));
}

pub(super) async fn ended_sessions_are_told_from_live_and_foreign_ones(scene: Scene) {
    let account = scene.account(1).await;
    let (ended, live) = (scene.session(&account, 1).await, scene.session(&account, 2).await);
    let foreign = scene.device(3).await;
    scene.store.end_session(account.id, ended.id, at(1)).await.unwrap();
    scene.store.end_session(foreign.user, foreign.id, at(1)).await.unwrap();
    let asked = [session_id(9), live.id, ended.id, foreign.id, ended.id];
    let found = scene.store.ended_among(&[account.number], &asked).await.unwrap();
    assert_eq!(found, [ended.id]);
    assert!(scene.store.ended_among(&[account.number], &[]).await.unwrap().is_empty());
}

pub(super) async fn tokens_go_with_their_session(scene: Scene) {
    let session = scene.device(1).await;
    let hash = TokenHash::of("spt_secret");
    let token = ApiToken {
        hash,
        session: session.id,
        scopes: Scopes::ALL,
        created_at: START,
        expires_at: at(60),
    };
    scene.store.add_api_token(token.clone()).await.unwrap();
    for _ in ["from the database", "from a cache"] {
        let found = scene.store.api_token(hash).await.unwrap().unwrap();
        assert!(found.hash == hash && found.session == session.id);
        assert_eq!((found.scopes, found.expires_at), (Scopes::ALL, at(60)));
    }
    assert!(scene.store.api_token(TokenHash::of("spt_other")).await.unwrap().is_none());

    scene.store.end_session(session.user, session.id, at(1)).await.unwrap();
    assert!(scene.store.api_token(hash).await.unwrap().is_none());
    let late = scene.store.add_api_token(token).await;
    assert!(matches!(late, Err(Fault::NotFound { what: "session" })));
}

pub(super) async fn dropped_tokens_are_gone_and_those_of_others_stay(scene: Scene) {
    let (session, other) = (scene.device(1).await, scene.device(2).await);
    let token = |hash, session| ApiToken {
        hash,
        session,
        scopes: Scopes::ALL,
        created_at: START,
        expires_at: at(60),
    };
    let hashes = ["spt_one", "spt_two", "spt_other"].map(TokenHash::of);
    let [one, two, others] = hashes;
    for (hash, session) in [(one, session.id), (two, session.id), (others, other.id)] {
        scene.store.add_api_token(token(hash, session)).await.unwrap();
        assert!(scene.store.api_token(hash).await.unwrap().is_some());
    }
    scene.store.drop_api_tokens(session.id).await.unwrap();
    for (hash, is_there) in [(one, false), (two, false), (others, true)] {
        assert_eq!(scene.store.api_token(hash).await.unwrap().is_some(), is_there);
    }
}
