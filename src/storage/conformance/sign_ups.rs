//! Stories about signing up, invitations and tokens that are accepted once.

use sealpost_sdk::ids::Id;

use super::scene::{START, Scene, at, conflict, key, session_id, user_id};
use crate::domain::Fault;
use crate::domain::account::NewAccount;
use crate::domain::session::SessionOwner;
use crate::domain::sign_up::{Invite, InviteHash, NewInvite, UsedToken};

/// The account and the session numbered `n`.
fn newcomer(n: u16) -> NewAccount {
    NewAccount { sessions: vec![Scene::first_session(n)], ..Scene::new_account(n) }
}

/// The token of the key numbered `n`.
fn token(n: u16, jti: &str, request: &str) -> UsedToken {
    UsedToken::new(&key(n), jti, request, at(60))
}

async fn sign_up(scene: &Scene, n: u16, code: Option<&str>) -> Result<SessionOwner, Fault> {
    let invite = code.map(InviteHash::of);
    scene.store.sign_up(newcomer(n), token(n, "one", "this"), invite).await
}

async fn invite(scene: &Scene, code: &str, uses: u32) -> Invite {
    let id = Id::from_bytes([code.as_bytes()[0]; 16]);
    let invite = Invite { id, uses, used: 0, created_at: START, expires_at: at(10) };
    scene.store.add_invite(NewInvite { invite, hash: InviteHash::of(code) }).await.unwrap();
    invite
}

/// Why somebody may not.
fn forbidden<T>(outcome: Result<T, Fault>) -> Option<String> {
    match outcome {
        Err(Fault::Forbidden { reason, .. }) => Some(reason),
        _ => None,
    }
}

pub(super) async fn a_newcomer_has_an_account_and_a_session(scene: Scene) {
    let made = sign_up(&scene, 1, None).await.unwrap();
    assert_eq!((made.account.id, made.session.id), (user_id(1), session_id(1)));
    assert_eq!(scene.store.session(session_id(1)).await.unwrap(), Some(made));
    assert_eq!(scene.roster(user_id(1)).await.members.len(), 1);
}

pub(super) async fn the_same_sign_up_again_gives_the_same_account(scene: Scene) {
    let made = sign_up(&scene, 1, None).await.unwrap();
    // The account would be another one, but the token is the same.
    let mut again = newcomer(2);
    again.sessions[0].signing_key = key(1);
    let same = scene.store.sign_up(again.clone(), token(1, "one", "this"), None).await.unwrap();
    assert_eq!(same, made);

    for (what, used) in [
        ("another request under the same jti", token(1, "one", "that")),
        ("a signer without a session", token(2, "two", "this")),
    ] {
        if used.signer == key(2).to_bytes() {
            scene.store.use_token(used).await.unwrap();
        }
        let refused = scene.store.sign_up(newcomer(2), used, None).await;
        assert!(matches!(refused, Err(Fault::Unauthorized { .. })), "{what}");
    }
    let refused = scene.store.sign_up(again.clone(), token(1, "three", "this"), None).await;
    assert_eq!(conflict(refused).as_deref(), Some("public_key"));
    scene.store.end_session(user_id(1), session_id(1), at(1)).await.unwrap();
    let ended = scene.store.sign_up(again, token(1, "one", "this"), None).await;
    assert!(matches!(ended, Err(Fault::Unauthorized { .. })), "its session has ended");
    assert_eq!(scene.store.list_accounts(None, 10).await.unwrap().len(), 1);
}

pub(super) async fn an_invitation_is_used_as_often_as_it_says(scene: Scene) {
    let invited = invite(&scene, "a", 2).await;
    for n in [1, 2] {
        sign_up(&scene, n, Some("a")).await.unwrap();
    }
    // What does not come about uses nothing up.
    assert_eq!(conflict(sign_up_with_key(&scene, 3, 1).await).as_deref(), Some("public_key"));
    assert_eq!(forbidden(sign_up(&scene, 3, Some("a")).await).as_deref(), Some("is used up"));
    let unknown = forbidden(sign_up(&scene, 3, Some("b")).await);
    assert_eq!(unknown.as_deref(), Some("is unknown or was revoked"));
    let found = scene.store.invites(None, 10).await.unwrap();
    assert_eq!(found, [Invite { used: 2, ..invited }]);
    assert_eq!(scene.store.list_accounts(None, 10).await.unwrap().len(), 2);

    // Nothing is left of those who were refused: neither token nor key.
    invite(&scene, "c", 1).await;
    sign_up(&scene, 3, Some("c")).await.unwrap();
}

async fn sign_up_with_key(scene: &Scene, n: u16, other: u16) -> Result<SessionOwner, Fault> {
    let mut account = newcomer(n);
    account.sessions[0].signing_key = key(other);
    scene.store.sign_up(account, token(other, "x", "y"), Some(InviteHash::of("a"))).await
}

pub(super) async fn an_invitation_ends(scene: Scene) {
    invite(&scene, "a", 5).await;
    let mut late = newcomer(1);
    late.created_at = at(10);
    let hash = Some(InviteHash::of("a"));
    let refused = scene.store.sign_up(late, token(1, "one", "this"), hash).await;
    assert_eq!(forbidden(refused).as_deref(), Some("has expired"));
}

pub(super) async fn invitations_are_listed_in_pages_and_revoked(scene: Scene) {
    let mut made = Vec::new();
    for code in ["a", "b", "c"] {
        made.push(invite(&scene, code, 1).await);
    }
    let first = scene.store.invites(None, 2).await.unwrap();
    let second = scene.store.invites(Some(first[1].id), 2).await.unwrap();
    assert_eq!((&first[..], &second[..]), (&made[..2], &made[2..]));
    let unknown = Id::from_bytes([9; 16]);
    assert!(matches!(scene.store.invites(Some(unknown), 2).await, Err(Fault::NotFound { .. })));

    scene.store.drop_invite(made[0].id).await.unwrap();
    let again = scene.store.drop_invite(made[0].id).await;
    assert!(matches!(again, Err(Fault::NotFound { .. })));
    assert!(forbidden(sign_up(&scene, 1, Some("a")).await).is_some());
}

pub(super) async fn a_token_is_accepted_once_until_its_time_is_over(scene: Scene) {
    let used = token(1, "one", "this");
    scene.store.use_token(used).await.unwrap();
    let refused = scene.store.use_token(used).await;
    assert!(matches!(refused, Err(Fault::Unauthorized { .. })));
    scene.store.use_token(token(1, "two", "this")).await.unwrap();
    scene.store.use_token(token(2, "one", "this")).await.unwrap();

    assert_eq!(scene.store.forget_used_tokens(at(59), 10).await.unwrap(), 0);
    assert_eq!(scene.store.forget_used_tokens(at(60), 2).await.unwrap(), 2);
    assert_eq!(scene.store.forget_used_tokens(at(60), 2).await.unwrap(), 1);
    scene.store.use_token(used).await.unwrap();
}
