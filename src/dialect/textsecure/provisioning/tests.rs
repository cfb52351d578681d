//! Sockets of new devices over a connection in memory.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;
use crate::domain::ports::Entropy;

struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

const ADDRESS: &str = "AAAAAAAAAAAAAAAAAAAAAA";

type Client = WebSocketStream<DuplexStream>;

async fn newcomer(lobby: &Arc<Lobby>, room: usize) -> (Client, JoinHandle<()>) {
    let (ours, theirs) = duplex(room);
    let waiting = lobby.enter(&Zeros, None).unwrap();
    let wire = Wire::new(ours, FRAME_LIMIT).await;
    let hub = Hub::default();
    let socket = tokio::spawn(async move { wait(&hub, waiting, wire).await });
    (WebSocketStream::from_raw_socket(theirs, Role::Client, None).await, socket)
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_more_than_five_minutes_however_alive() {
    let lobby = Arc::new(Lobby::default());
    let (mut client, socket) = newcomer(&lobby, 4096).await;
    let start = Instant::now();
    let alive = async {
        while client.send(Message::Pong(Bytes::new())).await.is_ok() {
            let pause = tokio::time::timeout(Duration::from_secs(20), client.next()).await;
            if matches!(pause, Ok(None | Some(Err(_) | Ok(Message::Close(_))))) {
                break;
            }
        }
        drop(client);
    };
    tokio::join!(alive, async { socket.await.unwrap() });
    let elapsed = start.elapsed();
    assert!((LIFE..LIFE + FAREWELL).contains(&elapsed), "{elapsed:?}");
    assert!(!lobby.post(ADDRESS, Bytes::new()));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_dropped() {
    let lobby = Arc::new(Lobby::default());
    let (_client, socket) = newcomer(&lobby, 8).await;
    let start = Instant::now();
    socket.await.unwrap();
    assert!(start.elapsed() < PATIENCE * 2 + FAREWELL + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_was_posted_before_the_address_was_read_still_comes_behind_it() {
    let lobby = Arc::new(Lobby::default());
    let (mut client, socket) = newcomer(&lobby, 4096).await;
    assert!(lobby.post(ADDRESS, Bytes::from_static(b"x")));
    let mut frames = Vec::new();
    while let Some(Ok(Message::Binary(frame))) = client.next().await {
        let request = protobuf::Frame::decode(frame).unwrap().request.unwrap();
        frames.push(request.path.unwrap());
    }
    assert_eq!(frames, ["/v1/address", "/v1/message"]);
    drop(client);
    socket.await.unwrap();
}
