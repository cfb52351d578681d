//! Two bots that send, three people who read, and what happens to them.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use sealpost::sdk::ids::{MessageId, SessionId};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::below;
use super::check::{Asked, Book, Place};
use super::socket::Socket;
use crate::harness::actor::Item;
use crate::harness::{Actor, Person, TestApp, postgres};

/// How often a socket has to answer before everything from before a question must have come: the
/// first answer may overtake a delivery that was prepared already.
const CERTAIN: u32 = 3;

/// One live session.
struct Device {
    actor: Actor,
    book: Book,
    socket: Option<Open>,
    /// How many sockets it had before.
    sockets: u64,
}

/// An open socket, and when acknowledgements were done in its time.
struct Open {
    socket: Socket,
    /// How often it answered since each acknowledgement.
    answers_since: HashMap<MessageId, u32>,
}

pub struct World {
    app: TestApp,
    server: JoinHandle<()>,
    address: SocketAddr,
    bots: Vec<Actor>,
    people: Vec<Person>,
    devices: HashMap<SessionId, Device>,
    /// Batches that were accepted, to be repeated.
    batches: Vec<(usize, Vec<Item>)>,
    numbers: HashMap<(usize, usize), u64>,
    counts: Counts,
}

/// What happened.
#[derive(Default)]
pub struct Counts {
    accepted: usize,
    redeliveries: u64,
    sockets: u64,
    polls: u64,
    restarts: u64,
    sign_ins: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, redeliveries, sockets, polls, restarts, sign_ins } = self;
        write!(f, "{accepted} slices accepted and delivered, {redeliveries} redeliveries, ")?;
        write!(f, "{sockets} sockets, {polls} polls, {restarts} restarts, {sign_ins} sign-ins")
    }
}

async fn serve(app: &TestApp) -> (SocketAddr, JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let router = app.router();
    let server = tokio::spawn(async move {
        axum::serve(listener, router).await.expect("serving does not fail");
    });
    (address, server)
}

impl World {
    pub async fn new() -> Self {
        let app = TestApp::start_with(|config| {
            // Redelivered as often as it takes, soon alone, and with little on the way at a time.
            config.limits.isolate_after = 2;
            config.limits.set_aside_after = 10_000;
            config.dialects.mixin.socket_in_flight = 7;
            // Rows go to their table all the time.
            if !postgres::is_asked_for() {
                config.storage.fresh_rows = 5;
            }
        })
        .await;
        let bots = vec![app.bot("one").await, app.bot("two").await];
        let mut people = Vec::new();
        for (name, devices) in [("Anna", 2), ("Bert", 1), ("Cora", 1)] {
            people.push(app.person(name, devices).await);
        }
        let devices = people.iter().flat_map(|person| &person.devices);
        let devices = devices.map(|actor| (actor.session, Device::new(actor.clone()))).collect();
        let (address, server) = serve(&app).await;
        Self {
            app,
            server,
            address,
            bots,
            people,
            devices,
            batches: Vec::new(),
            numbers: HashMap::new(),
            counts: Counts::default(),
        }
    }

    pub async fn step(&mut self, rng: &mut ChaCha20Rng) {
        match below(rng, 100) {
            0..25 => self.send(rng).await,
            25..30 => self.repeat(rng).await,
            30..44 => self.open(rng).await,
            44..56 => self.look(rng).await,
            56..68 => self.poll(rng).await,
            68..84 => self.acknowledge(rng).await,
            84..91 => self.hang_up(rng).await,
            91..96 => self.app.clock.advance(Duration::from_secs(10 + below(rng, 90) as u64)),
            96..98 => self.sign_in_again(rng).await,
            _ => self.restart().await,
        }
        self.absorb();
    }

    /// Delivers what is left and insists that it is all there, and nothing else.
    pub async fn end(mut self) -> Counts {
        self.restart().await;
        // Every lease is over.
        self.app.clock.advance(Duration::from_secs(3600));
        let sessions: Vec<_> = self.devices.keys().copied().collect();
        for session in sessions {
            self.drain(session).await;
        }
        self.server.abort();
        self.counts
    }

    async fn drain(&mut self, session: SessionId) {
        let device = self.devices.get_mut(&session).expect("a live session");
        device.open(self.address).await;
        self.counts.sockets += device.sockets;
        while !device.book.outstanding().is_empty() {
            let open = device.socket.as_mut().expect("just opened");
            let left = device.book.outstanding().len();
            let frame = open.socket.next().await;
            let frame = frame.unwrap_or_else(|| panic!("{left} messages never came"));
            if let Some(id) = message_of(&frame) {
                device.book.deliver(id, |_| Asked::After);
            }
            let ids = ids_of(&frame);
            device.acknowledge(&self.app, &ids, Way::Socket).await;
        }
        device.socket = None;
        self.app.clock.advance(Duration::from_secs(3600));
        let device = self.devices.get_mut(&session).expect("a live session");
        assert_eq!(device.book.undelivered(), 0);
        let left = device.actor.get(&self.app, "/inbox").await;
        let left: Vec<_> = left.list().iter().filter_map(message_id).collect();
        assert!(left.is_empty(), "{left:?} came after their acknowledgement");
        self.counts.accepted += device.book.accepted();
        self.counts.redeliveries += device.book.redeliveries;
    }

    async fn send(&mut self, rng: &mut ChaCha20Rng) {
        let (bot, person) = (below(rng, self.bots.len()), below(rng, self.people.len()));
        let mut items = Vec::new();
        let mut places = Vec::new();
        for _ in 0..=below(rng, 4) {
            let number = self.numbers.entry((bot, person)).or_default();
            *number += 1;
            let id = MessageId::random(rng);
            let to = &self.people[person];
            let mut item = self.bots[bot].seal(to.user, &to.recipients(), 0, "hello");
            item["message_id"] = json!(id);
            items.push(item);
            places.push((id, Place { sender: bot, number: *number }));
        }
        let answer = self.bots[bot].send(&self.app, &items).await;
        assert!(answer.list().iter().all(|one| one["outcome"] == "accepted"), "{answer:?}");
        for actor in &self.people[person].devices {
            let device = self.devices.get_mut(&actor.session).expect("a live session");
            places.iter().for_each(|(id, place)| device.book.accept(*id, *place));
        }
        self.batches.push((bot, items));
    }

    async fn repeat(&mut self, rng: &mut ChaCha20Rng) {
        if self.batches.is_empty() {
            return;
        }
        let (bot, items) = &self.batches[below(rng, self.batches.len())];
        let answer = self.bots[*bot].send(&self.app, items).await;
        assert!(answer.list().iter().all(|one| one["outcome"] == "duplicate"), "{answer:?}");
    }

    /// A session that is chosen by chance.
    fn any(&mut self, rng: &mut ChaCha20Rng) -> &mut Device {
        let mut sessions: Vec<_> = self.devices.keys().copied().collect();
        sessions.sort_unstable();
        let session = sessions[below(rng, sessions.len())];
        self.devices.get_mut(&session).expect("a live session")
    }

    async fn open(&mut self, rng: &mut ChaCha20Rng) {
        let address = self.address;
        let device = self.any(rng);
        if device.socket.is_none() {
            device.open(address).await;
        }
    }

    /// Waits until the socket has answered, so that what was on its way has come.
    async fn look(&mut self, rng: &mut ChaCha20Rng) {
        self.any(rng).echo().await;
    }

    async fn poll(&mut self, rng: &mut ChaCha20Rng) {
        let limit = 1 + below(rng, 9);
        let mut sessions: Vec<_> = self.devices.keys().copied().collect();
        sessions.sort_unstable();
        let session = sessions[below(rng, sessions.len())];
        let device = self.devices.get_mut(&session).expect("a live session");
        // Whoever reads in two ways at once cannot tell in which order things came.
        if device.socket.is_some() {
            return;
        }
        self.counts.polls += 1;
        let path = format!("/inbox?limit={limit}");
        let answer = device.actor.get(&self.app, &path).await;
        for data in answer.list() {
            if let Some(id) = message_id(data) {
                device.book.deliver(id, |_| Asked::After);
            }
        }
    }

    async fn acknowledge(&mut self, rng: &mut ChaCha20Rng) {
        let mut sessions: Vec<_> = self.devices.keys().copied().collect();
        sessions.sort_unstable();
        let session = sessions[below(rng, sessions.len())];
        let device = self.devices.get_mut(&session).expect("a live session");
        let mut ids = device.book.open();
        ids.truncate(1 + below(rng, 6));
        if ids.is_empty() {
            return;
        }
        let way = if below(rng, 2) == 0 { Way::Http } else { Way::Socket };
        device.acknowledge(&self.app, &ids, way).await;
    }

    async fn hang_up(&mut self, rng: &mut ChaCha20Rng) {
        let politely = below(rng, 2) == 0;
        let device = self.any(rng);
        let Some(open) = device.socket.take() else { return };
        if politely {
            let Open { socket, answers_since } = open;
            let frames = socket.close().await;
            device.note(&frames, &answers_since);
        }
        device.book.lose_sight();
    }

    async fn sign_in_again(&mut self, rng: &mut ChaCha20Rng) {
        let person = below(rng, self.people.len());
        let index = below(rng, self.people[person].devices.len());
        let old = self.people[person].devices[index].session;
        let new = self.app.sign_in(self.people[person].user, Some(old)).await;
        self.devices.remove(&old);
        self.devices.insert(new.session, Device::new(new.clone()));
        self.people[person].devices[index] = new;
        self.counts.sign_ins += 1;
    }

    async fn restart(&mut self) {
        self.absorb();
        for device in self.devices.values_mut() {
            if device.socket.take().is_some() {
                device.book.lose_sight();
            }
        }
        self.server.abort();
        self.app.restart().await;
        (self.address, self.server) = serve(&self.app).await;
        self.counts.restarts += 1;
    }

    /// Notes what has come over sockets.
    fn absorb(&mut self) {
        for device in self.devices.values_mut() {
            let Some(open) = &mut device.socket else { continue };
            let frames = open.socket.take();
            let answers_since = open.answers_since.clone();
            device.note(&frames, &answers_since);
        }
    }
}

/// How an acknowledgement goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Http,
    Socket,
}

impl Device {
    fn new(actor: Actor) -> Self {
        Self { actor, book: Book::default(), socket: None, sockets: 0 }
    }

    async fn open(&mut self, address: SocketAddr) {
        self.sockets += 1;
        let socket = Socket::open(address, &self.actor, "open").await;
        self.socket = Some(Open { socket, answers_since: HashMap::new() });
    }

    fn lose_socket(&mut self) {
        self.socket = None;
        self.book.lose_sight();
    }

    async fn echo(&mut self) {
        let Some(open) = &mut self.socket else { return };
        if open.socket.ask("echo", "NOTHING_WE_KNOW", Value::Null).await.is_none() {
            self.lose_socket();
            return;
        }
        // What had come by then belongs to the time before.
        let frames = open.socket.take();
        let answers_since = open.answers_since.clone();
        open.answers_since.values_mut().for_each(|answers| *answers += 1);
        self.note(&frames, &answers_since);
    }

    fn note(&mut self, frames: &[Value], answers_since: &HashMap<MessageId, u32>) {
        let asked = |id: MessageId| match answers_since.get(&id) {
            Some(answers) if *answers < CERTAIN => Asked::Before,
            // Acknowledged before the socket was opened, or long ago.
            _ => Asked::After,
        };
        for id in frames.iter().filter_map(message_of) {
            self.book.deliver(id, asked);
        }
    }

    async fn acknowledge(&mut self, app: &TestApp, ids: &[MessageId], way: Way) {
        let list: Vec<_> =
            ids.iter().map(|id| json!({"message_id": id, "status": "READ"})).collect();
        match (&mut self.socket, way) {
            (Some(open), Way::Socket) => {
                let params = json!({"messages": list});
                let action = "ACKNOWLEDGE_MESSAGE_RECEIPTS";
                if open.socket.ask("acknowledge", action, params).await.is_none() {
                    self.lose_socket();
                    return;
                }
            }
            _ => {
                let answer = self.actor.post(app, "/acknowledgements", &json!(list)).await;
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        }
        for id in ids {
            self.book.acknowledge(*id);
            if let Some(open) = &mut self.socket {
                open.answers_since.insert(*id, 0);
            }
        }
    }
}

/// The message that a frame brings; markers of the gateway are no messages.
fn message_of(frame: &Value) -> Option<MessageId> {
    (frame["action"] == "CREATE_MESSAGE").then(|| message_id(&frame["data"])).flatten()
}

fn message_id(data: &Value) -> Option<MessageId> {
    let is_gap = data["category"] == "SYSTEM_GAP";
    (!is_gap).then(|| MessageId::parse(data["message_id"].as_str()?).ok()).flatten()
}

/// What a frame asks to have acknowledged, markers included.
fn ids_of(frame: &Value) -> Vec<MessageId> {
    let is_message = frame["action"] == "CREATE_MESSAGE";
    let id = frame["data"]["message_id"].as_str().and_then(|id| MessageId::parse(id).ok());
    id.filter(|_| is_message).into_iter().collect()
}
