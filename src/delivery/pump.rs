//! The delivery pump: wake, lease, hand on, wait for acknowledgements.
//!
//! A pump serves one reader. It holds what it has handed on until that is acknowledged, and looks
//! for more while there is room in its window. A lease that ends makes its message free for
//! anybody, this reader included. What a reader still holds when it goes is given back at once, so
//! that another one, or the same one by other means, finds it.
//!
//! The pump does no I/O of its own but with the store: its owner writes, reads, and waits for
//! [`Pump::due`]. Looks run in tasks of their own, so a call that is given up loses nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::held::{Held, Window};
use super::hub::{Listener, Wake};
use crate::domain::acknowledge::Notice;
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;
use crate::domain::ids::{MessageId, Order};
use crate::domain::inbox::{InVain, InboxKey, Leased, Release, Returned, Waiting};
use crate::domain::reader::{Credential, Reader};

/// Over how long a time readers spread their looks when so many hints were lost that everybody
/// should look.
const SPREAD: Duration = Duration::from_secs(2);

/// How long a pump waits after the store has failed.
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// How long a pump waits at most when others were faster than it each time.
const AFTER_OTHERS: Duration = Duration::from_millis(100);

/// How a reader reads.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// How much the reader holds at most.
    pub window: Window,
    /// How much comes at a time at most.
    pub page: Window,
    /// Leaves messages that are older where they are.
    pub max_age: Option<Duration>,
    /// About how long the pump trusts in hints before it looks by itself.
    pub idle: Duration,
}

/// What a pump has for its owner.
#[derive(Debug)]
pub enum Event {
    /// Messages for the reader, oldest first; it holds them now.
    Messages(Vec<Waiting>),
    /// A look found nothing new.
    Nothing,
    /// Readers have taken care of messages of this account.
    Notices(Vec<Notice>),
    /// The reader may not go on: its session or its credential has ended.
    Dismissed,
    /// This node is shutting down.
    Closing,
}

/// Delivers to one reader.
pub struct Pump {
    gateway: Arc<Gateway>,
    listener: Listener,
    reader: Reader,
    manner: Manner,
    held: Held,
    looking: Option<oneshot::Receiver<Result<Look, Fault>>>,
    /// Whether messages may be handed out at all.
    started: bool,
    /// Whether something may wait that no look has found yet.
    wanted: bool,
    /// When the pump looks by itself.
    look_at: Instant,
}

/// What a look found.
struct Look {
    welcome: bool,
    /// What was leased, if there was room for anything.
    leased: Option<Leased>,
}

impl Pump {
    /// A pump that hands nothing out before [`Self::start`].
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, listener: Listener, reader: Reader, manner: Manner) -> Self {
        let look_at = Instant::now() + around(&gateway, manner.idle);
        Self {
            gateway,
            listener,
            reader,
            manner,
            held: Held::default(),
            looking: None,
            started: false,
            wanted: false,
            look_at,
        }
    }

    /// Begins to hand messages out; once it has begun, looks again at once.
    pub fn start(&mut self) {
        self.started = true;
        self.wanted = true;
    }

    /// Waits for what comes next. Looks for messages only if `hungry`. A call that is given up
    /// loses nothing. To be called again when [`Self::due`] is over.
    ///
    /// # Errors
    /// When the store fails; the pump goes on after a while.
    pub async fn next(&mut self, hungry: bool) -> Result<Event, Fault> {
        loop {
            self.begin_look(hungry);
            let wake = match &mut self.looking {
                None => self.listener.wake().await,
                Some(looking) => tokio::select! {
                    biased;
                    wake = self.listener.wake() => wake,
                    looked = looking => {
                        self.looking = None;
                        let looked = looked.map_err(|gone| Fault::internal("looking", gone));
                        return self.finish_look(looked.flatten());
                    }
                },
            };
            match wake {
                Wake::Look => self.wanted = true,
                Wake::LookSoon => {
                    let soon = Instant::now() + within(&self.gateway, SPREAD);
                    self.look_at = self.look_at.min(soon);
                }
                Wake::Taken(ids) => self.acknowledged(&ids),
                Wake::Notices(notices) => return Ok(Event::Notices(notices)),
                Wake::SessionEnded => return Ok(Event::Dismissed),
                Wake::Closing => return Ok(Event::Closing),
            }
        }
    }

    /// When [`Self::next`] should be called again even if it has nothing.
    #[must_use]
    pub fn due(&self) -> Instant {
        if self.looking.is_some() {
            // The look itself will say when it is over.
            return Instant::now() + self.manner.idle;
        }
        let Some(end) = self.held.first_end() else {
            return self.look_at;
        };
        let left = end.as_micros().saturating_sub(self.gateway.clock.now().as_micros());
        let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
        self.look_at.min(Instant::now() + left)
    }

    /// Whether the pump is about to look, so that [`Self::next`] will not wait for a hint.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.looking.is_some() || self.wanted
    }

    /// Whether the reader still holds a message: it was neither acknowledged, nor is its lease over.
    #[must_use]
    pub fn holds(&self, order: Order) -> bool {
        self.held.holds(order, self.gateway.clock.now())
    }

    /// Notes that the reader may have got a message.
    pub fn written(&mut self, order: Order) {
        self.held.written(order);
    }

    /// Notes what the reader has taken care of; that makes room for more.
    pub fn acknowledged(&mut self, ids: &[MessageId]) {
        self.held.acknowledged(ids);
    }

    /// Lets everything stay handed out until its lease ends; for readers who got it and go.
    pub fn keep(&mut self) {
        self.held.forget();
    }

    /// Gives back what is still held.
    pub async fn close(mut self) {
        if let Some(looking) = self.looking.take()
            && let Ok(Ok(Look { leased: Some(leased), .. })) = looking.await
        {
            self.held.take(&leased);
        }
        let back = self.held.give_back(self.gateway.clock.now());
        if back.is_empty() {
            return;
        }
        let (gateway, inbox) = (self.gateway.clone(), self.reader.inbox);
        // In a task of its own: whoever waits for this may be gone before others hear of it.
        let given = tokio::spawn(async move { give_back(&gateway, inbox, back).await });
        drop(given.await);
    }

    fn begin_look(&mut self, hungry: bool) {
        if self.looking.is_some() {
            return;
        }
        let now = self.gateway.clock.now();
        let overdue = Instant::now() >= self.look_at;
        let lapsed = self.held.first_end().is_some_and(|end| end <= now);
        if lapsed {
            self.held.let_go(now);
        }
        self.wanted |= self.started && (overdue || lapsed);
        let room = self.held.room(self.manner.window).map(|room| room.within(self.manner.page));
        let room = room.filter(|_| self.wanted && hungry);
        if room.is_none() && !overdue {
            return;
        }
        if room.is_some() {
            self.wanted = false;
        }
        self.look_at = Instant::now() + around(&self.gateway, self.manner.idle);
        let (answer, looking) = oneshot::channel();
        let look = look(self.gateway.clone(), self.reader, self.manner.max_age, room);
        let (gateway, inbox) = (self.gateway.clone(), self.reader.inbox);
        tokio::spawn(async move {
            // Whoever asked may have gone meanwhile.
            if let Err(Ok(Look { leased: Some(unread), .. })) = answer.send(look.await) {
                let orders = unread.messages.iter().map(|message| message.order).collect();
                let returned = Returned { orders, until: unread.until, how: Release::Unsent };
                give_back(&gateway, inbox, vec![returned]).await;
            }
        });
        self.looking = Some(looking);
    }

    fn finish_look(&mut self, looked: Result<Look, Fault>) -> Result<Event, Fault> {
        let look = match looked {
            Ok(look) => look,
            Err(fault) => {
                let pause = AFTER_FAULT + within(&self.gateway, AFTER_FAULT);
                self.look_at = Instant::now() + pause;
                return Err(fault);
            }
        };
        if !look.welcome {
            return Ok(Event::Dismissed);
        }
        let Some(leased) = look.leased else { return Ok(Event::Nothing) };
        if leased.messages.is_empty() {
            if leased.more {
                let soon = Instant::now() + within(&self.gateway, AFTER_OTHERS);
                self.look_at = self.look_at.min(soon);
            }
            return Ok(Event::Nothing);
        }
        self.wanted |= leased.more;
        self.held.take(&leased);
        Ok(Event::Messages(leased.messages))
    }
}

impl Drop for Pump {
    /// For a pump whose owner was broken off: [`Pump::close`] leaves nothing to do.
    fn drop(&mut self) {
        let back = self.held.give_back(self.gateway.clock.now());
        if back.is_empty() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            let (gateway, inbox) = (self.gateway.clone(), self.reader.inbox);
            runtime.spawn(async move { give_back(&gateway, inbox, back).await });
        }
    }
}

async fn look(
    gateway: Arc<Gateway>,
    reader: Reader,
    max_age: Option<Duration>,
    room: Option<Window>,
) -> Result<Look, Fault> {
    // The hint about its end may have come before anybody listened, or not at all.
    let welcome = gateway.may_read_on(&reader).await?;
    let Some(room) = room.filter(|_| welcome) else {
        return Ok(Look { welcome, leased: None });
    };
    let in_vain = match reader.credential {
        Credential::Device(_) => InVain::Repeat,
        _ => InVain::SetAside,
    };
    let Window { items, bytes } = room;
    let leased = gateway.lease_page(reader.inbox, items, bytes, max_age, in_vain).await?;
    Ok(Look { welcome, leased: Some(leased) })
}

/// Gives messages back and tells whoever else reads this inbox.
async fn give_back(gateway: &Gateway, inbox: InboxKey, back: Vec<Returned>) {
    for returned in back {
        if returned.orders.is_empty() {
            continue;
        }
        if let Err(fault) = gateway.release(inbox, returned).await {
            // The leases end by themselves.
            tracing::warn!(%fault, "could not free the leases of a reader that went away");
        }
    }
}

/// A random time up to `most`.
fn within(gateway: &Gateway, most: Duration) -> Duration {
    let mut bytes = [0; 2];
    gateway.entropy.fill(&mut bytes);
    most * u32::from(u16::from_le_bytes(bytes)) / u32::from(u16::MAX)
}

/// A random time from two thirds to four thirds of `about`.
fn around(gateway: &Gateway, about: Duration) -> Duration {
    about * 2 / 3 + within(gateway, about * 2 / 3)
}

#[cfg(test)]
mod tests;
