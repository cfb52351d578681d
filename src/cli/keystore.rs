//! The bot or device for which a command speaks: a keystore, and the gateway that it is for.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use zeroize::Zeroizing;

use super::error::{CommandError, Speaker};
use crate::sdk::client::{Bot, DEFAULT_BASE_URL, RequestError, SendError};
use crate::sdk::keystore::Keystore;

/// Whose keys a command uses, and where. The command is a client like any other: it needs no data
/// directory, and the gateway may be on another machine.
#[derive(Debug, Args)]
pub(super) struct Identity {
    /// The keystore file of the bot or device
    #[arg(value_name = "KEYSTORE")]
    keystore: PathBuf,
    /// Where the gateway is [default: what the keystore says, else http://127.0.0.1:8080]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// A client, and what is known of it.
pub(super) struct Client {
    /// The client itself.
    pub(super) bot: Bot,
    /// Its key in a form that keeps: 32 bytes that nobody else knows.
    pub(super) secret: Zeroizing<[u8; 32]>,
    who: Speaker,
    refreshed: Arc<AtomicU64>,
}

impl Identity {
    /// A client that posts so many batches at once.
    pub(super) fn client(&self, concurrency: usize) -> Result<Client, CommandError> {
        let keystore = Keystore::from_file(&self.keystore)?;
        let url = self.url.clone().or_else(|| keystore.base_url.clone());
        let url = url.unwrap_or_else(|| DEFAULT_BASE_URL.to_owned());
        let who = Speaker { account: keystore.user_id, url: url.clone() };
        let secret = keystore.session_private_key.seed();
        let refreshed = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&refreshed);
        let builder = Bot::builder(keystore).base_url(url).concurrency(concurrency);
        let builder = builder.on_refresh(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        Ok(Client { bot: builder.build()?, secret, who, refreshed })
    }
}

impl Client {
    /// How often a list of devices turned out to be old.
    pub(super) fn refreshed(&self) -> u64 {
        self.refreshed.load(Ordering::Relaxed)
    }

    /// A message could not be put before the gateway.
    pub(super) fn not_sent(&self, source: SendError) -> CommandError {
        CommandError::Send { who: self.who.clone(), source }
    }

    /// A broadcast cannot go on.
    pub(super) fn stopped(&self, line: u64, left: u64, source: SendError) -> CommandError {
        CommandError::Stopped { line, left, who: self.who.clone(), source }
    }

    /// A request failed.
    pub(super) fn failed(&self, doing: &'static str, source: RequestError) -> CommandError {
        CommandError::Request { doing, who: self.who.clone(), source: Box::new(source) }
    }
}
