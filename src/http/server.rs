//! The listener: accepts connections, bounds them, and stops without breaking off an answer.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{Request, Version};
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::either::Either;
use tower::ServiceExt;

use super::peer::{self, Peer, RemoteAddress};
use super::shares::Shares;
use super::stream::Bounded;
use super::tls::Tls;
use super::traffic::Traffic;
use crate::domain::limits::Networks;
use crate::domain::line::Line;

/// How a listener treats its connections.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Connections at the same time; further ones wait in the system's queue. One that has become a
    /// socket does not count any more: whoever upgrades it bounds those.
    pub connections: u32,
    /// Connections of one network ([`peer::network`]) at the same time; further ones are closed at
    /// once. 0 for any number.
    pub address_connections: u32,
    /// Proxies, whose connections are those of many.
    pub proxies: Networks,
    /// How long a client may take to send the head of a request, and to take a part of an answer.
    pub head_timeout: Duration,
    /// How long requests may take to finish when the listener stops.
    pub stop_timeout: Duration,
    /// What encrypts connections, unless something in front of the gateway does.
    pub tls: Option<Tls>,
    /// Where bytes are counted.
    pub traffic: Arc<Traffic>,
}

/// Serves `router` until `stop` is over. Then nothing more is accepted, idle connections close, and
/// what is under way may finish until the stop time-out.
pub async fn serve<L: Listener>(
    mut listener: L,
    router: Router,
    settings: Settings,
    stop: impl Future<Output = ()>,
) where
    L::Addr: RemoteAddress,
{
    let builder = connection_builder(&settings);
    let places = Arc::new(Semaphore::new(settings.connections as usize));
    let most = u64::from(settings.address_connections);
    let networks = (most > 0).then(|| Arc::new(Shares::new(most)));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, (io, address)) = tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => continue,
            next = next => next,
        };
        let address = address.address();
        let network = address.and_then(|peer| peer::network(peer, &settings.proxies));
        let share = match (&networks, network) {
            (Some(networks), Some(network)) => match networks.take(network, 1) {
                Some(share) => Some(share),
                // Before anything was read: whoever takes all places gets no work out of us.
                None => continue,
            },
            _ => None,
        };
        let peer = address.map(Peer);
        let line = Line::default();
        // A proxy's connections are those of many, and HTTP/2 has many requests at once.
        let of_one = address.filter(|peer| !settings.proxies.contain(peer.to_canonical()));
        let of_one = of_one.map(|_| line.clone());
        let with_peer = move |mut request: Request<Incoming>| {
            if let Some(line) = &of_one
                && request.version() <= Version::HTTP_11
            {
                request.extensions_mut().insert(line.clone());
            }
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            request
        };
        let service = TowerToHyperService::new(router.clone().map_request(with_peer));
        let (builder, watcher) = (builder.clone(), graceful.watcher());
        let (tls, head_timeout) = (settings.tls.clone(), settings.head_timeout);
        let traffic = settings.traffic.clone();
        connections.spawn(async move {
            let served = async {
                let io = match tls {
                    Some(tls) => Either::Right(tls.accept(io).await?),
                    None => Either::Left(io),
                };
                let io = TokioIo::new(Bounded::new(io, head_timeout, line, traffic));
                watcher.watch(builder.serve_connection_with_upgrades(io, service)).await
            };
            if let Err(error) = served.await {
                // Clients go away in the middle of things every day.
                tracing::trace!(%error, "a connection broke off");
            }
            drop((place, share));
        });
    }
    drop(listener);
    if timeout(settings.stop_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = connections.len(), "broke off what did not finish in time");
    }
    connections.shutdown().await;
}

/// The largest head of a request, bytes. A token has at most 4 KiB.
const HEAD_LIMIT: usize = 64 * 1024;

fn connection_builder(settings: &Settings) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let mut http1 = builder.http1();
    http1.timer(TokioTimer::new()).header_read_timeout(settings.head_timeout);
    // Strangers fill it before anybody knows who they are.
    http1.max_buf_size(HEAD_LIMIT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        // A fetch is small; a client with more to do than this opens another connection.
        .max_concurrent_streams(128)
        .max_header_list_size(16 * 1024);
    builder
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::iter::repeat;
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::{Notify, oneshot};
    use tokio::task::JoinHandle;

    use super::*;

    type Outcome = Result<(), Box<dyn Error>>;

    fn settings() -> Settings {
        Settings {
            connections: 8,
            address_connections: 0,
            proxies: Networks::default(),
            head_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(10),
            tls: None,
            traffic: Arc::default(),
        }
    }

    struct Running {
        address: SocketAddr,
        stop: oneshot::Sender<()>,
        task: JoinHandle<()>,
    }

    /// A listener whose clients come from where the test says, one after the other.
    struct Pretended {
        listener: TcpListener,
        addresses: Box<dyn Iterator<Item = &'static str> + Send>,
    }

    impl Listener for Pretended {
        type Io = TcpStream;
        type Addr = SocketAddr;

        async fn accept(&mut self) -> (TcpStream, SocketAddr) {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            let from = self.addresses.next().and_then(|ip| ip.parse().ok());
            (stream, SocketAddr::new(from.unwrap_or(address.ip()), address.port()))
        }

        fn local_addr(&self) -> std::io::Result<SocketAddr> {
            self.listener.local_addr()
        }
    }

    async fn start(router: Router, settings: Settings) -> Result<Running, std::io::Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        start_on(listener, router, settings)
    }

    fn start_on<L: Listener<Addr = SocketAddr>>(
        listener: L,
        router: Router,
        settings: Settings,
    ) -> Result<Running, std::io::Error> {
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let stopped = async move {
            let _ = stopped.await;
        };
        let task = tokio::spawn(serve(listener, router, settings, stopped));
        Ok(Running { address, stop, task })
    }

    async fn ask(stream: &mut TcpStream) -> Result<(), std::io::Error> {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await
    }

    async fn is_answered(stream: &mut TcpStream) -> bool {
        let mut answer = [0; 12];
        let asked = ask(stream).await.is_ok();
        asked && stream.read_exact(&mut answer).await.is_ok() && &answer == b"HTTP/1.1 200"
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_hold_up_the_stop() -> Outcome {
        let router = Router::new().route("/", get(async || "hello"));
        let running = start(router, settings()).await?;
        let mut client = TcpStream::connect(running.address).await?;
        ask(&mut client).await?;
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"HTTP/1.1 200");
        let _ = running.stop.send(());
        running.task.await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_before_the_stop() -> Outcome {
        let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (seen, gate) = (arrived.clone(), go_on.clone());
        let handler = async move || {
            seen.notify_one();
            gate.notified().await;
            "done"
        };
        let running = start(Router::new().route("/", get(handler)), settings()).await?;
        let mut client = TcpStream::connect(running.address).await?;
        ask(&mut client).await?;
        arrived.notified().await;
        let _ = running.stop.send(());
        go_on.notify_one();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await?;
        assert!(answer.ends_with("done"), "{answer}");
        running.task.await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_loses_its_place() -> Outcome {
        let settings =
            Settings { connections: 1, head_timeout: Duration::from_millis(20), ..settings() };
        let router = Router::new().route("/", get(async || "hello"));
        let running = start(router, settings).await?;
        let _silent = TcpStream::connect(running.address).await?;
        let mut client = TcpStream::connect(running.address).await?;
        ask(&mut client).await?;
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"HTTP/1.1 200");
        Ok(())
    }

    #[tokio::test]
    async fn an_address_has_so_many_connections_and_a_proxy_any_number() -> Outcome {
        let router = Router::new().route("/", get(async || "hello"));
        let mut addresses = vec!["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"];
        addresses.extend(["10.0.0.1"; 3]);
        let addresses = Box::new(addresses.into_iter().chain(repeat("2001:db8::4")));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let proxies = Networks::parse("10.0.0.0/8")?;
        let settings = Settings { address_connections: 2, proxies, ..settings() };
        let running = start_on(Pretended { listener, addresses }, router, settings)?;
        let mut open = Vec::new();
        for served in [true, true, false, true, true, true, true] {
            let mut client = TcpStream::connect(running.address).await?;
            assert_eq!(is_answered(&mut client).await, served, "{}", open.len());
            open.push(client);
        }
        drop(open.remove(0));
        // It takes a moment until the server sees that.
        while !is_answered(&mut TcpStream::connect(running.address).await?).await {}
        Ok(())
    }

    #[tokio::test]
    async fn an_endless_head_is_broken_off() -> Outcome {
        let running = start(Router::new(), settings()).await?;
        let mut client = TcpStream::connect(running.address).await?;
        client.write_all(b"GET / HTTP/1.1\r\nx: ").await?;
        // The other side closes at some point; how writing ends then is not our business.
        let _ = client.write_all(&vec![b'a'; 2 * HEAD_LIMIT]).await;
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"HTTP/1.1 431");
        Ok(())
    }

    #[tokio::test]
    async fn a_request_that_never_ends_is_broken_off_in_time() -> Outcome {
        let arrived = Arc::new(Notify::new());
        let seen = arrived.clone();
        let handler = async move || {
            seen.notify_one();
            std::future::pending::<&'static str>().await
        };
        let settings = Settings { stop_timeout: Duration::from_millis(1), ..settings() };
        let running = start(Router::new().route("/", get(handler)), settings).await?;
        let mut client = TcpStream::connect(running.address).await?;
        ask(&mut client).await?;
        arrived.notified().await;
        let _ = running.stop.send(());
        running.task.await?;
        Ok(())
    }
}
