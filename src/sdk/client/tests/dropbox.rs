//! Drop boxes and letters, against a gateway that forgets nothing it was shown.

mod gateway;

use std::time::Duration;

use bytes::Bytes;

use self::gateway::{Gateway, Instead, problem};
use super::world::HeldClock;
use crate::base64url;
use crate::client::dropbox::{
    BoxContent, BoxFile, CreatedBox, DropBoxClient, DropBoxError, NewBox, OwnedBox, Page,
};
use crate::client::{BuildError, Clock, RequestError, RetryPolicy};
use crate::dropbox::{Argon2Cost, FileError, Kdf, LetterLink, RecordError, sealed_length};

const PASSPHRASE: &str = "a long passphrase";

fn quick() -> NewBox {
    let cost = Argon2Cost { memory: 19_456, passes: 1, lanes: 1 };
    NewBox { kdf: Some(Kdf::argon2id(cost, [7; 16]).unwrap()), ..NewBox::default() }
}

async fn created(gateway: &Gateway) -> (CreatedBox, OwnedBox) {
    let client = gateway.client();
    let created = client.create(PASSPHRASE, quick()).await.unwrap();
    let owned = client.open(created.share.token(), PASSPHRASE).await.unwrap();
    (created, owned)
}

fn texts(page: Page) -> Vec<String> {
    let text = |content| match content {
        BoxContent::Text(text) => text,
        other => panic!("{other:?}"),
    };
    page.messages.into_iter().map(|message| text(message.content)).collect()
}

async fn only_file(owned: &OwnedBox) -> BoxFile {
    match owned.messages(None, None).await.unwrap().messages.remove(0).content {
        BoxContent::File(file) => file,
        other => panic!("{other:?}"),
    }
}

fn picture(length: usize) -> Bytes {
    (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

#[tokio::test]
async fn dropbox_texts_come_out_as_they_went_in() {
    let gateway = Gateway::new().await;
    let (created, owned) = created(&gateway).await;
    let record = gateway.client().record(created.share.token()).await.unwrap();
    for text in ["meet me at noon", ""] {
        gateway.client().put_text(&record.shared, text).await.unwrap();
    }
    assert_eq!(texts(owned.messages(None, None).await.unwrap()), ["meet me at noon", ""]);
}

#[tokio::test]
async fn dropbox_gateways_see_neither_passphrase_nor_plaintext() {
    let gateway = Gateway::new().await;
    let (created, owned) = created(&gateway).await;
    let secret = Bytes::from_static(b"the secret file");
    gateway.client().put_text(created.keys.shared(), "the secret text").await.unwrap();
    gateway.client().put_file(created.keys.shared(), "secret name", &secret).await.unwrap();
    owned.messages(None, None).await.unwrap();
    let proof = created.keys.auth_key().to_base64();
    for request in gateway.requests() {
        let seen = format!("{} {}", request.path, String::from_utf8_lossy(&request.body));
        for hidden in [PASSPHRASE, "secret", &proof] {
            assert!(
                !seen.contains(hidden) && !seen.contains(&base64url::encode(hidden.as_bytes()))
            );
        }
    }
}

#[tokio::test]
async fn dropbox_files_come_out_as_they_went_in() {
    let gateway = Gateway::new().await;
    for length in [0, 1, 65_536, 200_000] {
        let (created, owned) = created(&gateway).await;
        let client = gateway.client();
        client.put_file(created.keys.shared(), "Grüße.png", &picture(length)).await.unwrap();
        let file = only_file(&owned).await;
        assert_eq!((file.name.as_str(), file.length), ("Grüße.png", Some(length as u64)));
        let mut target = Vec::new();
        assert_eq!(owned.fetch_file(&file, &mut target).await.unwrap(), length as u64);
        assert!(target == picture(length));
        owned.delete_box().await.unwrap();
    }
}

#[tokio::test]
async fn dropbox_messages_come_in_pages() {
    let gateway = Gateway::new().await;
    let (created, owned) = created(&gateway).await;
    for text in ["one", "two", "three"] {
        gateway.client().put_text(created.keys.shared(), text).await.unwrap();
    }
    let first = owned.messages(None, Some(2)).await.unwrap();
    assert!(first.more);
    let after = first.messages[1].id.clone();
    assert_eq!(texts(first), ["one", "two"]);
    let second = owned.messages(Some(&after), Some(2)).await.unwrap();
    assert!(!second.more);
    assert_eq!(texts(second), ["three"]);
}

#[tokio::test]
async fn dropbox_messages_that_do_not_open_hide_no_others() {
    let gateway = Gateway::new().await;
    let (created, owned) = created(&gateway).await;
    for text in ["one", "two", "three"] {
        gateway.client().put_text(created.keys.shared(), text).await.unwrap();
    }
    gateway.change(created.share.token(), 0, "message", "AAAA");
    gateway.change(created.share.token(), 1, "kind", "hologram");
    let contents = owned.messages(None, None).await.unwrap().messages;
    let shown: Vec<_> = contents.iter().map(|message| format!("{:?}", message.content)).collect();
    assert_eq!(shown, ["Unreadable(Message)", "Unreadable(Message)", "Text(..)"]);
}

#[tokio::test]
async fn dropbox_wrong_passphrases_and_unknown_boxes_look_alike() {
    let gateway = Gateway::new().await;
    let (created, owned) = created(&gateway).await;
    let stranger = gateway.client().open(created.share.token(), "another").await.unwrap();
    let error = stranger.messages(None, None).await.unwrap_err();
    assert!(matches!(error, DropBoxError::NotFound), "{error:?}");
    assert!(!error.is_temporary());
    owned.delete_box().await.unwrap();
    let error = gateway.client().record(created.share.token()).await.unwrap_err();
    assert!(matches!(error, DropBoxError::NotFound), "{error:?}");
}

#[tokio::test]
async fn dropbox_forged_records_are_refused_before_anything_is_derived_or_sealed() {
    let gateway = Gateway::new().await;
    let (created, _) = created(&gateway).await;
    let token = created.share.token();
    let weaker = created.keys.kdf().to_string().replace("m=19456", "m=19457");
    gateway.forge(token, "kdf", &weaker);
    let opened = gateway.client().open(token, PASSPHRASE).await.unwrap_err();
    assert!(matches!(opened, DropBoxError::Record(RecordError::Token)), "{opened:?}");
    gateway.forge(token, "kdf", "pbkdf2-sha256:i=1:AAAAAAAAAAAAAAAAAAAAAA");
    let opened = gateway.client().open(token, PASSPHRASE).await.unwrap_err();
    assert!(matches!(opened, DropBoxError::Record(RecordError::Kdf(_))), "{opened:?}");
    assert!(gateway.requests().iter().all(|request| !request.headers.contains_key("authkey")));
}

#[tokio::test]
async fn dropbox_clients_wait_as_long_as_they_are_asked_to() {
    let gateway = Gateway::new().await;
    let (created, owned) = created(&gateway).await;
    gateway.instead(Instead::Answer(429, vec![("retry-after", "7".to_owned())], problem("wait")));
    gateway.client().put_text(created.keys.shared(), "hello").await.unwrap();
    assert!(gateway.clock.slept()[0] >= Duration::from_secs(7));
    gateway.instead(Instead::Answer(429, vec![("retry-after", "999".to_owned())], problem("wait")));
    let error = owned.messages(None, None).await.unwrap_err();
    assert!(error.is_temporary(), "{error:?}");
    assert_eq!(gateway.clock.slept().len(), 1);
}

#[tokio::test]
async fn dropbox_clients_give_up_on_a_gateway_that_stays_busy() {
    let gateway = Gateway::new().await;
    let (created, _) = created(&gateway).await;
    let before = gateway.requests().len();
    for _ in 0..20 {
        gateway.instead(Instead::Answer(503, Vec::new(), problem("busy")));
    }
    let error = gateway.client().record(created.share.token()).await.unwrap_err();
    assert!(error.is_temporary(), "{error:?}");
    assert_eq!(gateway.requests().len() - before, 6);
}

#[tokio::test]
async fn dropbox_what_may_have_been_done_is_not_done_twice() {
    let gateway = Gateway::new().await;
    let (created, owned) = created(&gateway).await;
    let client = gateway.client();
    let before = gateway.requests().len();
    gateway.instead(Instead::LoseAnswer);
    assert!(client.put_text(created.keys.shared(), "hello").await.is_err());
    gateway.instead(Instead::LoseAnswer);
    assert!(client.put_file(created.keys.shared(), "a", &picture(10)).await.is_err());
    gateway.instead(Instead::LoseAnswer);
    assert!(owned.messages(None, None).await.is_err());
    assert_eq!(gateway.requests().len() - before, 3);
}

#[tokio::test]
async fn dropbox_boxes_whose_answer_was_lost_are_made_once() {
    let gateway = Gateway::new().await;
    gateway.instead(Instead::LoseAnswer);
    created(&gateway).await;
    let requests = gateway.requests();
    assert_eq!(requests[0].body, requests[1].body);
}

#[tokio::test]
async fn dropbox_files_that_begin_again_have_another_key() {
    let gateway = Gateway::new().await;
    let (created, owned) = created(&gateway).await;
    let before = gateway.requests().len();
    gateway.instead(Instead::Answer(503, Vec::new(), problem("busy")));
    gateway.client().put_file(created.keys.shared(), "a", &picture(70_000)).await.unwrap();
    let puts = gateway.requests().split_off(before);
    assert_ne!(puts[0].path, puts[1].path);
    assert_eq!(puts[1].body.len() as u64, sealed_length(70_000));
    let mut target = Vec::new();
    owned.fetch_file(&only_file(&owned).await, &mut target).await.unwrap();
    assert!(target == picture(70_000));
}

#[tokio::test]
async fn dropbox_files_that_change_while_they_are_read_are_not_put_in() {
    struct Shrinking;

    impl crate::client::Source for Shrinking {
        type Reader = std::io::Cursor<Bytes>;

        async fn size(&self) -> std::io::Result<u64> {
            Ok(100)
        }

        async fn open(&self) -> std::io::Result<Self::Reader> {
            Ok(std::io::Cursor::new(picture(99)))
        }
    }

    let gateway = Gateway::new().await;
    let (created, owned) = created(&gateway).await;
    let put = gateway.client().put_file(created.keys.shared(), "a", &Shrinking).await;
    assert!(matches!(put, Err(DropBoxError::Read(_))), "{put:?}");
    assert!(owned.messages(None, None).await.unwrap().messages.is_empty());
}

#[tokio::test]
async fn dropbox_forged_files_are_refused() {
    let gateway = Gateway::new().await;
    let (created, owned) = created(&gateway).await;
    let token = created.share.token();
    gateway.client().put_file(created.keys.shared(), "a", &picture(200_000)).await.unwrap();
    let file = only_file(&owned).await;
    gateway.body(token, 0, |body| body.truncate(7 + 65_552));
    let cut = owned.fetch_file(&file, &mut Vec::new()).await.unwrap_err();
    assert!(matches!(cut, DropBoxError::Forged(FileError::Truncated)), "{cut:?}");
    gateway.body(token, 0, |body| body[100] ^= 1);
    let mut target = Vec::new();
    let changed = owned.fetch_file(&file, &mut target).await.unwrap_err();
    assert!(matches!(changed, DropBoxError::Forged(_)) && target.is_empty(), "{changed:?}");
}

#[tokio::test]
async fn dropbox_owners_delete_one_message_or_everything() {
    let gateway = Gateway::new().await;
    let (created, owned) = created(&gateway).await;
    let put = gateway.client().put_text(created.keys.shared(), "one").await.unwrap();
    gateway.client().put_text(created.keys.shared(), "two").await.unwrap();
    owned.delete_message(&put.id).await.unwrap();
    assert_eq!(texts(owned.messages(None, None).await.unwrap()), ["two"]);
    let again = owned.delete_message(&put.id).await;
    assert!(matches!(again, Err(DropBoxError::NotFound)));
    owned.delete_box().await.unwrap();
    assert!(!gateway.requests().last().unwrap().path.contains("messageid"));
    assert!(matches!(owned.messages(None, None).await, Err(DropBoxError::NotFound)));
}

#[tokio::test]
async fn dropbox_refusals_say_the_gateways_reason() {
    let gateway = Gateway::new().await;
    let (created, owned) = created(&gateway).await;
    gateway.instead(Instead::Answer(413, Vec::new(), problem("the box is full")));
    let error = gateway.client().put_text(created.keys.shared(), "hello").await.unwrap_err();
    let DropBoxError::Request(RequestError::Api { error, .. }) = &error else {
        panic!("{error:?}");
    };
    assert_eq!((error.status, error.description.as_str()), (413, "the box is full"));
    let body = r#"{"status":403,"detail":"not yet","releasedate":"2031-01-01T00:00:00Z"}"#;
    gateway.instead(Instead::Answer(403, Vec::new(), body.to_owned()));
    let error = owned.messages(None, None).await.unwrap_err();
    assert_eq!(error.to_string(), "the box cannot be read before 2031-01-01T00:00:00Z");
}

#[tokio::test]
async fn dropbox_gateways_that_fall_silent_are_not_waited_for() {
    let gateway = Gateway::new().await;
    let (created, owned) = created(&gateway).await;
    gateway.client().put_file(created.keys.shared(), "a", &picture(10)).await.unwrap();
    let file = only_file(&owned).await;
    let client = gateway.builder().timeout(Duration::from_millis(50)).build().unwrap();
    let owned = client.open(created.share.token(), PASSPHRASE).await.unwrap();
    for _ in 0..RetryPolicy::default().attempts {
        gateway.instead(Instead::Silence);
    }
    assert!(owned.fetch_file(&file, &mut Vec::new()).await.unwrap_err().is_temporary());
    gateway.instead(Instead::Silence);
    assert!(client.put_text(created.keys.shared(), "a").await.unwrap_err().is_temporary());
    gateway.instead(Instead::Silence);
    let put = client.put_file(created.keys.shared(), "a", &picture(10)).await;
    assert!(put.unwrap_err().is_temporary());
}

#[tokio::test]
async fn dropbox_letters_are_read_once() {
    let gateway = Gateway::new().await;
    let client = gateway.client();
    let left = client.leave_letter("burn this", Some(Duration::from_secs(3600))).await.unwrap();
    let link = LetterLink::parse(&left.link.to_url()).unwrap();
    assert_eq!(link.base(), gateway.base_url);
    let stranger = gateway.client().leave_letter("other", None).await.unwrap();
    let guessed = LetterLink::new(link.base(), link.id(), stranger.link.secret().clone()).unwrap();
    assert!(matches!(client.take_letter(&guessed).await, Err(DropBoxError::NotFound)));
    assert_eq!(client.take_letter(&link).await.unwrap().text, "burn this");
    assert!(matches!(client.take_letter(&link).await, Err(DropBoxError::NotFound)));
    let link = left.link.to_url();
    let secret = link.rsplit_once('.').unwrap().1;
    for request in gateway.requests() {
        let seen = format!("{request:?} {}", String::from_utf8_lossy(&request.body));
        assert!(!seen.contains(secret) && !seen.contains("burn this"));
    }
}

#[tokio::test]
async fn dropbox_debug_shows_no_secret() {
    let gateway = Gateway::new().await;
    let email = Some("me@example.org".to_owned());
    let (created, owned) = created(&gateway).await;
    gateway.client().put_text(created.keys.shared(), "the text").await.unwrap();
    let page = owned.messages(None, None).await.unwrap();
    let left = gateway.client().leave_letter("the letter", None).await.unwrap();
    let link = left.link.to_url();
    let shown = format!("{left:?}");
    let letter = gateway.client().take_letter(&left.link).await.unwrap();
    let new = NewBox { email, ..NewBox::default() };
    let shown = format!("{shown} {created:?} {owned:?} {page:?} {letter:?} {new:?}");
    let token = created.share.token().to_string();
    let proof = created.keys.auth_key().to_base64();
    let secret = link.rsplit_once('.').unwrap().1;
    for hidden in [PASSPHRASE, "the text", "the letter", "me@", &token, &proof, secret] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[test]
fn dropbox_settings_without_sense_are_refused_by_name() {
    let policy = RetryPolicy { attempts: 0, ..RetryPolicy::default() };
    let builder = || DropBoxClient::builder("http://gateway");
    for (builder, name) in [
        (builder().retry(policy), "retry.attempts"),
        (builder().timeout(Duration::ZERO), "timeout"),
        (builder().answer_limit(1), "answer_limit"),
    ] {
        let error = builder.build().unwrap_err();
        assert!(matches!(error, BuildError::Setting { setting, .. } if setting == name), "{error}");
    }
    let error = DropBoxClient::new("http://me:secret@gateway").unwrap_err();
    assert!(!format!("{error:?} {:?}", builder()).contains("secret"));
}

#[tokio::test]
async fn dropbox_everything_can_be_done_on_a_task_of_its_own() {
    fn sendable(_: impl Send) {}

    let gateway = Gateway::new().await;
    let (created, owned) = created(&gateway).await;
    let client = gateway.client();
    let left = client.leave_letter("a", None).await.unwrap();
    let shared = created.keys.shared();
    client.put_file(shared, "a", &picture(1)).await.unwrap();
    let file = only_file(&owned).await;
    let bytes = picture(1);
    sendable(client.create("a", NewBox::default()));
    sendable(client.record(shared.token()));
    sendable(client.open(shared.token(), "a"));
    sendable(client.put_text(shared, "a"));
    sendable(client.put_file(shared, "a", &bytes));
    sendable(client.leave_letter("a", None));
    sendable(client.take_letter(&left.link));
    sendable(owned.messages(None, None));
    sendable(owned.fetch_file(&file, &mut Vec::new()));
    sendable(owned.delete_message(&file.id));
    sendable(owned.delete_box());
}
