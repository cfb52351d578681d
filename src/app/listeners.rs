//! The listeners: TCP for clients, a Unix socket in the data directory for operators, and TCP for
//! phones if they have an address of their own.

use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::serve::{Listener, ListenerExt};
use tempfile::TempDir;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use super::directory::{DataDirectory, DirectoryError, Holder};
use crate::config::Http;
use crate::http::server::{self, Settings};

/// How long a client may take to send the head of a request, and stay idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Operators at the same time.
const ADMIN_CONNECTIONS: u32 = 64;

/// The longest path of a Unix socket that every system takes.
const LONGEST_SOCKET_PATH: usize = 100;

/// The listeners, bound and announced.
#[derive(Debug)]
pub struct Bound {
    clients: TcpListener,
    operators: UnixListener,
    phones: Option<TcpListener>,
    address: SocketAddr,
    phones_address: Option<SocketAddr>,
    socket: SocketFile,
}

/// The admin socket's file, removed in the end.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    // Holds the socket when the data directory's path is too long for one.
    _elsewhere: Option<TempDir>,
}

/// Why a listener cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address of the listener for clients cannot be read.
    #[error("cannot read the listener's own address")]
    Address(#[source] io::Error),
    /// The address for phones cannot be listened on.
    #[error("cannot listen on {address}")]
    Phones {
        /// Which one.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The admin socket cannot be made.
    #[error("cannot create the admin socket {}", path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The lock file cannot be written.
    #[error(transparent)]
    Announce(#[from] DirectoryError),
}

impl Bound {
    /// Where clients are served; the real port when any free one was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where phones are served, if that is an address of its own.
    #[must_use]
    pub fn phones_address(&self) -> Option<SocketAddr> {
        self.phones_address
    }
}

/// What each listener serves.
pub(super) struct Routers {
    pub(super) clients: Router,
    pub(super) operators: Router,
    pub(super) phones: Option<Router>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A socket file that stays behind does no harm: the next gateway removes it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes the admin socket and the listener for phones, and says in the lock file where they are.
pub(super) fn bind(
    clients: TcpListener,
    phones: Option<SocketAddr>,
    directory: &mut DataDirectory,
) -> Result<Bound, ListenError> {
    let address = clients.local_addr().map_err(ListenError::Address)?;
    let phones = phones.map(bind_phones).transpose()?;
    let phones_address = phones.as_ref().map(TcpListener::local_addr).transpose();
    let phones_address = phones_address.map_err(ListenError::Address)?;
    let socket = place_socket(directory)?;
    let operators = bind_socket(&socket.path)
        .map_err(|source| ListenError::Socket { path: socket.path.clone(), source })?;
    directory.announce(&Holder {
        pid: std::process::id(),
        admin_socket: Some(socket.path.clone()),
        address: Some(address),
        phones_address,
    })?;
    Ok(Bound { clients, operators, phones, address, phones_address, socket })
}

fn bind_phones(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let bound = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    });
    bound.map_err(|source| ListenError::Phones { address, source })
}

/// Where the admin socket goes: into the data directory, or into a private temporary one when the
/// path would be too long for a socket.
fn place_socket(directory: &DataDirectory) -> Result<SocketFile, ListenError> {
    let path = directory.admin_socket();
    if path.as_os_str().len() <= LONGEST_SOCKET_PATH {
        return Ok(SocketFile { path, _elsewhere: None });
    }
    let elsewhere = tempfile::Builder::new().prefix("sealpost-").tempdir();
    let elsewhere = elsewhere.map_err(|source| ListenError::Socket { path, source })?;
    let path = elsewhere.path().join("admin.sock");
    Ok(SocketFile { path, _elsewhere: Some(elsewhere) })
}

fn bind_socket(path: &Path) -> Result<UnixListener, io::Error> {
    // We hold the directory's lock, so whatever is there belongs to a gateway that is gone.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves all of them until `stop` is over.
pub(super) async fn run(
    bound: Bound,
    routers: Routers,
    settings: &Http,
    stop: impl Future<Output = ()>,
) {
    let for_clients = Settings {
        connections: settings.connections,
        address_connections: settings.address_connections,
        proxies: settings.proxies(),
        head_timeout: HEAD_TIMEOUT,
        stop_timeout: settings.stop_timeout(),
    };
    let for_operators = Settings { connections: ADMIN_CONNECTIONS, ..for_clients.clone() };
    let (stopping, stopped) = watch::channel(false);
    let signal = || {
        let mut stopped = stopped.clone();
        // The sender lives until both servers are done.
        async move { drop(stopped.wait_for(|stopped| *stopped).await) }
    };
    let Bound { clients, operators, phones, socket, .. } = bound;
    let (for_phones, phones_stop) = (for_clients.clone(), signal());
    let phones = async {
        if let (Some(phones), Some(router)) = (phones, routers.phones) {
            server::serve(prompt(phones), router, for_phones, phones_stop).await;
        }
    };
    tokio::join!(
        server::serve(prompt(clients), routers.clients, for_clients, signal()),
        server::serve(operators, routers.operators, for_operators, signal()),
        phones,
        async {
            stop.await;
            stopping.send_replace(true);
        },
    );
    drop(socket);
}

/// Answers are small: waiting for more to send would only delay them.
fn prompt(listener: TcpListener) -> impl Listener<Addr = SocketAddr> {
    listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    })
}
