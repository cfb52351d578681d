//! One socket of a device from its opening to its end: delivery, acknowledgements, signs of life.
//!
//! Messages are leased only when all that were leased before have been written, so a slow reader
//! holds one page of them in memory. Acknowledgements gather while others are worked on: there are
//! no more of them than messages that were shown.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::Guest;
use super::arrived;
use super::language::Said;
use super::seats::Seat;
use super::shown::{self, Shown};
use super::{BAD_CREDENTIALS, FAREWELL};
use crate::delivery::Window;
use crate::delivery::pump::{Event, Manner, Pump};
use crate::dialect::textsecure::TextSecureState;
use crate::dialect::textsecure::auth::Caller;
use crate::dialect::textsecure::envelope::{self, Envelope};
use crate::domain::error::Fault;
use crate::domain::inbox::Waiting;
use crate::domain::phone::sending::TEXTSECURE;
use crate::http::fault_log;
use crate::http::leftovers::{Whose, log_late};
use crate::http::wire::{Heard, Turn, Wire};

/// How long a client may refuse to read.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long acknowledgements may take, and how long a socket that ends waits for them.
const WORK: Duration = Duration::from_secs(30);

/// About how long a socket trusts in hints before it looks by itself.
const IDLE: Duration = Duration::from_secs(30);

/// What a client may hold unacknowledged.
const WINDOW: Window = Window { items: 200, bytes: 4 * 1024 * 1024 };

/// What is handed out at a time.
const PAGE: Window = Window { items: 50, bytes: 256 * 1024 };

/// How many answers wait to be written before no more is read.
const ANSWERS: usize = 8;

type Work = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>;

struct Session<Io> {
    state: Arc<TextSecureState>,
    guest: Arc<Guest>,
    seat: Seat,
    wire: Wire<Io>,
    pump: Pump,
    shown: Shown,
    unwritten: VecDeque<Waiting>,
    answers: VecDeque<Message>,
    /// What was acknowledged and is not worked on yet.
    acknowledged: Vec<shown::Message>,
    work: Option<Work>,
    end: Option<End>,
}

/// Why a socket ends.
enum End {
    /// The peer is gone, or as good as gone.
    Gone,
    /// The peer breaks the rules.
    Broken(CloseCode, &'static str),
    /// The device may not go on.
    Dismissed,
    /// The device has a newer socket.
    Replaced,
    /// This node is shutting down.
    Closing,
}

impl End {
    fn farewell(&self) -> (CloseCode, &'static str) {
        match self {
            Self::Gone => (CloseCode::Normal, ""),
            Self::Broken(code, reason) => (*code, reason),
            Self::Dismissed => (BAD_CREDENTIALS, "the device is no more"),
            Self::Replaced => (CloseCode::Normal, "the device has a newer socket"),
            Self::Closing => (CloseCode::Away, "the gateway is stopping"),
        }
    }
}

/// Serves a socket until it ends. No `async fn`: what it is made of would be kept beside the session
/// itself for as long as the socket is open.
pub(super) fn run<Io>(
    state: Arc<TextSecureState>,
    guest: Guest,
    seat: Seat,
    wire: Wire<Io>,
) -> impl Future<Output = ()>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let reader = guest.caller.reader();
    let listener = state.hub.listen(reader.inbox.session);
    let manner = Manner { window: WINDOW, page: PAGE, max_age: None, idle: IDLE };
    let gateway = state.switchboard.gateway.clone();
    let session = Session {
        state,
        seat,
        wire,
        pump: Pump::new(gateway, listener, reader, manner),
        shown: Shown::new(guest.language.first_id()),
        guest: Arc::new(guest),
        unwritten: VecDeque::new(),
        answers: VecDeque::new(),
        acknowledged: Vec::new(),
        work: None,
        end: None,
    };
    session.run()
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Session<Io> {
    async fn run(mut self) {
        // What the older socket holds goes back first, so that all comes in order.
        self.seat.alone().await;
        self.pump.start();
        let mut timer = std::pin::pin!(sleep_until(self.next_deadline()));
        while self.end.is_none() {
            self.begin_work();
            let deadline = self.next_deadline();
            if deadline < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(deadline);
            }
            let (reading, has_frame) = (self.is_reading(), self.has_frame());
            let hungry = self.unwritten.is_empty();
            tokio::select! {
                turn = self.wire.turn(reading, has_frame) => self.on_turn(turn),
                event = self.pump.next(hungry) => self.on_event(event),
                done = worked(&mut self.work) => self.on_done(done),
                () = self.seat.taken_away() => self.end = Some(End::Replaced),
                () = timer.as_mut() => {}
            }
            self.check_patience();
        }
        // On the heap, as all that a socket does once.
        Box::pin(self.finish()).await;
    }

    /// Does what was asked for, gives back what was not acknowledged, and says good-bye.
    async fn finish(mut self) {
        let rest = async {
            while self.work.is_some() || !self.acknowledged.is_empty() {
                self.begin_work();
                let done = worked(&mut self.work).await;
                self.on_done(done);
            }
        };
        drop(timeout(WORK, rest).await);
        let has_left = self.shown.len() > 0 || !self.unwritten.is_empty();
        let Self { wire, pump, seat, end, state, guest, .. } = self;
        pump.close().await;
        drop(seat);
        // While the socket was there, nobody woke the device; it may have been dead for long.
        if has_left && !matches!(end, Some(End::Closing)) {
            let Caller { phone, device, .. } = &guest.caller;
            if let Err(fault) = state.switchboard.left(&phone.number, device.session).await {
                tracing::debug!("nobody was woken: {}", fault_log::chain(&fault));
            }
        }
        let (code, reason) = end.unwrap_or(End::Gone).farewell();
        wire.close(None, code, reason, FAREWELL).await;
    }

    fn on_turn(&mut self, turn: Turn) {
        let heard = match turn {
            Turn::Heard(heard) => Some(heard),
            Turn::Writable => self.next_frame().and_then(|frame| self.wire.write(frame)),
        };
        let language = self.guest.language;
        match heard {
            None | Some(Heard::Sign) => {}
            Some(Heard::Text(text)) => self.on_said(language.text(&text)),
            Some(Heard::Frame(frame)) => self.on_said(language.binary(frame)),
            // No frame may be so large that it asks first.
            Some(Heard::Large(_)) => {
                self.end = Some(End::Broken(CloseCode::Size, "the message is too large"));
            }
            Some(Heard::Gone) => self.end = Some(End::Gone),
            Some(Heard::Broken(code, reason)) => self.end = Some(End::Broken(code, reason)),
        }
    }

    fn on_said(&mut self, said: Said) {
        match said {
            Said::Acknowledged(id) => self.acknowledged.extend(self.shown.take(id)),
            Said::Asked(answer, refusal) => match self.state.gate.frame(self.guest.visitor()) {
                Ok(()) => self.answers.push_back(answer),
                Err(_) => self.answers.extend(refusal),
            },
            Said::Nothing => {}
            Said::Broken(code, reason) => self.end = Some(End::Broken(code, reason)),
        }
    }

    fn on_event(&mut self, event: Result<Event, Fault>) {
        match event {
            Ok(Event::Messages(messages)) => self.receive(messages),
            Ok(Event::Nothing | Event::Notices(_)) => {}
            Ok(Event::Dismissed) => self.end = Some(End::Dismissed),
            Ok(Event::Closing) => self.end = Some(End::Closing),
            // Many sockets meet the same trouble; requests tell of it in the log.
            Err(fault) => tracing::debug!("could not look: {}", fault_log::chain(&fault)),
        }
    }

    /// Takes messages over. What these clients cannot read, the gateway's own markers, is taken care
    /// of without them.
    fn receive(&mut self, messages: Vec<Waiting>) {
        for message in messages {
            if message.category == TEXTSECURE {
                self.unwritten.push_back(message);
                continue;
            }
            let Waiting { order, message_id: id, .. } = message;
            self.acknowledged.push(shown::Message { order, id, envelope: None });
        }
    }

    fn on_done(&mut self, done: Result<(), Fault>) {
        self.work = None;
        if let Err(fault) = done {
            tracing::warn!("could not take messages out: {}", fault_log::chain(&fault));
        }
    }

    fn begin_work(&mut self) {
        if self.work.is_some() || self.acknowledged.is_empty() {
            return;
        }
        let messages = std::mem::take(&mut self.acknowledged);
        let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
        self.unwritten.retain(|waiting| !ids.contains(&waiting.message_id));
        let (state, guest) = (self.state.clone(), self.guest.clone());
        let leftovers = state.leftovers.clone();
        let work = async move { arrived::acknowledge(&state, &guest.caller, messages).await };
        // A client that goes away does not undo what it has said.
        let whose = Whose::Account(Some(self.guest.caller.phone.account));
        let work = leftovers.finishing(whose, Box::pin(work), |outcome| {
            if let Err(fault) = outcome {
                log_late(&fault);
            }
        });
        self.work = Some(Box::pin(async move {
            let late = || Fault::unavailable("acknowledging took too long", None);
            timeout(WORK, work).await.unwrap_or_else(|_| Err(late()))
        }));
    }

    /// What is written next: what was asked for, then what comes.
    fn next_frame(&mut self) -> Option<Message> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        let message = self.unwritten.pop_front()?;
        // Its lease may have ended while the client was slow.
        if !self.pump.holds(message.order) {
            return None;
        }
        self.pump.written(message.order);
        match self.show(&message) {
            Ok(frame) => Some(frame),
            Err(fault) => {
                tracing::error!("could not write a message: {}", fault_log::chain(&fault));
                None
            }
        }
    }

    /// The frame that brings a message, under a new id.
    fn show(&mut self, message: &Waiting) -> Result<Message, Fault> {
        let broken = |error| Fault::internal("reading an envelope", error);
        let envelope = Envelope::decode(message.slot.clone()).map_err(broken)?;
        let (device, switchboard) = (&self.guest.caller.device, &self.state.switchboard);
        let key = device.open_signalling_key(&switchboard.vault)?;
        let mut iv = [0; 16];
        switchboard.gateway.entropy.fill(&mut iv);
        let sealed = envelope::encrypt(&key, iv, &message.slot);
        if self.shown.len() >= WINDOW.items as usize {
            self.shown.keep(|order| self.pump.holds(order));
        }
        let id = self.shown.add(shown::Message {
            order: message.order,
            id: message.message_id,
            envelope: Some(Envelope { message: None, content: None, ..envelope }),
        });
        Ok(self.guest.language.message(id, sealed))
    }

    fn check_patience(&mut self) {
        let now = Instant::now();
        let silent = self.is_reading() && now >= self.read_deadline();
        let stuck = self.wire.stuck_since().is_some_and(|since| now >= since + PATIENCE);
        if self.end.is_none() && (silent || stuck) {
            self.end = Some(End::Gone);
        }
        if !self.is_reading() {
            // Nobody is silent whom we do not listen to.
            self.wire.excuse(now);
        }
    }

    fn next_deadline(&self) -> Instant {
        // What is not read has no time to keep.
        let excused = || Instant::now() + PATIENCE;
        let deadline = if self.is_reading() { self.read_deadline() } else { excused() };
        let stuck = self.wire.stuck_since().map_or(deadline, |since| since + PATIENCE);
        deadline.min(stuck).min(self.pump.due())
    }

    /// When the peer has been silent, or too slow, for too long.
    fn read_deadline(&self) -> Instant {
        let silent = self.wire.heard_at() + self.guest.language.idle();
        self.wire.due().map_or(silent, |due| due.min(silent))
    }

    fn is_reading(&self) -> bool {
        self.answers.len() < ANSWERS && self.end.is_none()
    }

    fn has_frame(&self) -> bool {
        !self.answers.is_empty() || !self.unwritten.is_empty()
    }
}

/// What the work at hand leads to; never over when there is none.
async fn worked(work: &mut Option<Work>) -> Result<(), Fault> {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
