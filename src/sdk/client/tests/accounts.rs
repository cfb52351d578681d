//! Accounts, sessions, and building a bot.

use super::world::{Fault, World};
use crate::base64url;
use crate::client::{Bot, BuildError, Text};
use crate::device::SessionStatement;
use crate::keys::SigningKey;
use crate::types::NewSession;

#[tokio::test]
async fn a_check_before_a_broadcast_leaves_nothing_stale() {
    let world = World::new().await;
    let people = [world.account(1), world.account(1), world.account(1)];
    let bot = world.bot();
    bot.sessions_of(&people[..2]).await.unwrap();
    world.state().sign_in_again(people[0]);
    let changed = bot.check_sessions(&people).await.unwrap();
    assert_eq!(changed, [people[0], people[2]]);
    for person in people {
        assert!(bot.send(&person, Text::new("a")).await.unwrap().outcome.is_delivered());
    }
    assert_eq!(world.requests("/encrypted_messages").len(), 3);
}

#[tokio::test]
async fn a_new_session_is_signed_by_both_keys_and_comes_back_as_a_keystore() {
    let world = World::new().await;
    let new_key = SigningKey::from_seed(&[5; 32]);
    let added = world.bot().replace_session(&new_key, "test").await.unwrap();
    let request = world.requests("/sessions").remove(0);
    let body: NewSession = serde_json::from_slice(&request.body).unwrap();
    let own = world.devices(world.bot).remove(0);
    let statement = SessionStatement {
        user: world.bot,
        added_by: own.session,
        public_key: new_key.verifying_key(),
    };
    let signature = |text: &str| base64url::decode(text).unwrap().try_into().unwrap();
    statement.verify_new(&signature(&body.signature)).unwrap();
    let adder = own.key.verifying_key();
    statement.verify_adder(&adder, &signature(&body.attestation)).unwrap();
    assert_eq!(body.replaces, Some(own.session));
    assert_eq!(added.keystore.session_id, added.session.session_id);
    assert_eq!(added.keystore.base_url.as_deref(), Some(world.base_url.as_str()));
    assert_eq!(*added.keystore.session_private_key.seed(), [5; 32]);
}

#[tokio::test]
async fn adding_a_session_is_not_repeated_when_it_may_have_happened() {
    let world = World::new().await;
    world.fault("/sessions", Fault::LostAnswer);
    let new_key = SigningKey::from_seed(&[5; 32]);
    assert!(world.bot().add_session(&new_key, "test").await.unwrap_err().is_temporary());
    assert_eq!(world.requests("/sessions").len(), 1);
}

#[tokio::test]
async fn a_session_is_revoked_by_its_id() {
    let world = World::new().await;
    let bot = world.bot();
    bot.revoke_session(bot.session_id()).await.unwrap();
    let request = world.state().requests[0].clone();
    assert_eq!(request.method, "DELETE");
    assert_eq!(request.path, format!("/sessions/{}", bot.session_id()));
}

#[tokio::test]
async fn a_base_url_may_have_a_path_and_nothing_more() {
    let world = World::new().await;
    for url in ["gateway", "ftp://gateway", "http://me@gateway", "http://gateway/?a=b", "http://"] {
        let built = world.builder().base_url(url).build();
        assert!(matches!(built, Err(BuildError::BaseUrl { .. })), "{url}");
    }
    assert!(world.builder().base_url("http://gateway/under/a/path/").build().is_ok());
}

#[tokio::test]
async fn settings_without_sense_are_refused_by_name() {
    let world = World::new().await;
    for (builder, name) in [
        (world.builder().rounds(0), "rounds"),
        (world.builder().concurrency(0), "concurrency"),
        (world.builder().timeout(std::time::Duration::ZERO), "timeout"),
        (world.builder().session_cache(std::time::Duration::MAX, 0), "session_cache"),
    ] {
        let error = builder.build().unwrap_err();
        assert!(matches!(error, BuildError::Setting { setting, .. } if setting == name), "{error}");
    }
    assert!(matches!(world.builder().api_token("secret").build(), Err(BuildError::ApiToken)));
}

#[tokio::test]
async fn debug_and_errors_show_no_secret() {
    let world = World::new().await;
    let builder = world.builder().api_token("spt_verysecret");
    let seed = world.devices(world.bot)[0].key.seed();
    let mut shown = format!("{builder:?}");
    shown.push_str(&format!("{:?}", builder.build().unwrap()));
    assert!(!shown.contains("verysecret"), "{shown}");
    assert!(!shown.contains(&format!("{:?}", &seed[..])), "{shown}");
}

#[tokio::test]
async fn a_password_in_a_base_url_is_refused_and_not_shown() {
    let world = World::new().await;
    for url in ["http://me:secret@gateway", "http://me:secret@", "me:secret@gateway"] {
        let builder = world.builder().base_url(url);
        let shown = format!("{builder:?}");
        let error = builder.build().unwrap_err();
        assert!(matches!(error, BuildError::BaseUrl { .. }), "{error:?}");
        let shown = format!("{shown} {error} {error:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[tokio::test]
async fn the_longest_timeout_is_long_enough() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![world.sealed(alice, 1, "one")]);
    let bot = world.builder().timeout(std::time::Duration::MAX).build().unwrap();
    assert_eq!(bot.messages().next().await.unwrap().unwrap().text(), Some("one"));
}

#[test]
fn a_keystore_that_is_not_there_is_a_typed_error() {
    let built = Bot::from_keystore("/nonexistent/keystore.json");
    assert!(matches!(built, Err(BuildError::Keystore(_))));
}

#[tokio::test]
async fn everything_can_be_done_on_a_task_of_its_own() {
    fn sendable(_: impl Send) {}

    let world = World::new().await;
    let bot = world.bot();
    let user = world.bot;
    sendable(bot.send(&user, Text::new("a")));
    sendable(bot.send_all([(user, Text::new("a"))]));
    sendable(bot.check_sessions(&[]));
    sendable(bot.sessions_of(&[]));
    sendable(bot.messages().close());
    sendable(bot.messages().next());
    sendable(bot.me());
    sendable(bot.run_until(async {}, |_| async {}));
    sendable(bot.run(|_| async {}));
}
