//! Somebody who has a key and no account yet.

use axum::body::Body;
use axum::http::{Method, Request};
use sealpost::domain::clock::Clock;
use sealpost::sdk::ids::{SessionId, UserId};
use sealpost::sdk::keys::SigningKey;
use sealpost::sdk::token::{self, SignUpClaims};
use serde_json::{Value, json};

use super::actor::{Actor, fresh_jti, with_token};
use super::app::{Answer, TestApp};

pub struct Newcomer {
    pub key: SigningKey,
}

impl Newcomer {
    pub fn new(app: &TestApp) -> Self {
        Self { key: app.fresh_key() }
    }

    pub fn body(&self) -> Value {
        json!({
            "public_key": self.key.verifying_key().to_base64(),
            "full_name": "Nora",
            "platform": "Phone",
        })
    }

    pub fn body_with_invite(&self, code: &str) -> Value {
        let mut body = self.body();
        body["invite"] = json!(code);
        body
    }

    /// Claims for signing up with this body now, good for a minute.
    pub async fn claims(&self, app: &TestApp, body: &Value) -> SignUpClaims {
        let start = app.call(Request::get("/").body(Body::empty()).unwrap()).await;
        let now = app.clock.now().as_seconds();
        SignUpClaims {
            aud: start.json["server_public_key"].as_str().unwrap().to_owned(),
            iat: now,
            exp: now + 60,
            jti: fresh_jti(),
            sig: token::body_digest("POST", "/accounts", body.to_string().as_bytes()),
        }
    }

    /// Posts the body with these claims, signed by the newcomer's key.
    pub async fn post(&self, app: &TestApp, body: &Value, claims: &SignUpClaims) -> Answer {
        let token = token::sign_up(claims, &self.key).unwrap();
        let body = body.to_string().into_bytes();
        app.call(with_token(Method::POST, "/accounts", &token, body)).await
    }

    /// Signs up with this body.
    pub async fn sign_up_with(&self, app: &TestApp, body: &Value) -> Answer {
        let claims = self.claims(app, body).await;
        self.post(app, body, &claims).await
    }

    pub async fn sign_up(&self, app: &TestApp) -> Answer {
        self.sign_up_with(app, &self.body()).await
    }

    /// The device that the answer made.
    pub fn device(&self, app: &TestApp, answer: &Answer) -> Actor {
        let text =
            |name: &str| answer.json["data"][name].as_str().unwrap_or_else(|| panic!("{answer:?}"));
        let user = UserId::parse(text("user_id")).unwrap();
        let session = SessionId::parse(text("session_id")).unwrap();
        Actor::new(user, session, self.key.clone(), app.clock.clone())
    }
}
