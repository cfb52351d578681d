//! A box from its making to its end, with the SDK's client over a real connection.

use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use sealpost::domain::clock::Clock as _;
use sealpost_sdk::client::dropbox::{BoxContent, DropBoxClient, DropBoxError, NewBox, OwnedBox};
use sealpost_sdk::dropbox::{Argon2Cost, Kdf};

use crate::harness::TestApp;
use crate::harness::dropbox::two;

const PASSPHRASE: &str = "four unequal words";

async fn client(app: &TestApp) -> DropBoxClient {
    let url = format!("http://{}", app.socket_address().await);
    DropBoxClient::builder(url).clock(app.sdk_clock()).build().unwrap()
}

/// As cheap as the gateway takes.
fn wishes() -> NewBox {
    let cost = Argon2Cost { memory: 19_456, passes: 1, lanes: 1 };
    NewBox { kdf: Some(Kdf::argon2id(cost, [7; 16]).unwrap()), ..NewBox::default() }
}

/// What is in a box: texts, and the names of files.
async fn read(owned: &OwnedBox) -> Vec<String> {
    let page = owned.messages(None, None).await.unwrap();
    let shown = page.messages.into_iter().map(|message| match message.content {
        BoxContent::Text(text) => text,
        BoxContent::File(file) => file.name,
        BoxContent::Unreadable(error) => panic!("{error}"),
    });
    shown.collect()
}

#[tokio::test]
async fn a_box_from_its_making_to_its_end() {
    let app = TestApp::start_for_boxes().await;
    let client = client(&app).await;
    let made = client.create(PASSPHRASE, wishes()).await.unwrap();
    let token = made.share.token();

    let record = client.record(token).await.unwrap();
    assert_eq!(record.lock_date, made.lock_date);
    client.put_text(&record.shared, "meet me at noon").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cat = folder.path().join("cat.png");
    let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
    std::fs::write(&cat, &bytes).unwrap();
    client.put_file(&record.shared, "a cat.png", cat.as_path()).await.unwrap();

    let owned = client.open(token, PASSPHRASE).await.unwrap();
    assert_eq!(read(&owned).await, ["meet me at noon", "a cat.png"]);
    let messages = owned.messages(None, None).await.unwrap().messages;
    let BoxContent::File(file) = &messages[1].content else { panic!("no file") };
    let mut back = Vec::new();
    owned.fetch_file(file, &mut back).await.unwrap();
    assert!(back == bytes);

    owned.delete_message(&messages[0].id).await.unwrap();
    assert_eq!(read(&owned).await, ["a cat.png"]);
    owned.delete_box().await.unwrap();
    let gone = client.record(token).await;
    assert!(matches!(gone, Err(DropBoxError::NotFound)), "{gone:?}");
}

#[tokio::test]
async fn another_passphrase_reads_nothing() {
    let app = TestApp::start_for_boxes().await;
    let client = client(&app).await;
    let made = client.create(PASSPHRASE, wishes()).await.unwrap();
    let stranger = client.open(made.share.token(), "four equal words").await.unwrap();
    let refused = stranger.messages(None, None).await;
    assert!(matches!(refused, Err(DropBoxError::NotFound)), "{refused:?}");
}

#[tokio::test]
async fn an_owner_who_is_early_is_told_when() {
    let app = TestApp::start_for_boxes().await;
    let client = client(&app).await;
    let later = app.clock.now().plus(Duration::from_secs(60)).to_string();
    let wishes = NewBox { release_date: Some(later.clone()), ..wishes() };
    let made = client.create(PASSPHRASE, wishes).await.unwrap();
    let owned = client.open(made.share.token(), PASSPHRASE).await.unwrap();
    match owned.messages(None, None).await {
        Err(DropBoxError::NotReleased { release_date }) => assert_eq!(release_date, later),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn files_that_go_after_reading_come_for_an_hour() {
    let app = TestApp::start_for_boxes().await;
    let client = client(&app).await;
    let wishes = NewBox { delete_messages_after_reading: true, ..wishes() };
    let made = client.create(PASSPHRASE, wishes).await.unwrap();
    let record = client.record(made.share.token()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, b"").unwrap();
    client.put_file(&record.shared, "empty", empty.as_path()).await.unwrap();
    let owned = client.open(made.share.token(), PASSPHRASE).await.unwrap();
    let page = owned.messages(None, None).await.unwrap();
    assert!(page.are_gone, "texts would be");
    let BoxContent::File(file) = &page.messages[0].content else { panic!("no file") };
    for _ in 0..2 {
        assert_eq!(owned.fetch_file(file, &mut Vec::new()).await.unwrap(), 0);
    }
    app.clock.advance(Duration::from_secs(60 * 60));
    let again = owned.fetch_file(file, &mut Vec::new()).await;
    assert!(matches!(again, Err(DropBoxError::NotFound)), "{again:?}");
}

#[tokio::test]
async fn a_letter_is_read_once() {
    let app = TestApp::start_for_boxes().await;
    let client = client(&app).await;
    let left = client.leave_letter("burn this", None).await.unwrap();
    let page = left.link.to_url().split('#').next().unwrap().to_owned();
    let page = page.strip_prefix(left.link.base()).unwrap().to_owned();
    let looked = app.answer(two(Method::GET, &page).body(Body::empty()).unwrap()).await;
    assert_eq!(looked.status, 200, "{looked:?}");
    assert_eq!(client.take_letter(&left.link).await.unwrap().text, "burn this");
    let again = client.take_letter(&left.link).await;
    assert!(matches!(again, Err(DropBoxError::NotFound)), "{again:?}");
}
