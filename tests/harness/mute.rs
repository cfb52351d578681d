//! A way to a server on which nothing comes through any more when it is told so, and nobody is told:
//! connections stay open, as when a machine is gone or a network cut.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// The way of one gateway.
pub struct Way {
    /// Where it begins.
    pub url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_mute: AtomicBool,
    /// Whether it falls mute before the next `COMMIT`.
    is_armed: AtomicBool,
}

impl Way {
    /// A way to the server of this URL.
    pub async fn to(url: &str) -> Self {
        let (before, rest) = url.split_once('@').expect("a URL with a user and a password");
        let (address, after) = rest.split_once('/').expect("a database");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let own = listener.local_addr().expect("an address");
        let (state, address) = (Arc::new(State::default()), address.to_owned());
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (state, address) = (shared.clone(), address.clone());
                // A connection that ends, ends its task, and that is all.
                tokio::spawn(async move { connect(client, &address, state).await.ok() });
            }
        });
        Self { url: format!("{before}@{own}/{after}"), state }
    }

    /// Nothing comes through from now on.
    pub fn fall_mute(&self) {
        self.state.is_mute.store(true, Ordering::SeqCst);
    }

    /// Nothing comes through from the next `COMMIT` on.
    pub fn fall_mute_at_commit(&self) {
        self.state.is_armed.store(true, Ordering::SeqCst);
    }

    /// New connections come through.
    pub fn recover(&self) {
        self.state.is_mute.store(false, Ordering::SeqCst);
    }

    pub fn is_mute(&self) -> bool {
        self.state.is_mute.load(Ordering::SeqCst)
    }
}

async fn connect(client: TcpStream, address: &str, state: Arc<State>) -> io::Result<()> {
    let server = TcpStream::connect(address).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    let up = pass_on(from_client, to_server, &state);
    let down = pass_on(from_server, to_client, &state);
    tokio::try_join!(up, down)?;
    Ok(())
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while let read @ 1.. = from.read(&mut buffer).await? {
        let bytes = &buffer[..read];
        if bytes.windows(6).any(|word| word == b"COMMIT")
            && state.is_armed.swap(false, Ordering::SeqCst)
        {
            state.is_mute.store(true, Ordering::SeqCst);
        }
        if state.is_mute.load(Ordering::SeqCst) {
            // Both ends stay open, for as long as the test runs.
            std::future::pending::<()>().await;
        }
        to.write_all(bytes).await?;
    }
    to.shutdown().await
}
