//! The bot of the page to try the gateway with: it answers every text with the same text.
//!
//! It is a client like any other and could as well run elsewhere. Its key is made when the gateway
//! starts and is never written down; a gateway that starts again signs it in again.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::sleep;

use crate::app::entropy::{EntropyError, EntropyRng, SystemEntropy};
use crate::app::{App, chain};
use crate::sdk::client::{Bot, BuildError, RequestError, Text};
use crate::sdk::keys::SigningKey;

/// Before another try, when it cannot listen.
const PAUSE: Duration = Duration::from_secs(5);

/// Texts that are answered at the same time; those of one person one after the other.
const AT_ONCE: usize = 8;

/// Why the bot does not listen.
#[derive(Debug, thiserror::Error)]
enum EchoError {
    /// There is no randomness for its key.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// It could not be signed in.
    #[error("it cannot be signed in")]
    SignIn(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A client for HTTP could not be made.
    #[error("cannot start a client for HTTP")]
    Http(#[from] reqwest::Error),
    /// A client could not be made.
    #[error("cannot start a client")]
    Client(#[from] BuildError),
    /// The gateway hands out no messages.
    #[error("cannot receive")]
    Receive(#[from] RequestError),
}

/// Does `work`, with the bot beside it for as long as that takes. `address` is where the bot reaches
/// the gateway; without one there is no bot.
pub async fn beside<T>(work: impl Future<Output = T>, app: &App, address: Option<SocketAddr>) -> T {
    let Some(address) = address else { return work.await };
    tokio::select! {
        done = work => done,
        never = run(app, address) => match never {},
    }
}

async fn run(app: &App, address: SocketAddr) -> Infallible {
    loop {
        let Err(error) = listen(app, address).await else { return pending().await };
        tracing::warn!("the echo bot stopped: {}", chain(&error));
        if matches!(error, EchoError::Receive(RequestError::SessionEnded { .. })) {
            // An operator signed it out, or the bot of another gateway on the same database came.
            return pending().await;
        }
        sleep(PAUSE).await;
    }
}

/// A client for this machine alone: no proxy of the environment stands between bot and gateway.
fn client() -> Result<reqwest::Client, reqwest::Error> {
    // Fails when the program installed a provider already, and then that one is used.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(PAUSE)
        .tls_certs_only([])
        .build()
}

/// Answers until the gateway refuses to hand out messages.
async fn listen(app: &App, address: SocketAddr) -> Result<(), EchoError> {
    let key = SigningKey::generate(&mut EntropyRng(&SystemEntropy::new()?));
    let keystore = app.sign_echo_in(key, address).await;
    let keystore = keystore.map_err(|fault| EchoError::SignIn(fault.into()))?;
    let bot = Bot::builder(keystore).http_client(client()?).build()?;
    let answering = bot.listening().concurrency(AT_ONCE).run_until(pending(), async |message| {
        // What cannot be read, and what is no text, has no answer.
        let Ok(message) = message else { return Ok(()) };
        let Some(text) = message.text() else { return Ok(()) };
        // In a group there may be another bot that answers everything.
        if message.in_group {
            return Ok(());
        }
        bot.reply(&message, Text::new(text)).await.map(drop)
    });
    Ok(answering.await?)
}
