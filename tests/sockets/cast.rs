//! Who takes part: a bot, and many people with one device each.

use std::path::Path;

use futures_util::{StreamExt, stream};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sealpost::admin::client::AdminClient;
use sealpost::domain::clock::{Clock as _, SystemClock};
use sealpost::sdk::ids::{SessionId, UserId};
use sealpost::sdk::keys::SigningKey;
use sealpost::sdk::token::{self, RequestClaims};
use serde_json::{Value, json};

/// Accounts that are made at the same time; they share their commits.
const CREATING: usize = 64;

/// Somebody at one device.
pub struct Device {
    pub user: UserId,
    pub session: SessionId,
    pub key: SigningKey,
}

/// Everybody.
pub struct Cast {
    pub bot: Device,
    pub echo: Device,
    pub devices: Vec<Device>,
}

impl Device {
    /// A token for one request, good for an hour.
    pub fn token(&self, method: &str, path: &str, body: &[u8]) -> String {
        let now = SystemClock.now().as_seconds();
        let claims = RequestClaims {
            uid: self.user,
            sid: self.session,
            iat: now,
            exp: now + 3600,
            jti: self.session.to_string(),
            sig: token::body_digest(method, path, body),
            scp: "FULL".to_owned(),
        };
        token::sign(&claims, &self.key).expect("a key that signs")
    }
}

impl Cast {
    /// Makes everybody through the operator's socket of a running gateway.
    pub async fn create(data: &Path, people: u64) -> Self {
        let operator = AdminClient::Socket(data.join("admin.sock"));
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let keys: Vec<_> = (0..people + 2).map(|_| SigningKey::generate(&mut rng)).collect();
        let made = stream::iter(keys).map(|key| create(&operator, key)).buffered(CREATING);
        let mut devices: Vec<Device> = made.collect().await;
        let bot = devices.pop().expect("two more than people");
        let echo = devices.pop().expect("one more than people");
        Self { bot, echo, devices }
    }
}

async fn create(operator: &AdminClient, key: SigningKey) -> Device {
    let session = json!({"public_key": key.verifying_key().to_base64(), "platform": "Test"});
    let body = json!({"kind": "user", "full_name": "Somebody", "sessions": [session]});
    let made: Value =
        operator.post("/admin/v1/accounts", &body).await.expect("the operator may do this");
    let id = |value: &Value| value.as_str().expect("an id").to_owned();
    Device {
        user: UserId::parse(&id(&made["user_id"])).expect("an id"),
        session: SessionId::parse(&id(&made["sessions"][0]["session_id"])).expect("an id"),
        key,
    }
}
