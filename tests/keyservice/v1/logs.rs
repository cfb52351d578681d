//! Passphrases come in URLs, headers and bodies, and get into no log.

use axum::http::Method;

use super::world::{Part, ask, form, gateway, multipart, query, with};
use crate::harness::log::Log;

#[tokio::test]
async fn nothing_that_a_request_says_is_logged() {
    let log = Log::listen();
    let secrets = much_happens().await;
    let log = log.end();
    for expected in ["path=\"/Service\"", "path=\"/Home/GetFile\"", "status=404", "status=200"] {
        assert!(log.contains(expected), "{expected} is not in the log:\n{log}");
    }
    for secret in secrets {
        assert!(!log.contains(&secret), "`{secret}` is in the log");
    }
}

/// Makes a key, fills it, reads it, is refused; returns what must not be found.
async fn much_happens() -> Vec<String> {
    let app = gateway().await;
    let pass = "correct-horse-7734";
    let made = ask(&app, query(Method::POST, "/Service", &[("passphrase", pass)])).await.json();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let token = text("KeyToken");
    let parts = [
        Part::Text("token", &token),
        Part::Text("message", "the cat sleeps"),
        Part::File("cat-diary.txt", b"day one"),
    ];
    ask(&app, multipart(Method::PUT, "/Service", &parts)).await;
    let junk = [("token", &*token), ("encryptedmessage", "junk-1"), ("encryptionkey", "junk-2")];
    ask(&app, form(Method::PUT, "/Service", &junk)).await;
    let read = [("token", &*token), ("passphrase", pass)];
    let read = ask(&app, query(Method::GET, "/Service", &read)).await.json();
    let ticket = read[0]["TemporaryDownloadId"].as_str().unwrap().to_owned();
    ask(&app, query(Method::GET, "/Home/GetFile", &[("fileId", &ticket)])).await;
    ask(&app, query(Method::GET, "/Home/GetFile", &[("fileId", "forged-ticket")])).await;
    let bare = query(Method::GET, "/Service", &[]);
    let wrong = with(with(bare, "token", &token), "passphrase", "wrong-horse");
    assert_eq!(ask(&app, wrong).await.status, 404);
    let broken = query(Method::POST, "/Service?releasedate=never-ever", &[("v", "9")]);
    ask(&app, broken).await;
    let letter = [("message", "burn this"), ("email", "anna-7734@example.org")];
    let letter = with(form(Method::POST, "/Service/SelfDestruct", &letter), "host", "x.example");
    let link = ask(&app, letter).await.json().as_str().unwrap().to_owned();
    let (_, word) = link.split_once("passphrase=").unwrap();
    let word = word.split('&').next().unwrap().to_owned();
    let mut secrets = vec![token, ticket, word, text("PrivateKey"), text("PrivateKeyHash")];
    secrets.push(read[0]["EncryptionKey"].as_str().unwrap().to_owned());
    secrets.extend(
        [
            pass,
            "the cat sleeps",
            "cat-diary",
            "day one",
            "junk-1",
            "junk-2",
            "forged-ticket",
            "wrong-horse",
            "never-ever",
            "burn this",
            "anna-7734",
        ]
        .map(str::to_owned),
    );
    secrets
}
