//! Sending messages.

use axum::http::Method;

use super::world::{
    Part, ask, form, gateway, gateway_with, multipart, query, recorded, recorded_key,
    recorded_key_with,
};

#[tokio::test]
async fn a_message_is_sent_by_put_and_by_a_link() {
    // CB09
    let app = gateway().await;
    let key = recorded_key(&app).await;
    key.gets(&app, "by put").await;
    let link = [("token", &*key.token), ("message", "by a link")];
    let sent = ask(&app, query(Method::GET, "/Service/SendMessage", &link)).await;
    assert_eq!((sent.status, sent.text().as_str()), (200, "true"));
    assert_eq!(key.opens(&app).await.data(), ["by put", "by a link"]);
}

#[tokio::test]
async fn nothing_is_sent_to_nobody() {
    // CB11
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let unknown = [("token", "0123456789abcdef"), ("message", "x")];
    let put = |members: &[(&str, &str)]| form(Method::PUT, "/Service", members);
    assert_eq!(ask(&app, put(&unknown)).await.error().0, 404);
    assert_eq!(ask(&app, put(&[("token", "short"), ("message", "x")])).await.error().0, 404);
    let no_token = ask(&app, put(&[("message", "x")])).await;
    assert_eq!(no_token.error(), (400, "token is required".to_owned()));
    let nothing = ask(&app, put(&[("token", &key.token), ("message", " ")])).await;
    let text = "message, encryptedmessage or a file is required";
    assert_eq!(nothing.error(), (400, text.to_owned()));
}

#[tokio::test]
async fn all_files_of_a_request_are_kept_with_its_texts() {
    // CB13
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let parts = [
        Part::Text("message", "two files"),
        Part::File("a.txt", b"first"),
        Part::File("", b""),
        Part::File("C:\\dir\\b.txt", b"second"),
        // What is known last: the files were sealed before.
        Part::Text("token", &key.token),
    ];
    let sent = ask(&app, multipart(Method::PUT, "/Service", &parts)).await;
    assert_eq!((sent.status, sent.text().as_str()), (200, "true"));
    let read = key.opens(&app).await;
    assert_eq!(read.data(), ["a.txt", "b.txt", "two files"]);
    let json = read.json();
    let files: Vec<_> = (0..3).map(|index| json[index]["IsFile"].as_bool().unwrap()).collect();
    assert_eq!(files, [true, true, false]);
    assert!(json[2]["TemporaryDownloadId"].is_null() && json[1]["TemporaryDownloadId"].is_string());
}

#[tokio::test]
async fn all_of_a_request_is_kept_or_nothing() {
    let app = gateway_with(|settings| settings.message_bytes = 2000).await;
    let key = recorded_key(&app).await;
    let sealed = "A".repeat(2001);
    let parts = [
        Part::Text("token", &key.token),
        Part::File("a.txt", b"file"),
        Part::Text("message", "text"),
        Part::Text("encryptedmessage", &sealed),
        Part::Text("encryptionkey", "key"),
    ];
    let refused = ask(&app, multipart(Method::PUT, "/Service", &parts)).await;
    assert_eq!(refused.error().0, 413);
    assert_eq!(key.opens(&app).await.status, 304);
}

#[tokio::test]
async fn a_file_for_nobody_is_refused_before_it_is_read() {
    let app = gateway().await;
    // It would be refused for its end otherwise.
    let mut request =
        multipart(Method::PUT, "/Service?token=0123456789abcdef", &[Part::File("a.txt", b"file")]);
    *request.body_mut() = axum::body::Body::from(
        "--frontier\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\nbroken off",
    );
    assert_eq!(ask(&app, request).await.error().0, 404);
}

#[tokio::test]
async fn what_is_encrypted_is_kept_as_it_is() {
    // CB15
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let (data, encryption_key) = (recorded("MessageData"), recorded("EncryptionKey"));
    let members =
        [("token", &*key.token), ("encryptedmessage", &*data), ("encryptionkey", &*encryption_key)];
    let sent = ask(&app, form(Method::PUT, "/Service", &members)).await;
    assert_eq!((sent.status, sent.text().as_str()), (200, "true"));
    let kept = &key.fetches(&app).await.json()[0];
    assert_eq!(kept["MessageData"], data.as_str());
    assert_eq!(kept["EncryptionKey"], encryption_key.as_str());
    assert!(kept["MessageHash"].is_null());
    assert_eq!(key.opens(&app).await.data(), [recorded("plaintext")]);
}

#[tokio::test]
async fn what_comes_without_its_key_is_a_text_that_spoils_nothing() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let members = [("token", &*key.token), ("encryptedmessage", "no key with it")];
    assert_eq!(ask(&app, form(Method::PUT, "/Service", &members)).await.text(), "true");
    assert_eq!(key.opens(&app).await.data(), ["no key with it"]);
}

#[tokio::test]
async fn a_locked_key_takes_nothing_any_more() {
    let app = gateway().await;
    let key = recorded_key_with(&app, &[("lockdate", "2026-01-03")]).await;
    key.gets(&app, "in time").await;
    app.clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
    let members = [("token", &*key.token), ("message", "too late")];
    let refused = ask(&app, form(Method::PUT, "/Service", &members)).await;
    assert_eq!(refused.error().0, 403);
    assert_eq!(key.opens(&app).await.data(), ["in time"]);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let large = "a".repeat(32 * 1024 * 1024);
    let members = [("token", &*key.token), ("message", &*large)];
    assert_eq!(ask(&app, form(Method::PUT, "/Service", &members)).await.error().0, 413);
    let parts = [Part::Text("token", &key.token), Part::Text("message", &large)];
    assert_eq!(ask(&app, multipart(Method::PUT, "/Service", &parts)).await.error().0, 413);
}
