//! The two formats, in whole answers.

use axum::body::Body;
use axum::http::{Method, Request};

use super::world::{PASSPHRASE, ask, form, gateway, query, recorded, recorded_key, with};

fn in_xml(request: Request<Body>) -> Request<Body> {
    with(request, "accept", "application/xml")
}

#[tokio::test]
async fn a_key_in_xml_has_the_originals_elements() {
    // CB27
    let app = gateway().await;
    let members = [("publickey", &*recorded("public_key_xml")), ("privatekeyhash", "hash")];
    let made = ask(&app, in_xml(form(Method::POST, "/Service", &members))).await.xml();
    assert_eq!(made.name, "response");
    assert_eq!(made.attributes, ["xmlns:xsd", "xmlns:xsi"]);
    let token = made.member("KeyToken").unwrap().to_owned();
    assert_eq!(
        made.members(),
        [
            ("KeyId", "0"),
            ("KeyToken", &*token),
            ("PublicKey", &*recorded("public_key_xml")),
            ("IsPrivateKeyEncrypted", "false"),
            ("IsPublicKeyOnly", "true"),
            ("RequestDate", "2026-01-02T03:04:05Z"),
            ("ReleaseDate", "2026-01-02T03:04:05Z"),
            ("LockDate", "2026-02-01T03:04:05Z"),
            ("DeleteMessagesAfterReading", "false"),
            ("DeleteKeyAfterReading", "false"),
        ]
    );
}

#[tokio::test]
async fn messages_in_xml_say_the_same_as_in_json() {
    // CB27
    let app = gateway().await;
    let key = recorded_key(&app).await;
    key.gets(&app, "a < b & \"c\"\r\nd").await;
    key.gets_junk(&app).await;
    key.gets_files(&app, &[("a.txt", b"file")]).await;
    for (secret, value) in [("passphrase", PASSPHRASE), ("privatekeyhash", &key.hash)] {
        let json = ask(&app, key.asks(Method::GET, secret, value)).await.json();
        let members = [("token", &*key.token), (secret, value), ("format", "xml")];
        let list = ask(&app, query(Method::GET, "/Service", &members)).await.xml();
        assert_eq!((list.name.as_str(), list.children.len()), ("response", 3));
        for (message, json) in list.children.iter().zip(json.as_array().unwrap()) {
            assert_eq!(message.name, "Message");
            assert_eq!(message.member("MessageId").unwrap(), json["MessageId"].to_string());
            for member in ["EncryptionKey", "MessageData", "MessageHash"] {
                assert_eq!(message.member(member), json[member].as_str(), "{member}");
            }
            assert_eq!(message.member("Created"), Some("2026-01-02T03:04:05Z"));
            assert_eq!(message.member("IsFile").unwrap(), json["IsFile"].to_string());
            let has_ticket = json["TemporaryDownloadId"].is_string();
            assert_eq!(message.member("TemporaryDownloadId").is_some(), has_ticket);
        }
        let names: Vec<_> = list.children[0].members().into_iter().map(|(name, _)| name).collect();
        let order =
            ["MessageId", "EncryptionKey", "MessageData", "Created", "MessageHash", "IsFile"];
        assert_eq!(names, order);
    }
}

#[tokio::test]
async fn values_and_errors_in_xml_are_one_element() {
    // CB29
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let put = form(Method::PUT, "/Service", &[("token", &key.token), ("message", "x")]);
    let sent = ask(&app, in_xml(put)).await.xml();
    assert_eq!((sent.name.as_str(), sent.text.as_str()), ("response", "true"));
    let wrong = ask(&app, in_xml(key.asks(Method::GET, "passphrase", "wrong"))).await;
    assert_eq!(wrong.status, 404);
    let wrong = wrong.xml();
    assert_eq!(wrong.name, "response");
    assert!(wrong.text.starts_with("There is no key"), "{}", wrong.text);
    let missing = ask(&app, in_xml(query(Method::GET, "/Service", &[]))).await;
    assert_eq!((missing.status, missing.xml().text.as_str()), (400, "token is required"));
    let deleted = ask(&app, in_xml(key.asks(Method::DELETE, "passphrase", PASSPHRASE))).await;
    assert_eq!((deleted.status, deleted.xml().text.as_str()), (200, "Deleted."));
}

#[tokio::test]
async fn an_empty_list_in_xml_is_an_empty_root() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let request = in_xml(key.asks(Method::GET, "passphrase", PASSPHRASE));
    let list = ask(&app, with(request, "prefer", "return=representation")).await.xml();
    assert_eq!((list.name.as_str(), list.children.len()), ("response", 0));
    assert_eq!(list.attributes, ["xmlns:xsd", "xmlns:xsi"]);
}

#[tokio::test]
async fn an_unknown_path_and_another_method_have_its_shape() {
    let app = gateway().await;
    let unknown = ask(&app, query(Method::GET, "/Service/Nothing", &[])).await;
    assert_eq!(unknown.error().0, 404);
    let other = ask(&app, query(Method::GET, "/Service/SelfDestruct", &[])).await;
    assert_eq!(other.status, 405);
    assert!(other.json().is_string());
    let unknown = ask(&app, query(Method::GET, "/Service/Nothing", &[("format", "xml")])).await;
    assert_eq!((unknown.status, unknown.xml().name.as_str()), (404, "response"));
}

#[tokio::test]
async fn a_page_of_any_origin_may_ask() {
    // CB43
    let app = gateway().await;
    let mut preflight = query(Method::OPTIONS, "/Service", &[]);
    for (name, value) in [
        ("origin", "https://any.example"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "token, passphrase"),
    ] {
        preflight = with(preflight, name, value);
    }
    let allowed = ask(&app, preflight).await;
    assert_eq!((allowed.status, allowed.bytes.len()), (204, 0));
    let header = |name: &str| allowed.headers[name].to_str().unwrap().to_ascii_lowercase();
    for method in ["get", "post", "put", "delete"] {
        assert!(header("access-control-allow-methods").contains(method), "{method}");
    }
    for name in ["token", "passphrase", "privatekeyhash", "content-type"] {
        assert!(header("access-control-allow-headers").contains(name), "{name}");
    }
    let asked = with(query(Method::GET, "/Service", &[]), "origin", "https://any.example");
    assert_eq!(ask(&app, asked).await.headers["access-control-allow-origin"], "*");
}
