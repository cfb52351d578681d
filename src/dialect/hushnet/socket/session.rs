//! One socket from its opening to its end: events out, signs of life in.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::seats::Displaced;
use super::{Guest, events};
use crate::delivery::hub::{MemberListener, Told};
use crate::dialect::hushnet::auth::Verified;
use crate::domain::error::Fault;
use crate::domain::messenger::{MemberEvent, Messenger};
use crate::http::fault_log;
use crate::http::gate::Gate;
use crate::http::wire::{Heard, Turn, Wire};

/// After so long a silence a peer is asked whether it is there. Clients of this protocol say nothing
/// by themselves.
const PING: Duration = Duration::from_secs(25);

/// After so long a silence it is not.
const SILENCE: Duration = Duration::from_secs(55);

/// How long a client may refuse to read.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a socket looks whether its device may still have it: that hint, too, may be lost.
const RECHECK: Duration = Duration::from_secs(5 * 60);

/// How long looking may take.
const WORK: Duration = Duration::from_secs(30);

/// Sockets that all missed something look within so many milliseconds, not at once.
const SPREAD: u64 = 1_000;

/// How long a peer may take to say good-bye.
const FAREWELL: Duration = Duration::from_secs(1);

/// The outcome of a look at the store: what to tell, or nothing when the device is no more.
type Looked = Result<Option<Vec<MemberEvent>>, Fault>;

type Work = Pin<Box<dyn Future<Output = Looked> + Send>>;

/// What a socket works with.
pub(super) struct Means {
    pub(super) messenger: Arc<Messenger>,
    pub(super) gate: Arc<Gate>,
    pub(super) verified: Arc<Verified>,
    pub(super) listener: MemberListener,
    /// Tells that another socket has taken this one's seat.
    pub(super) displaced: Option<Displaced>,
}

struct Session<Io> {
    means: Means,
    guest: Guest,
    wire: Wire<Io>,
    /// What waits to be written.
    frames: VecDeque<Message>,
    work: Option<Work>,
    /// When the peer was last asked whether it is there.
    asked_at: Option<Instant>,
    recheck_at: Instant,
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
    /// Another socket has its seat.
    Displaced,
    /// This node is shutting down.
    Closing,
}

impl End {
    fn farewell(&self) -> (CloseCode, &'static str) {
        match self {
            Self::Gone => (CloseCode::Normal, ""),
            Self::Broken(code, reason) => (*code, reason),
            Self::Dismissed => (CloseCode::Policy, "the device is no more"),
            Self::Displaced => {
                (CloseCode::Policy, "another socket of the user has this one's place")
            }
            Self::Closing => (CloseCode::Away, "the gateway is stopping"),
        }
    }
}

/// Serves a socket until it ends. No `async fn`: what it is made of would be kept beside the session
/// itself for as long as the socket is open.
pub(super) fn run<Io>(means: Means, guest: Guest, wire: Wire<Io>) -> impl Future<Output = ()>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let session = Session {
        means,
        guest,
        wire,
        frames: VecDeque::new(),
        work: None,
        asked_at: None,
        recheck_at: Instant::now() + RECHECK,
        end: None,
    };
    session.run()
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Session<Io> {
    async fn run(mut self) {
        let mut timer = std::pin::pin!(sleep_until(self.next_deadline()));
        while self.end.is_none() {
            let deadline = self.next_deadline();
            if deadline < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(deadline);
            }
            let has_frame = !self.frames.is_empty();
            // While it looks at everything, what is new waits behind that.
            let hungry = !has_frame && self.work.is_none();
            tokio::select! {
                turn = self.wire.turn(true, has_frame) => self.on_turn(turn),
                told = self.means.listener.told(hungry) => self.on_told(told),
                looked = worked(&mut self.work) => self.on_looked(looked),
                () = displaced(&mut self.means.displaced) => self.end = Some(End::Displaced),
                () = timer.as_mut() => {}
            }
            self.check_time();
        }
        if !matches!(self.end, Some(End::Dismissed)) {
            self.stay_known();
        }
        let (code, reason) = self.end.unwrap_or(End::Gone).farewell();
        // On the heap, as all that a socket does once.
        Box::pin(self.wire.close(None, code, reason, FAREWELL)).await;
    }

    fn on_turn(&mut self, turn: Turn) {
        let heard = match turn {
            Turn::Heard(heard) => Some(heard),
            Turn::Writable => self.next_frame().and_then(|frame| self.wire.write(frame)),
        };
        match heard {
            None | Some(Heard::Sign) => {}
            // Nothing that a client could say means anything, but it may say that it is there.
            Some(Heard::Text(_) | Heard::Frame(_)) => {
                if self.means.gate.frame(&self.guest.visitor).is_err() {
                    self.end = Some(End::Broken(CloseCode::Policy, "too many messages"));
                }
            }
            Some(Heard::Large(_)) => {
                self.end = Some(End::Broken(CloseCode::Size, "the message is too large"));
            }
            Some(Heard::Gone) => self.end = Some(End::Gone),
            Some(Heard::Broken(code, reason)) => self.end = Some(End::Broken(code, reason)),
        }
    }

    fn on_told(&mut self, told: Told) {
        match told {
            Told::Event(event) => self.tell(&event),
            Told::Missed => {
                let wait = self.guest.device.0.unsigned_abs() % SPREAD;
                self.look(Duration::from_millis(wait));
            }
            Told::Ended => self.end = Some(End::Dismissed),
            Told::Closing => self.end = Some(End::Closing),
        }
    }

    fn tell(&mut self, event: &MemberEvent) {
        match events::write(event, self.guest.contract) {
            Ok(text) => self.frames.push_back(Message::Text(text.into())),
            Err(error) => tracing::error!("could not write an event: {error}"),
        }
    }

    fn on_looked(&mut self, looked: Looked) {
        self.work = None;
        match looked {
            Ok(Some(events)) => {
                self.stay_known();
                events.iter().for_each(|event| self.tell(event));
            }
            Ok(None) => self.end = Some(End::Dismissed),
            // Many sockets meet the same trouble; requests tell of it in the log.
            Err(fault) => tracing::debug!("could not look: {}", fault_log::chain(&fault)),
        }
    }

    /// Notes that the device is where it is: clients that never show credentials to a socket sign
    /// nothing for a long time when nothing happens, and come back when their connection was cut.
    fn stay_known(&self) {
        let (Means { verified, messenger, .. }, guest) = (&self.means, &self.guest);
        if let (false, Some(account)) = (guest.is_signed, guest.visitor.account) {
            let now = messenger.gateway.clock.now();
            verified.was_here(account, guest.device, guest.visitor.address, now);
        }
    }

    /// Begins to look at all that there is for the member.
    fn look(&mut self, wait: Duration) {
        let (messenger, guest) = (self.means.messenger.clone(), self.guest.clone());
        self.work = Some(Box::pin(async move {
            sleep(wait).await;
            in_time(messenger.missed(guest.user, guest.device)).await
        }));
    }

    /// Begins to look whether the device may still have its socket.
    fn recheck(&mut self) {
        let (messenger, device) = (self.means.messenger.clone(), self.guest.device);
        self.work = Some(Box::pin(in_time(async move {
            let is_live = messenger.gateway.store.member_device_is_live(device).await?;
            Ok(is_live.then(Vec::new))
        })));
    }

    fn next_frame(&mut self) -> Option<Message> {
        let frame = self.frames.pop_front();
        if self.frames.is_empty() {
            // Thousands are open, and most have nothing to say.
            self.frames = VecDeque::new();
        }
        frame
    }

    fn check_time(&mut self) {
        let now = Instant::now();
        let stuck = self.wire.stuck_since().is_some_and(|since| now >= since + PATIENCE);
        if self.end.is_none() && (stuck || now >= self.read_deadline()) {
            self.end = Some(End::Gone);
        }
        if self.ask_at().is_some_and(|at| now >= at) {
            self.asked_at = Some(now);
            self.frames.push_back(Message::Ping(Bytes::new()));
        }
        if now >= self.recheck_at {
            self.recheck_at = now + RECHECK;
            if self.work.is_none() {
                self.recheck();
            }
        }
    }

    fn next_deadline(&self) -> Instant {
        let deadline = self.ask_at().unwrap_or_else(|| self.read_deadline());
        let stuck = self.wire.stuck_since().map(|since| since + PATIENCE);
        let deadline = stuck.map_or(deadline, |stuck| stuck.min(deadline));
        let due = self.wire.due().map_or(deadline, |due| due.min(deadline));
        due.min(self.recheck_at)
    }

    /// When the peer is to be asked; `None` when it was, since it was last heard.
    fn ask_at(&self) -> Option<Instant> {
        let heard_at = self.wire.heard_at();
        let was_asked = self.asked_at.is_some_and(|asked_at| asked_at > heard_at);
        (!was_asked).then(|| heard_at + PING)
    }

    /// When the peer has been silent, or too slow, for too long.
    fn read_deadline(&self) -> Instant {
        let silent = self.wire.heard_at() + SILENCE;
        self.wire.due().map_or(silent, |due| due.min(silent))
    }
}

/// Over when another socket has taken the seat.
async fn displaced(displaced: &mut Option<Displaced>) {
    let is_displaced = match displaced {
        Some(displaced) => displaced.await.is_ok(),
        None => false,
    };
    if !is_displaced {
        std::future::pending::<()>().await;
    }
}

/// What a look leads to; never over when there is none.
async fn worked(work: &mut Option<Work>) -> Looked {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

async fn in_time(look: impl Future<Output = Looked>) -> Looked {
    let late = || Fault::unavailable("looking took too long", None);
    timeout(WORK, look).await.unwrap_or_else(|_| Err(late()))
}

#[cfg(test)]
mod tests;
