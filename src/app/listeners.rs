//! The listeners: TCP for clients, a Unix socket in the data directory for operators, and TCP for
//! each dialect that has an address of its own, for metrics, and for the echo bot of this process.

use std::fs::{self, Permissions};
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::{Listener, ListenerExt};
use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use super::directory::{DataDirectory, DirectoryError, Holder};
use crate::config::Http;
use crate::domain::account::Dialect;
use crate::http::server::{self, Settings};
use crate::http::tls::{self, Tls, TlsError};
use crate::http::traffic::Traffic;

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
    own: Vec<OwnListener>,
    address: SocketAddr,
    tls: Option<Tls>,
    socket: SocketFile,
}

/// What an address of its own is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A dialect.
    Dialect(Dialect),
    /// Metrics.
    Metrics,
    /// The echo bot of the page to try the gateway with, a client of this process: what all others
    /// are served, without TLS.
    Echo,
}

/// The listener of one dialect, or of metrics.
#[derive(Debug)]
struct OwnListener {
    purpose: Purpose,
    listener: TcpListener,
    address: SocketAddr,
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
    /// The address of a dialect, or of metrics, cannot be listened on.
    #[error("cannot listen on {address}")]
    Own {
        /// Which one.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The files for TLS are of no use.
    #[error(transparent)]
    Tls(#[from] TlsError),
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

    /// How URLs of the listeners for clients begin.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Where a dialect is served alone, if that is so.
    #[must_use]
    pub fn own_address(&self, dialect: Dialect) -> Option<SocketAddr> {
        self.own_address_for(Purpose::Dialect(dialect))
    }

    /// Where metrics are served, if they are.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.own_address_for(Purpose::Metrics)
    }

    /// Where the echo bot of the page to try the gateway with is served, if there is one.
    #[must_use]
    pub fn echo_address(&self) -> Option<SocketAddr> {
        self.own_address_for(Purpose::Echo)
    }

    fn own_address_for(&self, purpose: Purpose) -> Option<SocketAddr> {
        self.own.iter().find(|own| own.purpose == purpose).map(|own| own.address)
    }
}

/// What each listener serves.
pub(super) struct Routers {
    pub(super) clients: Router,
    pub(super) operators: Router,
    /// Those of dialects, and of metrics, that have an address of their own.
    pub(super) own: Vec<(Purpose, Router)>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A socket file that stays behind does no harm: the next gateway removes it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes the admin socket and the listeners that have addresses of their own, and says in the lock file
/// where they are.
pub(super) fn bind(
    clients: TcpListener,
    own: Vec<(Purpose, SocketAddr)>,
    settings: &Http,
    directory: &mut DataDirectory,
) -> Result<Bound, ListenError> {
    let tls = tls_files(settings).map(Tls::open).transpose()?;
    let address = clients.local_addr().map_err(ListenError::Address)?;
    let own: Vec<_> = own.into_iter().map(bind_own).collect::<Result<_, _>>()?;
    let socket = place_socket(directory)?;
    let operators = bind_socket(&socket.path)
        .map_err(|source| ListenError::Socket { path: socket.path.clone(), source })?;
    let bound = Bound { clients, operators, own, address, tls, socket };
    directory.announce(&Holder {
        pid: std::process::id(),
        admin_socket: Some(bound.socket.path.clone()),
        address: Some(address),
        phones_address: bound.own_address(Dialect::TextSecure),
        hushnet_address: bound.own_address(Dialect::HushNet),
        keyservice_address: bound.own_address(Dialect::KeyService),
        metrics_address: bound.metrics_address(),
    })?;
    Ok(bound)
}

/// The files for TLS, if the operator has chosen some.
pub(super) fn tls_files(settings: &Http) -> Option<tls::Files> {
    let (certificate, key) = settings.tls()?;
    Some(tls::Files { certificate: certificate.to_owned(), key: key.to_owned() })
}

fn bind_own((purpose, address): (Purpose, SocketAddr)) -> Result<OwnListener, ListenError> {
    let bound = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    });
    let listener = bound.map_err(|source| ListenError::Own { address, source })?;
    let address = listener.local_addr().map_err(ListenError::Address)?;
    Ok(OwnListener { purpose, listener, address })
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
    mut routers: Routers,
    settings: &Http,
    traffic: &Arc<Traffic>,
    stop: impl Future<Output = ()>,
) {
    let Bound { clients, operators, own, socket, tls, .. } = bound;
    let for_clients = Settings {
        connections: settings.connections,
        address_connections: settings.address_connections,
        proxies: settings.proxies(),
        head_timeout: HEAD_TIMEOUT,
        stop_timeout: settings.stop_timeout(),
        traffic: traffic.clone(),
        tls: tls.clone(),
    };
    let for_operators = Settings {
        connections: ADMIN_CONNECTIONS,
        // What operators ask is no client's traffic.
        traffic: Arc::default(),
        // It does not leave the machine, or is for a program in the operator's own network.
        tls: None,
        ..for_clients.clone()
    };
    let (stopping, stopped) = watch::channel(false);
    let signal = || {
        let mut stopped = stopped.clone();
        // The sender lives until both servers are done.
        async move { drop(stopped.wait_for(|stopped| *stopped).await) }
    };
    let own = own.into_iter().filter_map(|OwnListener { purpose, listener, .. }| {
        let place = routers.own.iter().position(|(of, _)| *of == purpose)?;
        let (_, router) = routers.own.swap_remove(place);
        let settings = match purpose {
            Purpose::Dialect(_) => for_clients.clone(),
            Purpose::Metrics => for_operators.clone(),
            Purpose::Echo => Settings { tls: None, ..for_clients.clone() },
        };
        Some(server::serve(prompt(listener), router, settings, signal()))
    });
    let own = join_all(own.collect::<Vec<_>>());
    let serve = async {
        tokio::join!(
            server::serve(prompt(clients), routers.clients, for_clients, signal()),
            server::serve(operators, routers.operators, for_operators.clone(), signal()),
            own,
            async {
                stop.await;
                stopping.send_replace(true);
            },
        );
    };
    let follow = async {
        match &tls {
            Some(tls) => tls.follow().await,
            None => pending().await,
        }
    };
    tokio::select! {
        () = serve => {}
        () = follow => {}
    }
    drop(socket);
}

/// Answers are small: waiting for more to send would only delay them.
fn prompt(listener: TcpListener) -> impl Listener<Addr = SocketAddr> {
    listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    })
}
