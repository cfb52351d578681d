//! A message that comes with a bad token is not stored, whatever is wrong with the token.

use std::time::Duration;

use axum::http::Method;
use sealpost::sdk::base64url;
use sealpost::sdk::keys::SigningKey;
use sealpost::sdk::token::{self, RequestClaims};
use serde_json::json;

use crate::harness::actor::with_token;
use crate::harness::{Actor, Person, TestApp};

const PATH: &str = "/encrypted_messages";

struct Scene {
    app: TestApp,
    bot: Actor,
    anna: Person,
    body: Vec<u8>,
}

async fn scene() -> Scene {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let body = json!([bot.seal(anna.user, &anna.recipients(), 1, "hello")]).to_string();
    Scene { app, bot, anna, body: body.into_bytes() }
}

impl Scene {
    fn claims(&self) -> RequestClaims {
        self.bot.claims("POST", PATH, &self.body)
    }

    fn signed(&self, claims: &RequestClaims) -> String {
        token::sign(claims, &self.bot.key).unwrap()
    }

    /// A token with a header of its own, properly signed by the bot's key.
    fn with_header(&self, header: &str) -> String {
        let claims = self.signed(&self.claims());
        let claims = claims.split('.').nth(1).unwrap();
        let message = format!("{}.{claims}", base64url::encode(header.as_bytes()));
        let signature = base64url::encode(&self.bot.key.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    async fn expect_refusal(&self, token: &str, reason: &str) {
        let request = with_token(Method::POST, PATH, token, self.body.clone());
        let answer = self.app.call(request).await;
        let (status, field, why) = answer.complaint();
        assert_eq!((status, field), (401, "authorization"), "{answer:?}");
        assert!(why.contains(reason), "`{why}` does not say `{reason}`");
        assert!(self.anna.devices[0].receives(&self.app).await.is_empty(), "nothing is stored");
    }
}

#[tokio::test]
async fn the_header_names_another_algorithm_or_demands_extensions() {
    let scene = scene().await;
    for (header, reason) in [
        (r#"{"alg":"none"}"#, "algorithm is \"none\""),
        (r#"{"alg":"HS256","typ":"JWT"}"#, "algorithm is \"HS256\""),
        (r#"{"alg":"eddsa"}"#, "algorithm is \"eddsa\""),
        (r#"{"alg":"EdDSA","crit":["exp"]}"#, "critical extensions"),
        (r#"{"alg":"EdDSA","crit":[]}"#, "critical extensions"),
    ] {
        scene.expect_refusal(&scene.with_header(header), reason).await;
    }
    let good = scene.with_header(r#"{"alg":"EdDSA"}"#);
    let request = with_token(Method::POST, PATH, &good, scene.body.clone());
    assert_eq!(scene.app.call(request).await.only()["outcome"], "accepted");
}

#[tokio::test]
async fn the_signature_is_missing_broken_or_somebody_elses() {
    let scene = scene().await;
    let good = scene.signed(&scene.claims());
    let (message, _) = good.rsplit_once('.').unwrap();
    scene.expect_refusal(&format!("{message}."), "signature").await;
    scene.expect_refusal(&format!("{message}.AAAA"), "signature").await;
    let stranger = SigningKey::from_seed(&[9; 32]);
    let forged = token::sign(&scene.claims(), &stranger).unwrap();
    scene.expect_refusal(&forged, "signature").await;
}

#[tokio::test]
async fn it_was_made_for_another_path_or_body() {
    let scene = scene().await;
    for (path, body) in [("/messages", &scene.body[..]), (PATH, b"[]"), ("/", b"")] {
        let token = scene.bot.token("POST", path, body);
        scene.expect_refusal(&token, "another request").await;
    }
    let token = scene.bot.token("POST", &format!("{PATH}?on_stale=reject"), &scene.body);
    scene.expect_refusal(&token, "another request").await;
}

#[tokio::test]
async fn it_has_expired_or_is_older_than_message_ids_are_remembered() {
    let scene = scene().await;
    let short = scene.signed(&scene.claims());
    let mut claims = scene.claims();
    claims.exp += 30 * 24 * 60 * 60;
    let long = scene.signed(&claims);
    scene.app.clock.advance(Duration::from_secs(60));
    scene.expect_refusal(&short, "expired").await;
    scene.app.clock.advance(Duration::from_secs(6 * 24 * 60 * 60));
    scene.expect_refusal(&long, "`iat`").await;
}

#[tokio::test]
async fn its_session_was_revoked() {
    let scene = scene().await;
    let token = scene.signed(&scene.claims());
    let (bot, gateway) = (&scene.bot, scene.app.gateway());
    gateway.revoke_session(bot.user, bot.session).await.unwrap();
    scene.expect_refusal(&token, "no live session").await;
}

#[tokio::test]
async fn a_bad_token_is_refused_before_the_body_is_read() {
    let scene = scene().await;
    let expired = scene.signed(&scene.claims());
    scene.app.clock.advance(Duration::from_secs(61));
    for token in ["spt_unknown", "a.b.c", &expired] {
        let body = axum::body::Body::from_stream(futures_util::stream::poll_fn(
            |_| -> std::task::Poll<Option<Result<bytes::Bytes, std::io::Error>>> {
                panic!("somebody read the body of a stranger")
            },
        ));
        let request = with_token(Method::POST, PATH, token, Vec::new()).map(|_| body);
        assert_eq!(scene.app.call(request).await.complaint().0, 401);
    }
}
