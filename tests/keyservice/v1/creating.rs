//! Making keys.

use axum::body::Body;
use axum::http::{Method, Request};

use super::world::{Part, ask, form, gateway, multipart, query, recorded};

const PATHS: [&str; 4] = ["/Service", "/service/", "/Service/Create", "/SERVICE/create"];

#[tokio::test]
async fn a_passphrase_makes_a_key_which_its_creator_sees_whole() {
    // CB01, CB41
    let app = gateway().await;
    let made = ask(&app, form(Method::POST, "/Service", &[("passphrase", "pw")])).await;
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(made.headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(made.headers["cache-control"], "no-store");
    let key = made.json();
    let token = key["KeyToken"].as_str().unwrap();
    assert_eq!(token.len(), 16);
    assert!(token.bytes().all(|byte| b"0123456789abcdef".contains(&byte)), "{token}");
    assert_eq!(key["URI"], token);
    assert!(key["PublicKey"].as_str().unwrap().starts_with("<RSAKeyValue><Modulus>"));
    assert_eq!(key["PrivateKeyHash"].as_str().unwrap().len(), 64);
    assert_eq!(key["PrivateKey"], key["GetPrivateKey"]);
    assert_eq!(key["IsPrivateKeyEncrypted"], true);
    assert_eq!(key["IsPublicKeyOnly"], false);
    assert_eq!(key["RequestDate"], "/Date(1767323045000)/");
    assert_eq!(key["ReleaseDate"], key["RequestDate"]);
    assert_eq!(key["LockDate"], "/Date(1769915045000)/", "thirty days, as was promised");
    let hash = key["PrivateKeyHash"].as_str().unwrap();
    let put = form(Method::PUT, "/Service", &[("token", token), ("message", "hello")]);
    assert_eq!(ask(&app, put).await.text(), "true");
    let opened =
        ask(&app, query(Method::GET, "/Service", &[("token", token), ("passphrase", "pw")]));
    assert_eq!(opened.await.data(), ["hello"]);
    let fetched =
        ask(&app, query(Method::GET, "/Service", &[("token", token), ("privatekeyhash", hash)]))
            .await;
    assert_eq!(fetched.json()[0]["EncryptionKey"].as_str().unwrap().len(), 1548);
}

#[tokio::test]
async fn members_stand_in_the_originals_order() {
    let app = gateway().await;
    let made = ask(&app, form(Method::POST, "/Service", &[("passphrase", "pw")])).await.text();
    let names = [
        "IsReleased",
        "GetPrivateKey",
        "KeyId",
        "KeyToken",
        "PublicKey",
        "PrivateKey",
        "PrivateKeyHash",
        "IsPrivateKeyEncrypted",
        "IsPublicKeyOnly",
        "RequestDate",
        "ReleaseDate",
        "LockDate",
        "DeleteMessagesAfterReading",
        "DeleteKeyAfterReading",
        "Notifications",
        "Messages",
        "MessagesSerialized",
        "URI",
    ];
    let places: Vec<_> = names.iter().map(|name| made.find(&format!("\"{name}\":"))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
    assert!(made.contains(r"\u003cRSAKeyValue\u003e") && made.contains(r"\/Date("), "{made}");
}

#[tokio::test]
async fn a_public_key_may_come_alone() {
    // CB03
    let app = gateway().await;
    let public = recorded("public_key_xml");
    let made = ask(&app, form(Method::POST, "/Service", &[("publickey", &public)])).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let key = made.json();
    assert_eq!(
        (&key["IsPublicKeyOnly"], &key["IsPrivateKeyEncrypted"]),
        (&true.into(), &false.into())
    );
    assert_eq!(key["PublicKey"], public.as_str());
    assert!(key["PrivateKey"].is_null() && key["PrivateKeyHash"].is_null());
}

#[tokio::test]
async fn an_uploaded_key_keeps_its_hash_by_either_path() {
    // CB05
    let app = gateway().await;
    let (public, hash) = (recorded("public_key_xml"), "any string at all");
    for path in PATHS {
        let members = [("publickey", &*public), ("privatekeyhash", hash)];
        let made = ask(&app, form(Method::POST, path, &members)).await.json();
        assert_eq!(made["PrivateKeyHash"], hash, "{path}");
        let token = made["KeyToken"].as_str().unwrap();
        let read = [("token", token), ("privatekeyhash", hash)];
        assert_eq!(ask(&app, query(Method::GET, "/Service", &read)).await.status, 304, "{path}");
    }
}

#[tokio::test]
async fn what_is_no_public_key_is_refused() {
    // CB07
    let app = gateway().await;
    for bad in ["junk", "<RSAKeyValue></RSAKeyValue>", "-----BEGIN PUBLIC KEY-----"] {
        let made = ask(&app, form(Method::POST, "/Service", &[("publickey", bad)])).await;
        let (status, text) = made.error();
        assert!(status == 400 && text.starts_with("publickey: "), "{bad}: {status} {text}");
    }
    let nothing = ask(&app, form(Method::POST, "/Service", &[("passphrase", " ")])).await;
    assert_eq!(nothing.error(), (400, "Either a passphrase or a publickey is required".to_owned()));
}

#[tokio::test]
async fn parameters_stand_anywhere_and_are_spelled_anyhow() {
    let app = gateway().await;
    let public = recorded("public_key_xml");
    let json = serde_json::json!({ "PUBLICKEY": public, "nothing": null, "number": 7 }).to_string();
    let typed = |kind: &str| {
        let request = Request::post("/Service").header("content-type", kind);
        request.body(Body::from(json.clone())).unwrap()
    };
    let untyped = form_urlencoded::byte_serialize(public.as_bytes()).collect::<String>();
    let requests = [
        form(Method::POST, "/Service", &[("PublicKey", &public)]),
        query(Method::POST, "/Service", &[("publicKey", &public)]),
        typed("application/json; charset=utf-8"),
        typed("text/json"),
        multipart(Method::POST, "/Service", &[Part::Text("publickey", &public)]),
        Request::post("/Service").body(Body::from(format!("publickey={untyped}"))).unwrap(),
    ];
    for request in requests {
        let made = ask(&app, request).await;
        assert_eq!((made.status, &made.json()["PublicKey"]), (200, &public.as_str().into()));
    }
    let refused = ask(&app, typed("application/octet-stream")).await;
    assert_eq!(refused.error().0, 400);
    let file = [Part::Text("publickey", &public), Part::File("a.txt", b"x")];
    let refused = ask(&app, multipart(Method::POST, "/Service", &file)).await;
    assert_eq!(refused.error().0, 400);
}

#[tokio::test]
async fn a_body_of_another_version_is_refused() {
    let app = gateway().await;
    let public = recorded("public_key_xml");
    for (version, status) in [("1", 200), ("2", 400), ("latest", 400)] {
        let members = [("publickey", &*public), ("v", version)];
        let made = ask(&app, form(Method::POST, "/Service", &members)).await;
        assert_eq!(made.status, status, "{}", made.text());
    }
}

#[tokio::test]
async fn a_key_may_be_released_and_locked_at_a_time() {
    let app = gateway().await;
    let public = recorded("public_key_xml");
    let times = |release: &'static str, lock: &'static str| {
        let members = [("publickey", &*public), ("releasedate", release), ("lockdate", lock)];
        form(Method::POST, "/Service/Create", &members)
    };
    let made = ask(&app, times("2026-02-01T00:00:00Z", "3/1/2026 5:00 PM")).await.json();
    assert_eq!(made["IsReleased"], false);
    assert_eq!(made["ReleaseDate"], "/Date(1769904000000)/");
    assert_eq!(made["LockDate"], "/Date(1772384400000)/");
    for (release, lock, field) in
        [("soon", "", "releasedate"), ("", "2026-01-01", "lockdate"), ("", "never", "lockdate")]
    {
        let (status, text) = ask(&app, times(release, lock)).await.error();
        assert!(status == 400 && text.starts_with(field), "{status} {text}");
    }
}

#[tokio::test]
async fn nobody_is_promised_mail_where_none_is_sent() {
    let app = gateway().await;
    let public = recorded("public_key_xml");
    for email in ["anna@example.org", "no address"] {
        let members = [("publickey", &*public), ("email", email)];
        let (status, text) = ask(&app, form(Method::POST, "/Service", &members)).await.error();
        assert!(status == 400 && text.starts_with("email: "), "{status} {text}");
    }
}
