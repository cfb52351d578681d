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
use crate::domain::ids::{AccountNumber, ConversationId, SessionNumber, UserId};
use crate::domain::limits::{Limiter, Networks, Quotas, Visitor};
use crate::domain::messenger::MemberPolicy;
use crate::domain::messenger::allowance::Allowances;
use crate::domain::messenger::chatting::Latest;
use crate::domain::messenger::enrolment::EnrolmentKey;
use crate::domain::messenger::handed_out::HandedOut;
use crate::domain::ports::{Entropy, Hint};
use crate::domain::{Gateway, Limits};
use crate::storage::MemoryStore;
use crate::storage::conformance::scene::START;

struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

const ANNA: AccountNumber = AccountNumber(1);
const PHONE: SessionNumber = SessionNumber(1);

type Client = WebSocketStream<DuplexStream>;

struct World {
    messenger: Arc<Messenger>,
    gate: Arc<Gate>,
    hub: Arc<Hub>,
}

impl World {
    fn new() -> Self {
        let gateway = Arc::new(Gateway {
            store: Arc::new(MemoryStore::new()),
            bus: Arc::new(LocalBus::new()),
            clock: Arc::new(TestClock::at(START)),
            entropy: Arc::new(Zeros),
            limits: Limits::default(),
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
            gateway,
        };
        Self { messenger: Arc::new(messenger), gate, hub }
    }

    fn session<Io>(&self, wire: Wire<Io>) -> impl Future<Output = ()> + use<Io>
    where
        Io: AsyncRead + AsyncWrite + Unpin,
    {
        let listener = self.hub.listen_to_member(ANNA, PHONE);
        let (messenger, gate) = (self.messenger.clone(), self.gate.clone());
        let guest = Guest {
            user: UserId::from_uuid(uuid::Uuid::nil()),
            device: PHONE,
            contract: Contract::Document,
            visitor: Visitor { account: Some(ANNA), address: None },
        };
        run(Means { messenger, gate, listener }, guest, wire)
    }

    /// A socket over a connection that holds so many bytes.
    async fn socket(&self, room: usize) -> (Client, JoinHandle<()>) {
        let (ours, theirs) = duplex(room);
        let socket = tokio::spawn(self.session(Wire::new(ours, FRAME_LIMIT).await));
        (WebSocketStream::from_raw_socket(theirs, Role::Client, None).await, socket)
    }

    fn tell(&self, chat: u128) {
        let (chat, user) = (uuid::Uuid::from_u128(chat), uuid::Uuid::nil());
        let (chat, user) = (ConversationId::from_uuid(chat), UserId::from_uuid(user));
        self.messenger.tell(ANNA, MemberEvent::Message { chat, user });
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
    let world = World::new();
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
    let world = World::new();
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
    let world = World::new();
    let (client, socket) = world.socket(4096).await;
    let start = Instant::now();
    socket.await.unwrap();
    let elapsed = start.elapsed();
    assert!((SILENCE..SILENCE + Duration::from_secs(3)).contains(&elapsed), "{elapsed:?}");
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_stays() {
    let world = World::new();
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
async fn a_client_that_does_not_read_is_dropped() {
    let world = World::new();
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
    let world = World::new();
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
    let world = World::new();
    let (mut client, _socket) = world.socket(4096).await;
    world.messenger.gateway.bus.publish(Hint::SessionEnded(PHONE));
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Policy));
    let (mut client, _socket) = world.socket(4096).await;
    world.hub.close();
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Away));
}

#[tokio::test]
async fn an_idle_session_is_small() {
    let world = World::new();
    let (ours, _theirs) = duplex(64);
    let session = world.session(Wire::new(ours, FRAME_LIMIT).await);
    let bytes = size_of_val(&session);
    assert!(bytes <= 2048, "{bytes}");
}
