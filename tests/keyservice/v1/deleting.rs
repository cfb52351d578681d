//! Deleting keys and messages.

use axum::body::Body;
use axum::http::{Method, Request};

use super::world::{PASSPHRASE, ask, form, gateway, query, recorded_key, recorded_key_with};

#[tokio::test]
async fn a_key_is_deleted_by_passphrase_and_by_hash() {
    // CB33, CB35
    let app = gateway().await;
    for secret in ["passphrase", "privatekeyhash"] {
        let key = recorded_key(&app).await;
        key.gets(&app, "gone").await;
        let value = if secret == "passphrase" { PASSPHRASE } else { &key.hash };
        let deleted =
            ask(&app, form(Method::DELETE, "/Service", &[("token", &key.token), (secret, value)]));
        let deleted = deleted.await;
        assert_eq!((deleted.status, deleted.text().as_str()), (200, "\"Deleted.\""));
        assert_eq!(key.fetches(&app).await.error().0, 404);
        let late = form(Method::PUT, "/Service", &[("token", &key.token), ("message", "late")]);
        assert_eq!(ask(&app, late).await.error().0, 404);
    }
}

#[tokio::test]
async fn without_a_right_secret_nothing_is_deleted() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let delete = |members: &[(&str, &str)]| query(Method::DELETE, "/Service", members);
    let no_token = ask(&app, delete(&[("passphrase", PASSPHRASE)])).await;
    assert_eq!(no_token.error(), (400, "token is required".to_owned()));
    let (status, text) = ask(&app, delete(&[("token", &key.token)])).await.error();
    assert!(status == 400 && text.starts_with("passphrase is required"), "{text}");
    let wrong = ask(&app, key.asks(Method::DELETE, "passphrase", "wrong")).await.error();
    let unknown = [("token", "0123456789abcdef"), ("passphrase", PASSPHRASE)];
    assert_eq!(ask(&app, delete(&unknown)).await.error(), wrong);
    assert_eq!(wrong.0, 404);
    assert_eq!(key.opens(&app).await.status, 304);
}

#[tokio::test]
async fn one_message_is_deleted_by_its_number() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    key.gets(&app, "first").await;
    key.gets_junk(&app).await;
    key.gets(&app, "third").await;
    let delete = |number: &str| {
        let members =
            [("token", &*key.token), ("privatekeyhash", &*key.hash), ("messageId", number)];
        query(Method::DELETE, "/Service", &members)
    };
    assert_eq!(ask(&app, delete("2")).await.text(), "\"Deleted.\"");
    assert_eq!(ask(&app, delete("2")).await.error(), (404, "message not found".to_owned()));
    assert_eq!(key.opens(&app).await.data(), ["first", "third"]);
}

#[tokio::test]
async fn a_message_that_is_not_clear_takes_nothing_with_it() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    key.gets(&app, "stays").await;
    for number in ["", " ", "null", "abc", "-1", "1.0", "undefined"] {
        let members = [("token", &*key.token), ("passphrase", PASSPHRASE), ("messageid", number)];
        let refused = ask(&app, query(Method::DELETE, "/Service", &members)).await;
        assert_eq!(refused.error().0, 400, "{number:?}");
    }
    for number in ["null", "\"\"", "true", "[]"] {
        let body = format!(
            r#"{{"token":"{}","passphrase":"{PASSPHRASE}","messageid":{number}}}"#,
            key.token
        );
        let request = Request::delete("/Service").header("content-type", "application/json");
        let refused = ask(&app, request.body(Body::from(body)).unwrap()).await;
        assert_eq!(refused.error().0, 400, "{number}");
    }
    assert_eq!(key.opens(&app).await.data(), ["stays"]);
}

#[tokio::test]
async fn before_its_release_a_key_can_be_deleted_and_its_messages_cannot() {
    let app = gateway().await;
    let key = recorded_key_with(&app, &[("releasedate", "2026-01-03")]).await;
    key.gets(&app, "hidden").await;
    let members = [("token", &*key.token), ("passphrase", PASSPHRASE), ("messageid", "1")];
    assert_eq!(ask(&app, query(Method::DELETE, "/Service", &members)).await.error().0, 404);
    let whole = ask(&app, key.asks(Method::DELETE, "passphrase", PASSPHRASE)).await;
    assert_eq!((whole.status, whole.text().as_str()), (200, "\"Deleted.\""));
}

#[tokio::test]
async fn what_is_not_understood_takes_nothing_with_it() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    key.gets(&app, "stays").await;
    let json = r#"{"messageid":1}"#;
    let part = "--x\r\nContent-Disposition: form-data; name=\"messageid\"; filename=\"\"\r\n\r\n\
                \r\n--x--\r\n";
    for (content_type, body) in [
        ("application/x-www-form-urlencoded", json),
        ("text/plain;charset=UTF-8", json),
        ("text/plain", " \r\n[1]"),
        ("text/plain", "messageid: 1"),
        ("application/x-www-form-urlencoded", "message_id=1"),
        ("application/x-www-form-urlencoded", "fileid=1"),
        ("application/json", r#"{"id":1}"#),
        ("multipart/form-data; boundary=x", part),
    ] {
        let request = Request::delete("/Service").header("content-type", content_type);
        let request = request.header("token", &key.token).header("passphrase", PASSPHRASE);
        let refused = ask(&app, request.body(Body::from(body)).unwrap()).await;
        assert_eq!(refused.error().0, 400, "{content_type} {body}");
    }
    let members = [("token", &*key.token), ("passphrase", PASSPHRASE), ("id", "1")];
    assert_eq!(ask(&app, query(Method::DELETE, "/Service", &members)).await.error().0, 400);
    assert_eq!(key.opens(&app).await.data(), ["stays"]);
}

#[tokio::test]
async fn json_by_another_name_is_told_how_it_is_called() {
    let app = gateway().await;
    let request = Request::put("/Service").header("content-type", "text/plain");
    let refused = ask(&app, request.body(Body::from(r#"{"token":"x"}"#)).unwrap()).await;
    let (status, text) = refused.error();
    assert!(status == 400 && text.contains("Content-Type: application/json"), "{text}");
}
