//! Sockets over a connection in memory, with a time that the test holds.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::super::FRAME_LIMIT;
use super::*;
use crate::bus::LocalBus;
use crate::delivery::hub::Hub;
use crate::dialect::hushnet::error::Contract;
use crate::domain::clock::TestClock;
use crate::domain::ids::{ConversationId, SessionNumber};
use crate::domain::limits::{Limiter, Networks, Quotas, Visitor};
use crate::domain::measures::Measures;
use crate::domain::messenger::allowance::Allowances;
use crate::domain::messenger::chatting::Latest;
use crate::domain::messenger::enrolment::EnrolmentKey;
use crate::domain::messenger::handed_out::HandedOut;
use crate::domain::messenger::receipt::LateReceipts;
use crate::domain::messenger::{Member, MemberPolicy};
use crate::domain::ports::{Entropy, Hint};
use crate::domain::{Gateway, Limits};
use crate::storage::MemoryStore;
use crate::storage::conformance::scene::{START, Scene};

struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

type Client = WebSocketStream<DuplexStream>;

struct World {
    messenger: Arc<Messenger>,
    gate: Arc<Gate>,
    hub: Arc<Hub>,
    verified: Arc<Verified>,
    /// Somebody with one device.
    anna: Arc<Member>,
}

impl World {
    async fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let anna = Scene::new(store.clone()).member(1).await;
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
        let quotas = Quotas { requests: 100, ..Quotas::default() };
        let limiter = Limiter::new(gateway.clock.clone(), quotas, Quotas::default());
        let gate = Arc::new(Gate::new(Arc::new(limiter), Networks::default(), 1024));
        let messenger = Messenger {
            allowances: Allowances::unlimited(gateway.clock.clone()),
            policy: MemberPolicy::default(),
            enrolment_key: EnrolmentKey::derive(&[0; 32]),
            latest: Latest::default(),
            handed_out: HandedOut::default(),
            late_receipts: LateReceipts::default(),
            gateway,
        };
        let verified = Arc::new(Verified::new(START));
        Self { messenger: Arc::new(messenger), gate, hub, verified, anna }
    }

    fn phone(&self) -> SessionNumber {
        self.anna.devices[0].session
    }

    fn session<Io>(&self, wire: Wire<Io>) -> impl Future<Output = ()> + use<Io>
    where
        Io: AsyncRead + AsyncWrite + Unpin,
    {
        let (account, device) = (self.anna.account, self.phone());
        let listener = self.hub.listen_to_member(account, device);
        let (messenger, gate) = (self.messenger.clone(), self.gate.clone());
        let verified = self.verified.clone();
        let guest = Guest {
            user: self.anna.user,
            device,
            is_signed: false,
            contract: Contract::Document,
            visitor: Visitor { account: Some(account), address: None },
        };
        run(Means { messenger, gate, verified, listener, displaced: None }, guest, wire)
    }

    /// A socket over a connection that holds so many bytes.
    async fn socket(&self, room: usize) -> (Client, JoinHandle<()>) {
        let (ours, theirs) = duplex(room);
        let socket = tokio::spawn(self.session(Wire::new(ours, FRAME_LIMIT).await));
        (WebSocketStream::from_raw_socket(theirs, Role::Client, None).await, socket)
    }

    fn tell(&self, chat: u128) {
        let chat = ConversationId::from_uuid(uuid::Uuid::from_u128(chat));
        let event = MemberEvent::Message { chat, user: self.anna.user };
        self.messenger.tell(self.anna.account, event);
    }
}

async fn close_code(client: &mut Client) -> Option<CloseCode> {
    loop {
        match client.next().await {
            Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code),
            Some(Ok(_)) => {}
            _ => return None,
        }
    }
}

#[tokio::test]
async fn events_come_in_their_order_pings_are_answered_and_words_passed_over() {
    let world = World::new().await;
    let (mut client, _socket) = world.socket(4096).await;
    client.send(Message::Text(r#"{"type":"ping"}"#.into())).await.unwrap();
    client.send(Message::Ping(b"hello".as_slice().into())).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong(b"hello".as_slice().into()));
    for chat in [1, 2, 1] {
        world.tell(chat);
    }
    for chat in [1, 2, 1] {
        let Message::Text(text) = client.next().await.unwrap().unwrap() else { panic!("no text") };
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["chat_id"], uuid::Uuid::from_u128(chat).to_string());
    }
}

#[tokio::test]
async fn a_good_bye_is_answered() {
    let world = World::new().await;
    let (mut client, socket) = world.socket(4096).await;
    let close = CloseFrame { code: CloseCode::Away, reason: "".into() };
    client.close(Some(close)).await.unwrap();
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Away));
    drop(client);
    socket.await.unwrap();
    assert_eq!(world.hub.members(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_keeps_silent_is_asked_and_then_dropped() {
    let world = World::new().await;
    let (client, socket) = world.socket(4096).await;
    let start = Instant::now();
    socket.await.unwrap();
    let elapsed = start.elapsed();
    assert!((SILENCE..SILENCE + Duration::from_secs(3)).contains(&elapsed), "{elapsed:?}");
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_stays() {
    let world = World::new().await;
    let (mut client, socket) = world.socket(4096).await;
    let start = Instant::now();
    let mut asked = 0_u32;
    // Nobody is in the store, as the socket would find out later.
    while start.elapsed() < PING * 10 {
        // Reading it answers it.
        assert_eq!(client.next().await.unwrap().unwrap(), Message::Ping(Bytes::new()));
        client.flush().await.unwrap();
        asked += 1;
    }
    assert!(asked <= 11, "{asked}");
    assert!(!socket.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_no_more_is_found_out_without_a_hint() {
    let world = World::new().await;
    let (mut client, _socket) = world.socket(4096).await;
    let store = &world.messenger.gateway.store;
    store.delete_member(world.anna.account, START).await.unwrap();
    let start = Instant::now();
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Policy));
    assert!(start.elapsed() <= RECHECK + Duration::from_secs(5), "{:?}", start.elapsed());
    let known = world.verified.device_here(world.anna.account, None, START);
    assert_eq!(known, None, "it is not vouched for any more");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_shows_no_credentials_is_known_for_as_long_as_its_socket_is_open() {
    let world = World::new().await;
    let (mut client, _socket) = world.socket(4096).await;
    let known = || world.verified.device_here(world.anna.account, None, START);
    assert_eq!(known(), None);
    let start = Instant::now();
    while start.elapsed() < RECHECK + PING {
        client.next().await.unwrap().unwrap();
        client.flush().await.unwrap();
    }
    assert_eq!(known(), Some(world.phone()));
    let other = World::new().await;
    let (mut client, socket) = other.socket(4096).await;
    client.close(None).await.unwrap();
    while client.next().await.is_some() {}
    socket.await.unwrap();
    assert!(other.verified.device_here(other.anna.account, None, START).is_some(), "or was");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_dropped() {
    let world = World::new().await;
    let (mut client, socket) = world.socket(64).await;
    for chat in 0..100 {
        world.tell(chat);
    }
    let start = Instant::now();
    let signs_of_life = async {
        while client.send(Message::Pong(Bytes::new())).await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::join!(signs_of_life, async { socket.await.unwrap() });
    assert!(start.elapsed() <= PATIENCE + Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_client_that_talks_without_end_or_in_large_frames_is_sent_away() {
    let world = World::new().await;
    let (mut client, _socket) = world.socket(64 * 1024).await;
    for _ in 0..200 {
        client.send(Message::Text("{}".into())).await.unwrap();
    }
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Policy));
    let (mut client, _socket) = world.socket(64 * 1024).await;
    client.send(Message::Binary(vec![0; FRAME_LIMIT + 1].into())).await.unwrap();
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Size));
}

#[tokio::test]
async fn a_device_that_ends_and_a_node_that_stops_say_so() {
    let world = World::new().await;
    let (mut client, _socket) = world.socket(4096).await;
    world.messenger.gateway.bus.publish(Hint::SessionEnded(world.phone()));
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Policy));
    let (mut client, _socket) = world.socket(4096).await;
    world.hub.close();
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Away));
}

#[tokio::test]
async fn an_idle_session_is_small() {
    let world = World::new().await;
    let (ours, _theirs) = duplex(64);
    let session = world.session(Wire::new(ours, FRAME_LIMIT).await);
    let bytes = size_of_val(&session);
    assert!(bytes <= 2048, "{bytes}");
}
