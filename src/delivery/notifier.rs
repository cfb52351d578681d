//! Notifications on their way out: a queue with an end, worked off by a few tasks.
//!
//! Each device has a line of its own, and one notification of it is on its way at a time: they
//! leave in order. Whoever is not reached is left alone for a while: a device, and a host that a
//! device has named and that does not answer. Those hosts have tasks of their own, so they keep
//! nobody busy who asks the services that the operator has set up. What finds no room is dropped;
//! the message itself waits in the inbox.

mod hosts;
mod lines;
mod pauses;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use self::hosts::Hosts;
use self::lines::{Added, Lane, Lines, Outcome};
use super::hub::Hub;
use crate::domain::error::Fault;
use crate::domain::phone::notifying::{Dress, Note};
use crate::domain::phone::{Device, Phone, Switchboard};
use crate::domain::ports::{self, Pushed};

/// Notifications on their way at the same time to services that the operator has set up.
const TO_SERVICES: usize = 16;

/// The same to endpoints that devices name.
const TO_ENDPOINTS: usize = 8;

/// How long one may be on its way, whatever the bounds of those who carry it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who carries notifications.
#[async_trait]
pub trait Carrier: Send + Sync + 'static {
    /// The host that would be asked, if the device has named it.
    fn host(&self, note: &Note) -> Option<String>;

    /// Carries a notification.
    ///
    /// # Errors
    /// When it cannot leave.
    async fn carry(&self, note: Note) -> Result<Pushed, Fault>;
}

/// Carries notifications in a dialect's dress.
pub struct Dressed {
    /// Who knows the devices, and the services.
    pub switchboard: Arc<Switchboard>,
    /// What becomes of envelopes.
    pub dress: Dress,
}

#[async_trait]
impl Carrier for Dressed {
    fn host(&self, note: &Note) -> Option<String> {
        self.switchboard.host(note)
    }

    async fn carry(&self, note: Note) -> Result<Pushed, Fault> {
        self.switchboard.carry(note, self.dress).await
    }
}

/// Takes notifications and sees to it that they leave.
pub struct Notifier {
    hub: Arc<Hub>,
    queue: Mutex<Queue>,
    /// One permit for each line that stands ready.
    services: Semaphore,
    endpoints: Semaphore,
    /// Told when somebody is held.
    held: Notify,
}

#[derive(Default)]
struct Queue {
    lines: Lines,
    hosts: Hosts,
}

impl Notifier {
    /// An empty queue. Nothing leaves before [`Self::run`].
    #[must_use]
    pub fn new(hub: Arc<Hub>) -> Self {
        let (services, endpoints) = (Semaphore::new(0), Semaphore::new(0));
        Self { hub, queue: Mutex::default(), services, endpoints, held: Notify::new() }
    }

    /// Carries notifications for ever; the caller ends it by dropping it.
    pub async fn run(self: Arc<Self>, carrier: Arc<impl Carrier>) {
        tokio::join!(
            self.employ(Lane::Services, TO_SERVICES, &carrier),
            self.employ(Lane::Endpoints, TO_ENDPOINTS, &carrier),
            self.release(),
        );
    }

    /// Keeps so many tasks at work, whatever happens to one.
    async fn employ(self: &Arc<Self>, lane: Lane, tasks: usize, carrier: &Arc<impl Carrier>) {
        let mut working = JoinSet::new();
        loop {
            while working.len() < tasks {
                working.spawn(self.clone().work(lane, carrier.clone()));
            }
            if let Some(Err(error)) = working.join_next().await {
                let panicked = error.is_panic();
                tracing::error!(panicked, "a task that carries notifications ended");
            }
        }
    }

    async fn work(self: Arc<Self>, lane: Lane, carrier: Arc<impl Carrier>) {
        loop {
            // Nobody closes it.
            let Ok(permit) = self.permits(lane).acquire().await else { return };
            permit.forget();
            let Some(note) = self.queue().lines.take(lane) else { continue };
            // What a panic leaves behind was refused.
            let mut trip = Trip { notifier: &self, note: Some(note), outcome: Outcome::Refused };
            trip.make(&*carrier).await;
        }
    }

    /// Lets go of whoever was held, in time.
    async fn release(&self) {
        loop {
            let due = self.queue().lines.due();
            let until_due = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = until_due => {}
                () = self.held.notified() => continue,
            }
            loop {
                let Some(released) = self.queue().lines.release(Instant::now()) else { break };
                self.is_ready(released);
            }
        }
    }

    fn is_ready(&self, lane: Option<Lane>) {
        if let Some(lane) = lane {
            self.permits(lane).add_permits(1);
        }
    }

    fn permits(&self, lane: Lane) -> &Semaphore {
        match lane {
            Lane::Services => &self.services,
            Lane::Endpoints => &self.endpoints,
        }
    }

    fn add(&self, note: Note) {
        if !note.is_for_readers_too() && self.hub.is_listened_to(note.device.session) {
            return;
        }
        let added = self.queue().lines.add(note);
        match added {
            Added::Ready(lane) => self.is_ready(Some(lane)),
            Added::Waits => (),
            Added::Dropped => tracing::debug!("no room for a notification"),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ports::Notifier for Notifier {
    fn stored(&self, phone: &Phone, device: &Device, envelope: &Bytes) {
        if let Some(note) = Note::to(phone, device, envelope) {
            self.add(note);
        }
    }

    fn left(&self, phone: &Phone, device: &Device) {
        // What is for readers too has left already.
        if let Some(note) = Note::waking(phone, device).filter(|note| !note.is_for_readers_too()) {
            self.add(note);
        }
    }
}

/// A notification on its way; dropping it lets its device have the next one.
struct Trip<'a> {
    notifier: &'a Notifier,
    note: Option<Note>,
    outcome: Outcome,
}

impl Trip<'_> {
    async fn make(&mut self, carrier: &impl Carrier) {
        let Some(note) = self.note.clone() else { return };
        let host = carrier.host(&note);
        if let Some(host) = &host {
            let may_ask = self.notifier.queue().hosts.may_ask(host, Instant::now());
            if let Err(until) = may_ask {
                self.outcome = Outcome::NotBefore(until);
                return;
            }
        }
        let carried = timeout(PATIENCE, carrier.carry(note)).await;
        let pushed = match carried {
            Ok(Ok(pushed)) => pushed,
            Ok(Err(fault)) => {
                tracing::warn!("a notification was not carried: {fault}");
                Pushed::Failed
            }
            Err(_) => Pushed::Unreachable,
        };
        if let Some(host) = host {
            let hosts = &mut self.notifier.queue().hosts;
            match pushed {
                Pushed::Unreachable => hosts.did_not_answer(host, Instant::now()),
                _ => hosts.answered(&host),
            }
        }
        self.outcome = match pushed {
            Pushed::Taken | Pushed::Moved(_) | Pushed::Dead | Pushed::NotSetUp => Outcome::Settled,
            Pushed::Failed => Outcome::Refused,
            Pushed::Later(after) => Outcome::Later(after),
            Pushed::Unreachable => Outcome::Later(None),
        };
    }
}

impl Drop for Trip<'_> {
    fn drop(&mut self) {
        let Some(note) = self.note.take() else { return };
        let ready = self.notifier.queue().lines.settle(note, self.outcome, Instant::now());
        self.notifier.is_ready(ready);
        if ready.is_none() {
            self.notifier.held.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
