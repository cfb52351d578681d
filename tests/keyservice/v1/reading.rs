//! Reading messages.

use std::time::Duration;

use axum::http::Method;
use futures_util::future::join_all;

use super::world::{PASSPHRASE, ask, form, gateway, query, recorded_key, recorded_key_with, with};

#[tokio::test]
async fn a_passphrase_reads_texts_and_a_hash_what_is_kept() {
    // CB19, CB20, CB21, CB41
    let app = gateway().await;
    let key = recorded_key(&app).await;
    key.gets(&app, "hello <world> & 'all'").await;
    let opened = key.opens(&app).await;
    assert_eq!(opened.data(), ["hello <world> & 'all'"]);
    let opened = opened.json()[0].clone();
    assert_eq!(opened["EncryptionKey"].as_str().unwrap().len(), 172, "the clear pass");
    assert_eq!((&opened["MessageId"], &opened["IsFile"]), (&1.into(), &false.into()));
    assert_eq!(opened["Created"], "/Date(1767323045000)/");
    let fetched = key.fetches(&app).await.json()[0].clone();
    assert_eq!(fetched["EncryptionKey"].as_str().unwrap().len(), 1548);
    assert_eq!(fetched["MessageHash"], opened["MessageHash"]);
    assert_ne!(fetched["MessageData"], opened["MessageData"]);
    let bare = || query(Method::GET, "/Service", &[]);
    let by_header = with(with(bare(), "token", &key.token), "privatekeyhash", &key.hash);
    assert_eq!(ask(&app, by_header).await.json()[0], fetched);
    let by_header = with(with(bare(), "token", &key.token), "passphrase", PASSPHRASE);
    assert_eq!(ask(&app, by_header).await.json()[0]["MessageData"], opened["MessageData"]);
    let direct = [("token", &*key.token), ("passphrase", PASSPHRASE)];
    let direct = ask(&app, form(Method::POST, "/Service/GetMessages", &direct)).await;
    assert_eq!(direct.data(), ["hello <world> & 'all'"]);
}

#[tokio::test]
async fn texts_come_back_whole() {
    // CB37
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let prose = "It was a dark and stormy night. ".repeat(60);
    let texts =
        ["a".repeat(30), prose, "h\u{e9}llo \u{4e16}\u{754c} \u{1f600}\r\n\t\u{1}".to_owned()];
    for text in &texts {
        key.gets(&app, text).await;
    }
    assert_eq!(key.opens(&app).await.data(), texts);
}

#[tokio::test]
async fn junk_is_marked_and_the_rest_is_read() {
    // CB17
    let app = gateway().await;
    let key = recorded_key(&app).await;
    key.gets(&app, "before").await;
    key.gets_junk(&app).await;
    key.gets(&app, "after").await;
    let opened = key.opens(&app).await;
    let marker = "(This message cannot be decrypted.)";
    assert_eq!(opened.data(), ["before", marker, "after"]);
    let opened = opened.json();
    assert!(opened[1]["EncryptionKey"].is_null() && opened[0]["EncryptionKey"].is_string());
    let fetched = key.fetches(&app).await.json();
    assert_eq!(fetched[1]["MessageData"], "junk");
}

#[tokio::test]
async fn an_empty_box_is_not_modified_unless_somebody_prefers_a_list() {
    // CB25
    let app = gateway().await;
    let key = recorded_key(&app).await;
    for (secret, value) in [("passphrase", PASSPHRASE), ("privatekeyhash", &key.hash)] {
        let nothing = ask(&app, key.asks(Method::GET, secret, value)).await;
        assert_eq!((nothing.status, nothing.text().as_str()), (304, ""));
        let prefer = with(key.asks(Method::GET, secret, value), "prefer", "return=representation");
        let list = ask(&app, prefer).await;
        assert_eq!((list.status, list.text().as_str()), (200, "[]"));
    }
}

#[tokio::test]
async fn what_is_missing_is_said() {
    // CB31
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let read = |members: &[(&str, &str)]| query(Method::GET, "/Service", members);
    let no_token = ask(&app, read(&[])).await;
    assert_eq!(no_token.error(), (400, "token is required".to_owned()));
    let (status, text) = ask(&app, read(&[("token", &key.token)])).await.error();
    assert!(status == 400 && text.contains("privatekeyhash"), "{text}");
    let aside = [("token", &*key.token), ("publickey", "<RSAKeyValue/>")];
    let (status, text) = ask(&app, read(&aside)).await.error();
    assert!(status == 400 && text.contains("privatekeyhash"), "{text}");
    let alone = ask(&app, read(&[("publickey", "<RSAKeyValue/>")])).await.error();
    assert_eq!(alone, (status, text));
    let browser = with(read(&[]), "accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let page = ask(&app, browser).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    assert!(page.headers["content-security-policy"].to_str().unwrap().contains("'none'"));
}

#[tokio::test]
async fn a_long_answer_is_cut_and_goes_on() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let sealed = "A".repeat(400_000);
    for _ in 0..4 {
        let members =
            [("token", &*key.token), ("encryptedmessage", &*sealed), ("encryptionkey", "key")];
        assert_eq!(ask(&app, form(Method::PUT, "/Service", &members)).await.text(), "true");
    }
    let first = key.fetches(&app).await;
    assert_eq!(first.headers["x-more-messages"], "true");
    let read = first.data().len();
    assert!((1..4).contains(&read), "{read}");
    let after = first.json()[read - 1]["MessageId"].to_string();
    let rest = |after: &str| {
        let members = [("token", &*key.token), ("privatekeyhash", &*key.hash), ("after", after)];
        query(Method::GET, "/Service", &members)
    };
    let second = ask(&app, rest(&after)).await;
    assert!(!second.headers.contains_key("x-more-messages"));
    assert_eq!(read + second.data().len(), 4);
    assert_eq!(ask(&app, rest("4")).await.status, 304);
    assert_eq!(ask(&app, rest("last")).await.error().0, 400);
}

#[tokio::test]
async fn before_its_release_a_box_is_as_good_as_unknown() {
    let app = gateway().await;
    let key = recorded_key_with(&app, &[("releasedate", "2026-01-03")]).await;
    key.gets(&app, "later").await;
    let unknown = [("token", "0123456789abcdef"), ("passphrase", PASSPHRASE)];
    let unknown = ask(&app, query(Method::GET, "/Service", &unknown)).await.error();
    assert_eq!(key.opens(&app).await.error(), unknown);
    assert_eq!(key.fetches(&app).await.error(), unknown);
    app.clock.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(key.opens(&app).await.data(), ["later"]);
}

#[tokio::test]
async fn messages_may_go_once_they_were_read() {
    let app = gateway().await;
    let key = recorded_key_with(&app, &[("DeleteMessagesAfterReading", "true")]).await;
    for number in 0..8 {
        key.gets(&app, &number.to_string()).await;
    }
    let replies = join_all((0..6).map(|_| key.opens(&app))).await;
    let mut read = Vec::new();
    for reply in replies {
        match reply.status {
            200 => read.extend(reply.data()),
            status => assert_eq!(status, 304, "{}", reply.text()),
        }
    }
    read.sort();
    assert_eq!(read, ["0", "1", "2", "3", "4", "5", "6", "7"], "each of them once");
    assert_eq!(key.opens(&app).await.status, 304);
}

#[tokio::test]
async fn a_key_may_go_once_it_was_read() {
    // CB45
    let app = gateway().await;
    let key = recorded_key_with(&app, &[("deletekeyafterreading", "1")]).await;
    key.gets(&app, "once").await;
    key.gets_files(&app, &[("a.txt", b"file")]).await;
    let read = key.opens(&app).await;
    assert_eq!(read.data(), ["once", "a.txt"]);
    assert_eq!(key.opens(&app).await.error().0, 404);
    let ticket = read.json()[1]["TemporaryDownloadId"].as_str().unwrap().to_owned();
    let file = ask(&app, query(Method::GET, "/Home/GetFile", &[("fileId", &ticket)])).await;
    assert_eq!((file.status, file.text().as_str()), (200, "file"));
}
