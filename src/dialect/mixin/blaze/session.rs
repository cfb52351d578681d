//! One socket from its opening to its end: requests, delivery, pings, and why it closes.
//!
//! Requests are worked on one at a time, in order. While one is worked on the next may be read, no
//! further, so a client cannot make us pile up its requests; delivery and pings go on meanwhile.
//! Messages are leased only when all that were leased before have been written, so a slow reader
//! holds one page of them in memory.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::Guest;
use super::actions::{self, Reply};
use super::frames;
use crate::delivery::Window;
use crate::delivery::hub::NOTICES;
use crate::delivery::pump::{Event, Manner, Pump};
use crate::dialect::mixin::MixinState;
use crate::dialect::mixin::error::api_error;
use crate::domain::acknowledge::Notice;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::inbox::Waiting;
use crate::http::fault_log;
use crate::http::gate::BodyRoom;
use crate::http::leftovers::{Whose, log_late};
use crate::http::wire::{Heard, Turn, Wire};

/// Between two pings. One public client drops a connection after 30 s without one.
const PING: Duration = Duration::from_secs(12);

/// How long a peer may be silent, and how long it may refuse to read.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a request may take.
const REQUEST: Duration = Duration::from_secs(30);

/// How long a peer may take to say good-bye.
const FAREWELL: Duration = Duration::from_secs(1);

/// About how long a socket trusts in hints before it looks by itself. Thousands of them are open.
const IDLE: Duration = Duration::from_secs(30);

/// What is handed out at a time.
const PAGE: Window = Window { items: 50, bytes: 256 * 1024 };

/// What a client may hold unacknowledged, in bytes of bodies.
const HELD_BYTES: u64 = 4 * 1024 * 1024;

type Work = Pin<Box<dyn Future<Output = Result<Reply, Fault>> + Send>>;

struct Session<Io> {
    state: Arc<MixinState>,
    guest: Arc<Guest>,
    wire: Wire<Io>,
    pump: Pump,
    /// What was set aside for the message that is being read, if it is large.
    room: Option<Room>,
    /// Why only its beginning is read, if there was no room for it.
    refused: Option<Fault>,
    /// A request that was read and is not worked on yet.
    request: Option<Request>,
    work: Option<Work>,
    answer: Option<Vec<u8>>,
    notices: VecDeque<Notice>,
    unwritten: VecDeque<Waiting>,
    listening_since: Timestamp,
    pinged_at: Instant,
    end: Option<End>,
}

enum Request {
    Frame(Bytes, Option<Room>),
    /// The beginning of one, and why there is not more of it.
    Refused(Bytes, Option<Room>, Fault),
    Text,
}

/// Room for a large message.
pub(super) struct Room {
    memory: Box<BodyRoom>,
    /// How many bytes its account has paid for.
    pub(super) paid: u64,
}

/// Why a socket ends.
enum End {
    /// The peer is gone, or as good as gone.
    Gone,
    /// The peer breaks the rules.
    Broken(CloseCode, &'static str),
    /// The peer may not go on.
    Dismissed,
    /// This node is shutting down; what is being worked on is finished.
    Closing,
    /// A mistake of ours.
    Failed,
}

/// Serves a socket until it ends. No `async fn`: what it is made of would be kept beside the session
/// itself for as long as the socket is open.
pub(super) fn run<Io>(
    state: Arc<MixinState>,
    guest: Guest,
    wire: Wire<Io>,
) -> impl Future<Output = ()>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let reader = guest.caller.reader();
    let listener = state.hub.listen_with_notices(reader.inbox.session, reader.account);
    let window = Window { items: state.settings.socket_in_flight, bytes: HELD_BYTES };
    let manner = Manner { window, page: PAGE, max_age: None, idle: IDLE };
    let pump = Pump::new(state.gateway.clone(), listener, reader, manner);
    let now = Instant::now();
    let session = Session {
        listening_since: state.gateway.clock.now(),
        state,
        guest: Arc::new(guest),
        wire,
        pump,
        room: None,
        refused: None,
        request: None,
        work: None,
        answer: None,
        notices: VecDeque::new(),
        unwritten: VecDeque::new(),
        pinged_at: now,
        end: None,
    };
    session.run()
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Session<Io> {
    async fn run(mut self) {
        let mut timer = std::pin::pin!(sleep_until(self.next_deadline()));
        while !self.is_over() {
            self.begin_work();
            let deadline = self.next_deadline();
            if deadline < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(deadline);
            }
            let (reading, has_frame) = (self.is_reading(), self.has_frame());
            let hungry = self.unwritten.is_empty();
            tokio::select! {
                turn = self.wire.turn(reading, has_frame) => self.on_turn(turn),
                event = self.pump.next(hungry), if self.end.is_none() => self.on_event(event),
                reply = worked(&mut self.work) => self.on_reply(reply),
                () = timer.as_mut() => {}
            }
            self.check_patience();
        }
        // On the heap, as all that a socket does once.
        Box::pin(self.finish()).await;
    }

    /// Gives back what was not acknowledged, at once, and says good-bye.
    async fn finish(self) {
        let Self { state, wire, pump, end, .. } = self;
        pump.close().await;
        let (last, code, reason) = match end {
            None | Some(End::Gone) => (None, CloseCode::Normal, ""),
            Some(End::Broken(code, reason)) => (None, code, reason),
            Some(End::Closing) => (None, CloseCode::Away, "the gateway is stopping"),
            Some(End::Failed) => (None, CloseCode::Error, "the gateway made a mistake"),
            Some(End::Dismissed) => {
                let fault = Fault::unauthorized("the session or the token has ended");
                let frame = frames::error(&state.gateway, api_error(&fault)).ok();
                (
                    frame.map(|frame| Message::Binary(frame.into())),
                    CloseCode::Policy,
                    "the session or the token has ended",
                )
            }
        };
        wire.close(last, code, reason, FAREWELL).await;
    }

    fn on_turn(&mut self, turn: Turn) {
        let heard = match turn {
            Turn::Heard(heard) => Some(heard),
            Turn::Writable => self.next_frame().and_then(|frame| self.wire.write(frame)),
        };
        let Some(heard) = heard else { return };
        match heard {
            Heard::Sign => {}
            Heard::Frame(frame) => {
                let room = self.room.take();
                self.request = Some(match self.refused.take() {
                    Some(fault) => Request::Refused(frame, room, fault),
                    None => Request::Frame(frame, room),
                });
            }
            Heard::Text(_) => {
                (self.room, self.refused) = (None, None);
                self.request = Some(Request::Text);
            }
            Heard::Large(bytes) => self.make_room(bytes),
            Heard::Gone => self.end = Some(End::Gone),
            Heard::Broken(code, reason) => self.end = Some(End::Broken(code, reason)),
        }
    }

    /// Lets the message that is being read come, or has only its beginning read, to answer it.
    fn make_room(&mut self, bytes: u64) {
        match self.set_room_aside(bytes) {
            Ok(()) => self.wire.grant(bytes),
            Err(fault) => {
                self.refused = Some(fault);
                self.wire.refuse();
            }
        }
    }

    /// Sets memory aside for the message that is being read, and counts its bytes, as for any other
    /// body: what never becomes whole is paid for as well.
    fn set_room_aside(&mut self, bytes: u64) -> Result<(), Fault> {
        let (gate, visitor) = (&self.state.gate, &self.guest.visitor);
        if let Some(room) = &mut self.room {
            gate.grow(&mut room.memory, bytes)?;
            gate.bytes(visitor, bytes.saturating_sub(room.paid))?;
            room.paid = bytes;
            return Ok(());
        }
        let memory = Box::new(gate.growing_body_room(visitor, bytes)?);
        gate.bytes(visitor, bytes)?;
        self.room = Some(Room { memory, paid: bytes });
        Ok(())
    }

    fn on_event(&mut self, event: Result<Event, Fault>) {
        match event {
            Ok(Event::Messages(messages)) => self.unwritten.extend(messages),
            Ok(Event::Notices(notices)) => {
                self.notices.extend(notices);
                self.notices.truncate(NOTICES);
            }
            Ok(Event::Nothing) => {}
            Ok(Event::Dismissed) => self.end = Some(End::Dismissed),
            Ok(Event::Closing) => self.end = Some(End::Closing),
            // Thousands of sockets meet the same trouble; requests tell of it in the log.
            Err(fault) => tracing::debug!("could not look: {}", fault_log::chain(&fault)),
        }
    }

    fn on_reply(&mut self, reply: Result<Reply, Fault>) {
        self.work = None;
        let reply = match reply {
            Ok(reply) => reply,
            Err(fault) => {
                tracing::error!("could not answer on a socket: {}", fault_log::chain(&fault));
                self.end = Some(End::Failed);
                return;
            }
        };
        if reply.dismissed {
            self.end = Some(End::Dismissed);
            return;
        }
        self.answer = Some(reply.frame);
        if !reply.acknowledged.is_empty() {
            self.pump.acknowledged(&reply.acknowledged);
            self.unwritten.retain(|one| !reply.acknowledged.contains(&one.message_id));
        }
        if reply.deliver {
            self.listening_since = self.state.gateway.clock.now();
            self.pump.start();
        }
    }

    fn begin_work(&mut self) {
        if self.work.is_some() || self.answer.is_some() || self.end.is_some() {
            return;
        }
        let Some(request) = self.request.take() else { return };
        let (state, guest) = (self.state.clone(), self.guest.clone());
        let leftovers = state.leftovers.clone();
        let work = async move {
            match request {
                Request::Frame(frame, room) => actions::handle(&state, &guest, frame, room).await,
                Request::Refused(part, _room, fault) => {
                    actions::refuse(&state, &guest, &part, fault).await
                }
                Request::Text => actions::text(&state, &guest),
            }
        };
        // A client that goes away does not undo what it has asked for.
        let whose = Whose::Account(self.guest.visitor.account);
        let work = leftovers.finishing(whose, Box::pin(work), |outcome| {
            if let Err(fault) = outcome {
                log_late(&fault);
            }
        });
        self.work = Some(Box::pin(async move {
            let late = || Fault::unavailable("a request on a socket took too long", None);
            timeout(REQUEST, work).await.unwrap_or_else(|_| Err(late()))
        }));
    }

    /// What is written next: what keeps the connection, then what was asked for, then what comes.
    fn next_frame(&mut self) -> Option<Message> {
        if self.is_ping_due() {
            self.pinged_at = Instant::now();
            return Some(Message::Ping(Bytes::new()));
        }
        if let Some(answer) = self.answer.take() {
            return Some(Message::Binary(answer.into()));
        }
        let gateway = &self.state.gateway;
        let frame = match self.notices.pop_front() {
            Some(notice) => frames::notice(gateway, &notice),
            None => {
                let message = self.unwritten.pop_front()?;
                // Its lease may have ended while the client was slow.
                if !self.pump.holds(message.order) {
                    return None;
                }
                self.pump.written(message.order);
                frames::message(&message, self.listening_since)
            }
        };
        match frame {
            Ok(frame) => Some(Message::Binary(frame.into())),
            Err(fault) => {
                tracing::error!("could not write a frame: {}", fault_log::chain(&fault));
                None
            }
        }
    }

    fn check_patience(&mut self) {
        let now = Instant::now();
        let silent = self.is_reading() && now >= self.read_deadline();
        let stuck = self.wire.stuck_since().is_some_and(|since| now >= since + PATIENCE);
        if silent || stuck {
            self.end = Some(End::Gone);
        }
        if !self.is_reading() {
            // Nobody is silent whom we do not listen to.
            self.wire.excuse(now);
        }
    }

    fn next_deadline(&self) -> Instant {
        // What is not read has no time to keep.
        let excused = Instant::now() + PATIENCE;
        let mut deadline = if self.is_reading() { self.read_deadline() } else { excused };
        if let Some(since) = self.wire.stuck_since() {
            deadline = deadline.min(since + PATIENCE);
        }
        if !self.is_ping_due() {
            deadline = deadline.min(self.pinged_at + PING);
        }
        match self.end {
            None => deadline.min(self.pump.due()),
            Some(_) => deadline,
        }
    }

    /// When the peer has been silent, or too slow, for too long.
    fn read_deadline(&self) -> Instant {
        let silent = self.wire.heard_at() + PATIENCE;
        self.wire.due().map_or(silent, |due| due.min(silent))
    }

    fn is_ping_due(&self) -> bool {
        Instant::now() >= self.pinged_at + PING
    }

    fn is_reading(&self) -> bool {
        self.request.is_none() && self.end.is_none()
    }

    fn has_frame(&self) -> bool {
        let delivering = self.end.is_none() && !self.unwritten.is_empty();
        self.answer.is_some() || !self.notices.is_empty() || delivering || self.is_ping_due()
    }

    fn is_over(&self) -> bool {
        match self.end {
            None => false,
            Some(End::Closing) => self.work.is_none() && self.answer.is_none(),
            Some(_) => true,
        }
    }
}

/// What the work at hand leads to; never over when there is none.
async fn worked(work: &mut Option<Work>) -> Result<Reply, Fault> {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod large_tests;
#[cfg(test)]
mod tests;
