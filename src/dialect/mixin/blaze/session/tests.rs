//! Sockets over a connection in memory, with a time that the test holds.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::super::Guest;
use super::super::codec;
use super::{PATIENCE, run};
use crate::bus::LocalBus;
use crate::delivery::hub::Hub;
use crate::dialect::mixin::auth::{Caller, verified_tokens};
use crate::dialect::mixin::{MixinSettings, MixinState};
use crate::domain::attachment::{FileLimits, Files};
use crate::domain::clock::TestClock;
use crate::domain::limits::{Limiter, Networks, Quotas, Visitor};
use crate::domain::measures::Measures;
use crate::domain::ports::Entropy;
use crate::domain::reader::Credential;
use crate::domain::session::{Scopes, Session};
use crate::domain::{Gateway, Limits};
use crate::http::blobs::{Addresses, BlobUrls, UrlKey};
use crate::http::gate::Gate;
use crate::http::leftovers::Leftovers;
use crate::http::places::Places;
use crate::http::wire::Wire;
use crate::storage::MemoryStore;
use crate::storage::blobs::LocalBlobs;
use crate::storage::conformance::scene::{START, Scene, at, inbox_of};

struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

pub(super) struct World {
    pub(super) state: Arc<MixinState>,
    scene: Scene,
    bot: Session,
    pub(super) phone: Session,
}

pub(super) type Client = WebSocketStream<DuplexStream>;

impl World {
    pub(super) async fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let scene = Scene::new(store.clone());
        let (bot, phone) = (scene.device(1).await, scene.device(2).await);
        let gateway = Arc::new(Gateway {
            store,
            bus: Arc::new(LocalBus::new()),
            clock: Arc::new(TestClock::at(START)),
            entropy: Arc::new(Zeros),
            limits: Limits::default(),
            measures: Measures::default(),
        });
        let hub = Arc::new(Hub::default());
        tokio::spawn(hub.clone().run(gateway.bus.subscribe()));
        let limiter = Limiter::new(gateway.clock.clone(), Quotas::default(), Quotas::default());
        let gate = Gate::new(Arc::new(limiter), Networks::default(), 1024 * 1024);
        // Nothing here reads or writes attachments.
        let folder = tempfile::tempdir().unwrap();
        let blobs = LocalBlobs::open(folder.path().to_owned(), 0).unwrap();
        let files = Files::new(gateway.clone(), Arc::new(blobs), FileLimits::default());
        let urls = BlobUrls::new(UrlKey::derive(&[0; 32]), Duration::from_secs(60));
        let state = Arc::new(MixinState {
            gateway,
            hub,
            gate: Arc::new(gate),
            files: Arc::new(files),
            urls: Arc::new(urls),
            addresses: Addresses::default(),
            server_public_key: String::new(),
            settings: MixinSettings::default(),
            verified: verified_tokens(),
            sockets: Arc::new(Places::new(10, 10)),
            leftovers: Arc::new(Leftovers::new(10, Duration::from_secs(30))),
            switch: Arc::default(),
        });
        Self { state, scene, bot, phone }
    }

    /// A message of the gateway itself, as large as said: it needs no envelope.
    async fn send(&self, n: u16, bytes: usize) {
        let mut message = self.scene.message(&self.bot, &[&self.phone], n).await;
        message.body = vec![b'x'; bytes].into();
        message.slots[0].bytes = Bytes::new();
        self.scene.accept(message).await;
    }

    async fn guest(&self) -> Guest {
        let owner = self.state.gateway.live_session(self.phone.id).await.unwrap().unwrap();
        let credential = Credential::Signed { until: at(1_000_000) };
        let visitor = Visitor { account: Some(owner.account.number), address: None };
        let caller = Caller { owner, scopes: Scopes::ALL, signed: true, claims: None, credential };
        Guest { caller, visitor }
    }

    /// A socket of the phone over a connection that holds so many bytes.
    pub(super) async fn socket(&self, room: usize) -> (Client, JoinHandle<()>) {
        let (ours, theirs) = duplex(room);
        let wire = Wire::new(ours, 1 << 20).await;
        let socket = tokio::spawn(run(self.state.clone(), self.guest().await, wire));
        (WebSocketStream::from_raw_socket(theirs, Role::Client, None).await, socket)
    }

    /// How often each waiting message has been handed out, this time included.
    async fn deliveries(&self) -> Vec<u32> {
        let found = self.state.gateway.lease(inbox_of(&self.phone), 100, None).await.unwrap();
        found.iter().map(|message| message.deliveries).collect()
    }
}

pub(super) async fn ask(client: &mut Client, action: &str, params: Value) {
    let request = json!({"id": "1", "action": action, "params": params});
    let frame = codec::encode(&request).unwrap();
    client.send(Message::Binary(frame.into())).await.unwrap();
}

pub(super) async fn next_frame(client: &mut Client) -> Value {
    loop {
        if let Message::Binary(frame) = client.next().await.unwrap().unwrap() {
            return serde_json::from_slice(&codec::decompress(&frame, 1 << 20).unwrap()).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_keeps_silent_is_dropped_after_half_a_minute() {
    let world = World::new().await;
    let (_client, socket) = world.socket(4096).await;
    let start = Instant::now();
    socket.await.unwrap();
    let elapsed = start.elapsed();
    assert!((PATIENCE..PATIENCE + Duration::from_secs(5)).contains(&elapsed), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_socket_stays_open_for_pings_alone() {
    let world = World::new().await;
    let (mut client, socket) = world.socket(4096).await;
    let mut pings = 0;
    let reading = async {
        while let Some(Ok(message)) = client.next().await {
            pings += u32::from(message.is_ping());
        }
    };
    assert!(timeout(Duration::from_secs(600), reading).await.is_err());
    assert!(pings >= 600 / 15, "{pings}");
    assert!(!socket.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_clients_ping_is_answered() {
    let world = World::new().await;
    let (mut client, _socket) = world.socket(4096).await;
    client.send(Message::Ping(Bytes::from_static(b"are you there"))).await.unwrap();
    let pong = client.next().await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong(Bytes::from_static(b"are you there")));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_dropped_and_what_it_never_got_does_not_count() {
    let world = World::new().await;
    for n in 1..=20 {
        world.send(n, 50_000).await;
    }
    let (mut client, socket) = world.socket(256).await;
    ask(&mut client, "LIST_PENDING_MESSAGES", Value::Null).await;
    // Frames of repeated letters are small, but the connection is smaller.
    let start = Instant::now();
    let signs_of_life = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let sign = Message::Pong(Bytes::new());
            if client.send(sign).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(signs_of_life, async { socket.await.unwrap() });
    assert!(start.elapsed() <= PATIENCE + Duration::from_secs(5), "{:?}", start.elapsed());
    let deliveries = world.deliveries().await;
    assert_eq!(deliveries.len(), 20, "all is free");
    assert!(deliveries.iter().filter(|count| **count > 1).count() < 10, "{deliveries:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_hint_was_lost_comes_when_the_pump_looks_by_itself() {
    let world = World::new().await;
    let (mut client, _socket) = world.socket(4096).await;
    ask(&mut client, "LIST_PENDING_MESSAGES", Value::Null).await;
    assert_eq!(next_frame(&mut client).await["action"], "LIST_PENDING_MESSAGES");
    // Past the gateway, so that nobody hints.
    world.send(1, 10).await;
    let start = Instant::now();
    assert_eq!(next_frame(&mut client).await["action"], "CREATE_MESSAGE");
    assert!(start.elapsed() < Duration::from_secs(41), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_revocation_whose_hint_was_lost_is_found_out() {
    let world = World::new().await;
    let (mut client, socket) = world.socket(4096).await;
    let store = &world.state.gateway.store;
    store.end_session(world.phone.user, world.phone.id, START).await.unwrap();
    assert_eq!(next_frame(&mut client).await["error"]["status"], 401);
    drop(client);
    socket.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_next_request_is_read_and_no_further_while_one_is_worked_on() {
    let world = World::new().await;
    let (mut client, _socket) = world.socket(1 << 20).await;
    for _ in 0..20 {
        ask(&mut client, "NOTHING", Value::Null).await;
    }
    for _ in 0..20 {
        assert_eq!(next_frame(&mut client).await["error"]["status"], 400);
    }
}

#[tokio::test]
async fn an_idle_session_is_small() {
    let world = World::new().await;
    let (ours, _theirs) = duplex(64);
    let wire = Wire::new(ours, 1 << 20).await;
    let session = run(world.state.clone(), world.guest().await, wire);
    let bytes = size_of_val(&session);
    assert!(bytes <= 4096, "{bytes}");
}
