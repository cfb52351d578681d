//! Who plays: a bot and two people, each device with a key of its own.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::DemoError;
use crate::admin::client::AdminClient;
use crate::admin::types::{CreateAccount, CreatedAccount, NewSession};
use crate::app::entropy::{EntropyRng, SystemEntropy};
use crate::sdk::client::{Bot, Refreshed};
use crate::sdk::ids::UserId;
use crate::sdk::keys::{SigningKey, VerifyingKey};
use crate::sdk::keystore::Keystore;

/// The devices of each person.
pub const DEVICES: [&str; 3] = ["phone", "tablet", "laptop"];

/// Everybody who plays.
pub struct Cast {
    /// Sends.
    pub bot: Bot,
    /// What the bot was told about stale lists.
    pub refreshed: Arc<Mutex<Vec<Refreshed>>>,
    /// Receive.
    pub people: Vec<Person>,
    entropy: SystemEntropy,
    bot_keystore: Keystore,
}

/// Somebody with three devices.
pub struct Person {
    /// The name.
    pub name: &'static str,
    /// The account.
    pub user: UserId,
    /// The devices, named as [`DEVICES`].
    pub devices: Vec<Bot>,
}

impl Cast {
    /// Makes the keys, the accounts and the clients.
    pub async fn hire(admin: &AdminClient, url: &str) -> Result<Self, DemoError> {
        let entropy = SystemEntropy::new()?;
        let refreshed = Arc::new(Mutex::new(Vec::new()));
        let weather = account(admin, &entropy, url, "bot", "Weather", &["server"]).await?;
        let Some(bot_keystore) = weather.into_iter().next() else {
            return Err(DemoError::Surprise("the bot has no session".to_owned()));
        };
        let heard = refreshed.clone();
        let bot = Bot::builder(bot_keystore.clone())
            .on_refresh(move |refresh| {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(refresh.clone());
            })
            .build()?;
        let mut people = Vec::new();
        for name in ["Anna", "Ben"] {
            let keystores = account(admin, &entropy, url, "user", name, &DEVICES).await?;
            let devices: Result<Vec<_>, _> =
                keystores.into_iter().map(|keystore| Bot::builder(keystore).build()).collect();
            let devices = devices?;
            let user = devices.first().map(Bot::user_id);
            let user = user.ok_or_else(|| DemoError::Surprise(format!("{name} has no device")))?;
            people.push(Person { name, user, devices });
        }
        Ok(Self { bot, refreshed, people, entropy, bot_keystore })
    }

    /// A key that nobody has used.
    pub fn fresh_key(&self) -> SigningKey {
        SigningKey::generate(&mut EntropyRng(&self.entropy))
    }

    /// Writes the bot's keystore beside the data, for programs that want to go on playing it.
    pub fn written(&self, data: &Path) -> Result<PathBuf, DemoError> {
        let path = data.join("weather.json");
        self.bot_keystore.write_new(&path)?;
        Ok(path)
    }
}

/// Makes an account with one session for each of `platforms`; their keys never leave this process.
async fn account(
    admin: &AdminClient,
    entropy: &SystemEntropy,
    url: &str,
    kind: &str,
    name: &str,
    platforms: &[&str],
) -> Result<Vec<Keystore>, DemoError> {
    let keys: Vec<_> =
        platforms.iter().map(|_| SigningKey::generate(&mut EntropyRng(entropy))).collect();
    let sessions = keys.iter().zip(platforms).map(|(key, platform)| NewSession {
        public_key: key.verifying_key().to_base64(),
        platform: (*platform).to_owned(),
        replaces: None,
    });
    let request = CreateAccount {
        kind: kind.to_owned(),
        full_name: name.to_owned(),
        sessions: sessions.collect(),
    };
    let made: CreatedAccount = admin.post("/admin/v1/accounts", &request).await?;
    let server_public_key = VerifyingKey::from_hex(&made.server_public_key).ok();
    let keystores = keys.into_iter().zip(&made.sessions).map(|(key, session)| Keystore {
        user_id: made.user_id,
        session_id: session.session_id,
        server_public_key,
        session_private_key: key,
        base_url: Some(url.to_owned()),
    });
    Ok(keystores.collect())
}
