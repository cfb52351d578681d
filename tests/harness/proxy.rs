//! A proxy on loopback that can lose answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Passes requests on, and breaks the connection in place of an answer for as long as it was told.
pub struct LossyProxy {
    pub url: String,
    to_lose: Arc<AtomicUsize>,
    lost: Arc<AtomicUsize>,
}

impl LossyProxy {
    /// A proxy in front of `upstream` (`127.0.0.1:port`), which loses nothing yet.
    pub async fn start(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let proxy = Self { url, to_lose: Arc::default(), lost: Arc::default() };
        let (to_lose, lost) = (proxy.to_lose.clone(), proxy.lost.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (to_lose, lost) = (to_lose.clone(), lost.clone());
                let upstream = upstream.clone();
                tokio::spawn(async move {
                    let server = TcpStream::connect(upstream).await.unwrap();
                    pass_on(client, server, &to_lose, &lost).await;
                });
            }
        });
        proxy
    }

    /// Loses the answers to the next `count` requests for `/encrypted_messages`.
    pub fn lose_next(&self, count: usize) {
        self.to_lose.store(count, Ordering::SeqCst);
    }

    /// How many answers were lost.
    pub fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }
}

async fn pass_on(client: TcpStream, server: TcpStream, to_lose: &AtomicUsize, lost: &AtomicUsize) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let posting = Arc::new(AtomicUsize::new(0));
    let seen = posting.clone();
    let up = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            // A request line always begins a read: clients write one request at a time.
            if buffer[..read].starts_with(b"POST /encrypted_messages ") {
                seen.store(1, Ordering::SeqCst);
            } else if buffer[..read].starts_with(b"POST ") || buffer[..read].starts_with(b"GET ") {
                seen.store(0, Ordering::SeqCst);
            }
            if to_server.write_all(&buffer[..read]).await.is_err() {
                break;
            }
        }
    });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
        let one_less = |left: usize| left.checked_sub(1);
        if posting.load(Ordering::SeqCst) == 1
            && to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
        {
            // The gateway has answered, so it has stored; the answer ends here.
            lost.fetch_add(1, Ordering::SeqCst);
            break;
        }
        if to_client.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    up.abort();
}
