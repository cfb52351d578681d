//! The story that `sealpost demo` tells: one bot, two people, six devices, a hundred messages, a
//! device that signs in again, and what happens then.
//!
//! The gateway is the real one, on an embedded database. Bot and people are SDK clients that talk
//! to it over HTTP; they live in this process, so their keys do too, but the gateway is handed
//! the public halves alone, and the last act looks for plaintext in the files that it wrote.

mod cast;
pub mod echo;
mod print;
mod story;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;

use crate::admin::client::{AdminClient, CallError};
use crate::app::entropy::EntropyError;
use crate::app::{App, AppError, Config};
use crate::sdk::client::{BuildError, ReceiveError, RequestError, SendError};
use crate::sdk::keystore::KeystoreError;
use cast::Cast;
pub use print::Stage;

/// How the demo is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the gateway listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the gateway keeps its data; a temporary directory, removed in the end, if `None`.
    pub data: Option<PathBuf>,
    /// Go on serving when the story is told.
    pub keep: bool,
    /// Who watches.
    pub stage: Stage,
}

/// Why the story could not be told to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No temporary directory could be made.
    #[error("cannot create a temporary directory")]
    TemporaryDirectory(#[source] io::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The gateway did not start.
    #[error("the gateway did not start")]
    App(#[from] AppError),
    /// There is no randomness for keys.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// An account could not be made.
    #[error("cannot create the accounts")]
    Accounts(#[from] CallError),
    /// A client could not be made.
    #[error("cannot start a client")]
    Client(#[from] BuildError),
    /// A request failed.
    #[error("a request failed")]
    Request(#[from] RequestError),
    /// A message could not be sent.
    #[error("a message could not be sent")]
    Send(#[from] SendError),
    /// A message could not be read.
    #[error("a message could not be received")]
    Receive(#[from] ReceiveError),
    /// A keystore could not be written.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// The files could not be searched.
    #[error("cannot read the gateway's files")]
    Files(#[source] io::Error),
    /// Something did not happen as the story says.
    #[error("the story went wrong: {0}")]
    Surprise(String),
}

/// Tells the story, and with `keep` serves on until `stop` is over.
///
/// # Errors
/// When anything does not happen as told: the demo is a check as much as a show.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> Result<(), DemoError> {
    let temporary = tempfile::Builder::new().prefix("sealpost-demo-").tempdir();
    let temporary = temporary.map_err(DemoError::TemporaryDirectory)?;
    let mut config = Config::default();
    config.storage.data = options.data.clone().unwrap_or_else(|| temporary.path().join("data"));
    config.dialects.textsecure.enabled = true;
    config.console.try_it = options.keep;

    let start = tokio::time::Instant::now();
    let mut app = App::open_here(&config).await?;
    let listener = TcpListener::bind(options.listen).await;
    let listener =
        listener.map_err(|source| DemoError::Listen { address: options.listen, source })?;
    let bound = app.bind(listener)?;
    let url = format!("http://{}", bound.address());
    let echo = bound.echo_address();
    let stage = options.stage;
    stage.opening(&url, &config.storage.data, start.elapsed());

    let admin = AdminClient::Local(app.admin_router());
    let (finished, story_is_over) = tokio::sync::oneshot::channel();
    let tell = async {
        let told = tell(&admin, &url, &config, stage).await;
        match &told {
            Ok(cast) if options.keep => {
                stage.what_to_try(&url, &cast.written(&config.storage.data)?);
                stop.await;
            }
            Ok(_) => stage.how_to_try(),
            Err(_) => {}
        }
        // Nobody listens only if the gateway is gone already.
        let _ = finished.send(());
        told.map(drop)
    };
    let serve = app.run(bound, async { drop(story_is_over.await) });
    let play = async { tokio::join!(tell, serve).0 };
    let told = echo::beside(play, &app, echo).await;
    app.close().await;
    told
}

async fn tell(
    admin: &AdminClient,
    url: &str,
    config: &Config,
    stage: Stage,
) -> Result<Cast, DemoError> {
    let mut cast = Cast::hire(admin, url).await?;
    story::tell(&mut cast, stage).await?;
    story::search_for_plaintext(&config.storage.data, stage)?;
    stage.ending();
    Ok(cast)
}
