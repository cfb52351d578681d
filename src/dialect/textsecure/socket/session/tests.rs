//! Sockets over a connection in memory, with a time that the test holds.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use zeroize::Zeroizing;

use super::super::{FRAME_LIMIT, Sockets};
use super::*;
use crate::bus::LocalBus;
use crate::delivery::hub::Hub;
use crate::dialect::textsecure::TextSecureSettings;
use crate::dialect::textsecure::auth::{Caller, Verified};
use crate::dialect::textsecure::federation::peer::Peers;
use crate::dialect::textsecure::messages::origin;
use crate::dialect::textsecure::socket::language::Language;
use crate::domain::attachment::{FileLimits, Files};
use crate::domain::clock::TestClock;
use crate::domain::limits::{Limiter, Networks, Quotas, Visitor};
use crate::domain::measures::Measures;
use crate::domain::phone::registration::Attributes;
use crate::domain::phone::sending::{Content, Letter};
use crate::domain::phone::{
    Device, PasswordHash, Phone, PhoneLimit, PhoneLimits, PhoneNumber, PhonePolicy, PushKind,
    Switchboard,
};
use crate::domain::ports::{
    CodeDelivery, CodeMessage, CodeSender, Entropy, Notification, Notifier, Push, Pushed,
};
use crate::domain::vault::Vault;
use crate::domain::{Gateway, Limits};
use crate::http::blobs::{Addresses, BlobUrls, UrlKey};
use crate::http::gate::Gate;
use crate::http::leftovers::Leftovers;
use crate::http::places::Places;
use crate::outside::relays::Peers as OtherGateways;
use crate::storage::MemoryStore;
use crate::storage::blobs::LocalBlobs;
use crate::storage::conformance::scene::START;

#[derive(Default)]
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        bytes.iter_mut().zip(number.iter().cycle()).for_each(|(byte, other)| *byte = *other);
    }
}

/// What is outside: nothing but somebody who counts how often a device was left something.
#[derive(Default)]
struct Outside {
    left: AtomicU64,
}

#[async_trait]
impl CodeSender for Outside {
    async fn deliver(&self, _message: &CodeMessage) -> Result<CodeDelivery, Fault> {
        Ok(CodeDelivery::Outbox)
    }

    fn fixed(&self, _number: &PhoneNumber) -> Option<Zeroizing<String>> {
        None
    }
}

#[async_trait]
impl Push for Outside {
    async fn push(&self, _kind: PushKind, _address: &[u8], _what: Notification) -> Pushed {
        Pushed::NotSetUp
    }
}

impl Notifier for Outside {
    fn stored(&self, _phone: &Phone, _device: &Device, _envelope: &Bytes) {}

    fn left(&self, _phone: &Phone, _device: &Device) {
        self.left.fetch_add(1, Ordering::Relaxed);
    }
}

struct World {
    state: Arc<TextSecureState>,
    caller: Caller,
    outside: Arc<Outside>,
}

type Client = WebSocketStream<DuplexStream>;

impl World {
    /// A gateway with one phone, which writes to itself.
    async fn new() -> Self {
        let outside = Arc::new(Outside::default());
        let state = Arc::new(state(&outside));
        let caller = register(&state).await;
        Self { state, caller, outside }
    }

    /// Something that the gateway stores for the phone.
    async fn send(&self, bytes: usize) {
        let envelope =
            Envelope { kind: Some(1), message: Some(vec![7; bytes].into()), ..Envelope::default() };
        let content = Content::First(envelope.to_bytes());
        let letter = Letter { to: self.caller.phone.number.clone(), content };
        let posted = self.state.switchboard.post(origin(&self.caller), &[letter]).await.unwrap();
        assert_eq!(posted.len(), 1);
    }

    /// A socket over a connection that holds so many bytes.
    async fn socket(&self, language: Language, room: usize) -> (Client, JoinHandle<()>) {
        let (ours, theirs) = duplex(room);
        let wire = Wire::new(ours, FRAME_LIMIT).await;
        let seat = self.state.sockets.seats.take(self.caller.device.session);
        let guest = Guest { caller: self.caller.clone(), language };
        let socket = tokio::spawn(run(self.state.clone(), guest, seat, wire));
        (WebSocketStream::from_raw_socket(theirs, Role::Client, None).await, socket)
    }

    /// How often each waiting message has been handed out, this time included.
    async fn deliveries(&self) -> Vec<u32> {
        let gateway = &self.state.switchboard.gateway;
        let found = gateway.lease(self.caller.reader().inbox, 100, None).await.unwrap();
        found.iter().map(|message| message.deliveries).collect()
    }
}

fn state(outside: &Arc<Outside>) -> TextSecureState {
    let gateway = Arc::new(Gateway {
        store: Arc::new(MemoryStore::new()),
        bus: Arc::new(LocalBus::new()),
        clock: Arc::new(TestClock::at(START)),
        entropy: Arc::new(Counting::default()),
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
    let switchboard = Switchboard {
        vault: Vault::derive(&[0; 32]),
        codes: outside.clone(),
        push: outside.clone(),
        notifier: outside.clone(),
        relays: Arc::new(OtherGateways::default()),
        policy: PhonePolicy::default(),
        limits: PhoneLimits::new(gateway.clock.clone(), PhoneLimit::usual),
        gateway,
    };
    TextSecureState {
        hub,
        gate: Arc::new(gate),
        files: Arc::new(files),
        urls: Arc::new(urls),
        addresses: Addresses::default(),
        settings: TextSecureSettings { body_limit: 1 << 20, dev_transport: false },
        verified: Verified::new(&*switchboard.gateway.entropy),
        switchboard: Arc::new(switchboard),
        peers: Peers::default(),
        sockets: Sockets::new(Arc::new(Places::new(10, 10))),
        leftovers: Arc::new(Leftovers::new(10, Duration::from_secs(30))),
    }
}

async fn register(state: &TextSecureState) -> Caller {
    let number = PhoneNumber::parse("+14152222222").unwrap();
    let switchboard = &state.switchboard;
    let code = switchboard.show_code(number.clone()).await.unwrap();
    let proof = switchboard.prove_by_code(number.clone(), &code).await.unwrap();
    let attributes = Attributes {
        signalling_key: Zeroizing::new([7; 52]),
        supports_sms: false,
        registration: 1,
        fetches: true,
        name: None,
    };
    switchboard.register(proof, PasswordHash("a hash".to_owned()), attributes).await.unwrap();
    let phone = switchboard.gateway.store.fresh_phone(&number).await.unwrap().unwrap();
    let device = phone.devices[0].clone();
    let visitor = Visitor { account: Some(phone.account), address: None };
    Caller { phone, device, visitor }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_keeps_silent_is_dropped_sooner_if_it_should_ask() {
    for language in [Language::Json, Language::Protobuf] {
        let world = World::new().await;
        let (_client, socket) = world.socket(language, 4096).await;
        let start = Instant::now();
        socket.await.unwrap();
        let (elapsed, idle) = (start.elapsed(), language.idle());
        assert!((idle..idle + Duration::from_secs(5)).contains(&elapsed), "{elapsed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_gives_signs_of_life_stays() {
    let world = World::new().await;
    let (mut client, socket) = world.socket(Language::Protobuf, 4096).await;
    for _ in 0..20 {
        sleep(Duration::from_secs(60)).await;
        client.send(Message::Pong(Bytes::new())).await.unwrap();
    }
    assert!(!socket.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_dropped_and_what_it_never_got_does_not_count() {
    let world = World::new().await;
    for _ in 0..20 {
        world.send(50_000).await;
    }
    let (mut client, socket) = world.socket(Language::Json, 256).await;
    let start = Instant::now();
    let signs_of_life = async {
        while client.send(Message::Pong(Bytes::new())).await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::join!(signs_of_life, async { socket.await.unwrap() });
    assert!(start.elapsed() <= PATIENCE + Duration::from_secs(5), "{:?}", start.elapsed());
    let deliveries = world.deliveries().await;
    assert_eq!(deliveries.len(), 20, "all is free");
    assert!(deliveries.iter().filter(|count| **count > 1).count() < 3, "{deliveries:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_no_client_acknowledges_comes_again_for_ever() {
    let world = World::new().await;
    world.send(10).await;
    for round in 0..21 {
        let (mut client, socket) = world.socket(Language::Json, 4096).await;
        let got = timeout(Duration::from_secs(5), client.next()).await;
        assert!(got.is_ok_and(|got| got.is_some()), "round {round}");
        drop(client);
        socket.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_client_acknowledged_is_gone_though_it_has_hung_up() {
    let world = World::new().await;
    world.send(10).await;
    let (mut client, socket) = world.socket(Language::Json, 4096).await;
    client.next().await.unwrap().unwrap();
    client.send(Message::Text(r#"{"type":1,"id":0}"#.into())).await.unwrap();
    drop(client);
    socket.await.unwrap();
    assert!(world.deliveries().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_device_is_woken_when_its_socket_has_left_something() {
    for (acknowledges, expected) in [(false, 1), (true, 0)] {
        let world = World::new().await;
        world.send(10).await;
        let (mut client, socket) = world.socket(Language::Json, 4096).await;
        client.next().await.unwrap().unwrap();
        if acknowledges {
            client.send(Message::Text(r#"{"type":1,"id":0}"#.into())).await.unwrap();
        }
        drop(client);
        socket.await.unwrap();
        assert_eq!(world.outside.left.load(Ordering::Relaxed), expected, "{acknowledges}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_not_read_do_not_pile_up() {
    let world = World::new().await;
    let (mut client, socket) = world.socket(Language::Json, 256).await;
    let flood = async {
        let mut sent = 0_u32;
        while client.send(Message::Text(r#"{"type":2}"#.into())).await.is_ok() {
            sent += 1;
        }
        sent
    };
    let (sent, ended) = tokio::join!(flood, socket);
    ended.unwrap();
    assert!(sent < 2000, "{sent}");
}

#[tokio::test]
async fn an_idle_session_is_small() {
    let world = World::new().await;
    let (ours, _theirs) = duplex(64);
    let wire = Wire::new(ours, FRAME_LIMIT).await;
    let seat = world.state.sockets.seats.take(world.caller.device.session);
    let guest = Guest { caller: world.caller.clone(), language: Language::Json };
    let session = run(world.state.clone(), guest, seat, wire);
    let bytes = size_of_val(&session);
    assert!(bytes <= 4096, "{bytes}");
}
