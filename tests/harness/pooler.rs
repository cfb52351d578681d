//! A pooler in transaction mode: whoever is in no transaction has no connection of the server, and
//! the next transaction gets another one than the last.
//!
//! What relies on anything that a connection remembers between two transactions fails behind it: a
//! prepared statement is unknown, and one that is prepared in one step and executed in the next,
//! outside a transaction, has been forgotten in between.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};

/// Connections to the server, fewer than clients have.
pub const CONNECTIONS: usize = 3;

/// A message of the protocol: its kind and its body without the length.
type Message = (u8, Vec<u8>);

/// Connections that are free, the one that was given back last at the end. There are none while
/// nobody is here: the server has so many for all tests.
struct Pool {
    server: Server,
    free: Mutex<VecDeque<TcpStream>>,
    permits: Semaphore,
    clients: AtomicUsize,
}

/// Where the server is, and as whom to log in.
struct Server {
    address: String,
    user: String,
    password: String,
    database: String,
    options: String,
}

/// What the pooler does about settings that a client wants for its connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Settings {
    /// As PgBouncer does by itself: the client is not let in.
    Refused,
    /// As it does with `ignore_startup_parameters`.
    Ignored,
}

/// Serves for as long as the runtime of the test lives; returns the URL that leads through it.
pub async fn in_front_of(url: &str, settings: Settings) -> String {
    let (beginning, rest) = url.split_once("://").expect("a URL");
    let (login, rest) = rest.split_once('@').expect("a URL with a user and a password");
    let (user, password) = login.split_once(':').expect("a password");
    let (address, path) = rest.split_once('/').expect("a database");
    let (database, options) = path.split_once("?options=").expect("a schema");
    let server = Server {
        address: address.to_owned(),
        user: user.to_owned(),
        password: password.to_owned(),
        database: database.to_owned(),
        options: options.replace("%20", " ").replace("%3D", "="),
    };
    let (free, permits) = (Mutex::default(), Semaphore::new(CONNECTIONS));
    let pool = Arc::new(Pool { server, free, permits, clients: AtomicUsize::new(0) });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let own = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let pool = pool.clone();
            pool.enter().await;
            // A client that goes away ends its task, and that is all.
            tokio::spawn(async move {
                serve(client, &pool, settings).await.ok();
                pool.leave().await;
            });
        }
    });
    format!("{beginning}://{user}@{own}/{database}")
}

impl Pool {
    /// Somebody comes: the first of all finds all connections.
    async fn enter(&self) {
        if self.clients.fetch_add(1, Ordering::SeqCst) > 0 {
            return;
        }
        let mut free = self.free.lock().await;
        while free.len() < CONNECTIONS {
            free.push_back(self.server.log_in().await.expect("a login"));
        }
    }

    /// Somebody goes: the last one of all leaves none.
    async fn leave(&self) {
        let mut free = self.free.lock().await;
        if self.clients.fetch_sub(1, Ordering::SeqCst) == 1 {
            free.clear();
        }
    }
}

impl Server {
    /// Logs in with a password in clear, and reads until the server is ready.
    async fn log_in(&self) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let mut body = 196_608_u32.to_be_bytes().to_vec();
        let words = ["user", &self.user, "database", &self.database, "options", &self.options, ""];
        for text in words {
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
        let length = u32::try_from(body.len() + 4).expect("a short message");
        stream.write_all(&[&length.to_be_bytes()[..], &body].concat()).await?;
        loop {
            match read(&mut stream).await? {
                (b'R', body) if body == 3_u32.to_be_bytes() => {
                    write(&mut stream, b'p', &[self.password.as_bytes(), b"\0"].concat()).await?;
                }
                (b'Z', _) => return Ok(stream),
                (b'E', body) => panic!("{}", String::from_utf8_lossy(&body)),
                _ => {}
            }
        }
    }
}

async fn read(stream: &mut TcpStream) -> io::Result<Message> {
    let kind = stream.read_u8().await?;
    let length = stream.read_u32().await?;
    let mut body = vec![0; length as usize - 4];
    stream.read_exact(&mut body).await?;
    Ok((kind, body))
}

async fn write(stream: &mut TcpStream, kind: u8, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    stream.write_all(&[&[kind][..], &length.to_be_bytes(), body].concat()).await
}

/// Lets a client in, whoever it is, and serves one transaction after the other.
async fn serve(mut client: TcpStream, pool: &Pool, settings: Settings) -> io::Result<()> {
    client.set_nodelay(true)?;
    loop {
        let length = client.read_u32().await?;
        let mut body = vec![0; length as usize - 4];
        client.read_exact(&mut body).await?;
        // A wish for TLS is declined; what comes after it is the greeting itself.
        if body == 80_877_103_u32.to_be_bytes() {
            client.write_all(b"N").await?;
            continue;
        }
        if settings == Settings::Refused && asks_for_settings(&body) {
            return write(&mut client, b'E', b"SFATAL\0C08P01\0Moptions are refused\0\0").await;
        }
        break;
    }
    write(&mut client, b'R', &0_u32.to_be_bytes()).await?;
    for (name, value) in [("server_version", "15.0"), ("client_encoding", "UTF8")] {
        write(&mut client, b'S', format!("{name}\0{value}\0").as_bytes()).await?;
    }
    write(&mut client, b'Z', b"I").await?;
    loop {
        let first = read(&mut client).await?;
        if first.0 == b'X' {
            return Ok(());
        }
        let _permit = pool.permits.acquire().await.expect("never closed");
        let free = pool.free.lock().await.pop_front();
        let mut server = match free {
            Some(server) => server,
            // Somebody lost one, or it went between two clients.
            None => pool.server.log_in().await?,
        };
        let outcome = transaction(&mut client, &mut server, first).await;
        if outcome.is_err() {
            // The server undoes what its client did not finish.
            server = pool.server.log_in().await?;
        }
        pool.free.lock().await.push_back(server);
        outcome?;
    }
}

/// Whether a greeting holds what a pooler does not pass on.
fn asks_for_settings(greeting: &[u8]) -> bool {
    greeting[4..].split(|byte| *byte == 0).step_by(2).any(|name| name == b"options")
}

/// Passes messages on until the server says that it is in no transaction and nothing is under way.
async fn transaction(
    client: &mut TcpStream,
    server: &mut TcpStream,
    first: Message,
) -> io::Result<()> {
    let mut asked = 0_usize;
    let mut next = Some(first);
    loop {
        if let Some((kind, body)) = next.take() {
            // A query and a synchronisation are answered with "ready".
            asked += usize::from(matches!(kind, b'Q' | b'S'));
            write(server, kind, &body).await?;
        }
        // Only one of the two may run at a time, so none is given up half-way.
        tokio::select! {
            message = read(client), if asked == 0 => next = Some(message?),
            message = read(server), if asked > 0 => {
                let (kind, body) = message?;
                write(client, kind, &body).await?;
                if kind == b'Z' {
                    asked -= 1;
                    if asked == 0 && body == b"I" {
                        return Ok(());
                    }
                }
            }
        }
    }
}
