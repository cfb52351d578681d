//! Notifications on their way out: a queue with an end, worked off by a few tasks.
//!
//! Each device has a line of its own, and one notification of it is on its way at a time: they
//! leave in order, and a service that does not answer keeps one task busy and not all of them. What
//! finds no room is dropped; the message itself waits in the inbox.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::hub::Hub;
use crate::domain::ids::SessionNumber;
use crate::domain::phone::notifying::{Dress, Note};
use crate::domain::phone::{Device, Phone, Switchboard};
use crate::domain::ports;

/// Notifications that may wait.
const MOST: usize = 10_000;

/// Notifications of one device that may wait.
const MOST_OF_A_DEVICE: usize = 100;

/// Notifications on their way at the same time.
const TASKS: usize = 16;

/// Takes notifications and sees to it that they leave.
pub struct Notifier {
    hub: Arc<Hub>,
    lines: Mutex<Lines>,
    /// One permit for each line that stands ready.
    ready: Semaphore,
}

#[derive(Default)]
struct Lines {
    by_device: HashMap<SessionNumber, Line>,
    /// Devices with something to carry, none of which is on its way.
    ready: VecDeque<SessionNumber>,
    waiting: usize,
}

#[derive(Default)]
struct Line {
    notes: VecDeque<Note>,
    is_served: bool,
}

impl Notifier {
    /// An empty queue. Nothing leaves before [`Self::run`].
    #[must_use]
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub, lines: Mutex::default(), ready: Semaphore::new(0) }
    }

    /// Carries notifications for ever; the caller ends it by dropping it.
    pub async fn run(self: Arc<Self>, switchboard: Arc<Switchboard>, dress: Dress) {
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            tasks.spawn(self.clone().work(switchboard.clone(), dress));
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn work(self: Arc<Self>, switchboard: Arc<Switchboard>, dress: Dress) {
        loop {
            // Nobody closes it.
            let Ok(permit) = self.ready.acquire().await else { return };
            permit.forget();
            let Some(note) = self.lines().take() else { continue };
            let session = note.device.session;
            if let Err(fault) = switchboard.carry(note, dress).await {
                tracing::warn!("a notification was not carried: {fault}");
            }
            if self.lines().done(session) {
                self.ready.add_permits(1);
            }
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ports::Notifier for Notifier {
    fn stored(&self, phone: &Phone, device: &Device, envelope: &Bytes) {
        let Some(note) = Note::to(phone, device, envelope) else { return };
        if !note.is_for_readers_too() && self.hub.is_listened_to(device.session) {
            return;
        }
        match self.lines().add(note) {
            Added::Ready => self.ready.add_permits(1),
            Added::Waits => (),
            Added::Dropped => tracing::debug!("no room for a notification"),
        }
    }
}

/// What became of a notification that came in.
#[derive(Debug, PartialEq, Eq)]
enum Added {
    /// Its device stands ready now.
    Ready,
    /// It goes after others of its device, or with one that says the same.
    Waits,
    /// There is no room.
    Dropped,
}

impl Lines {
    fn add(&mut self, note: Note) -> Added {
        let session = note.device.session;
        let waiting = self.by_device.get(&session).map_or(0, |line| line.notes.len());
        if self.waiting >= MOST || waiting >= MOST_OF_A_DEVICE {
            return Added::Dropped;
        }
        let line = self.by_device.entry(session).or_default();
        let wakes = |note: &Note| note.envelope.is_none();
        if wakes(&note) && line.notes.iter().any(wakes) {
            return Added::Waits;
        }
        line.notes.push_back(note);
        self.waiting += 1;
        if line.is_served || waiting > 0 {
            return Added::Waits;
        }
        self.ready.push_back(session);
        Added::Ready
    }

    /// The next notification of the device that has waited longest.
    fn take(&mut self) -> Option<Note> {
        let line = self.by_device.get_mut(&self.ready.pop_front()?)?;
        let note = line.notes.pop_front()?;
        line.is_served = true;
        self.waiting -= 1;
        Some(note)
    }

    /// A device's notification has left; returns whether the device stands ready again.
    fn done(&mut self, session: SessionNumber) -> bool {
        let Some(line) = self.by_device.get_mut(&session) else { return false };
        line.is_served = false;
        if line.notes.is_empty() {
            self.by_device.remove(&session);
            return false;
        }
        self.ready.push_back(session);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::ids::{AccountNumber, SessionId};
    use crate::domain::phone::{DeviceNumber, PasswordHash, PushAddress, PushKind};
    use crate::domain::vault::Sealed;

    fn note(session: i64, envelope: Option<&'static str>) -> Note {
        let address = PushAddress { kind: PushKind::Gcm, address: Sealed(Vec::new()) };
        let device = Device {
            session: SessionNumber(session),
            id: SessionId::from_bytes([1; 16]),
            number: DeviceNumber(1),
            password: PasswordHash(String::new()),
            signalling_key: Sealed(Vec::new()),
            registration: 0,
            fetches: false,
            push: Some(address.clone()),
            name: None,
            created_at: Timestamp::default(),
            last_seen_at: None,
        };
        let envelope = envelope.map(|text| Bytes::from_static(text.as_bytes()));
        Note { account: AccountNumber(1), device, address, envelope }
    }

    fn message(session: i64, text: &'static str) -> Note {
        note(session, Some(text))
    }

    fn taken(lines: &mut Lines) -> Bytes {
        lines.take().unwrap().envelope.unwrap()
    }

    #[test]
    fn one_of_a_device_is_on_its_way_and_devices_take_turns() {
        let mut lines = Lines::default();
        assert_eq!(lines.add(message(1, "a")), Added::Ready);
        assert_eq!(lines.add(message(1, "b")), Added::Waits);
        assert_eq!(lines.add(message(2, "c")), Added::Ready);
        assert_eq!(taken(&mut lines), "a");
        assert_eq!(taken(&mut lines), "c");
        assert!(lines.take().is_none());
        assert_eq!(lines.add(message(2, "d")), Added::Waits);
        assert!(lines.done(SessionNumber(1)));
        assert_eq!(taken(&mut lines), "b");
        assert!(!lines.done(SessionNumber(1)) && lines.done(SessionNumber(2)));
        assert_eq!(lines.waiting, 1);
    }

    #[test]
    fn one_wake_up_says_it_all() {
        let mut lines = Lines::default();
        assert_eq!(lines.add(note(1, None)), Added::Ready);
        assert_eq!(lines.add(note(1, None)), Added::Waits);
        assert_eq!(lines.waiting, 1);
        // The first one is on its way and may have been read already.
        lines.take().unwrap();
        assert_eq!(lines.add(note(1, None)), Added::Waits);
        assert!(lines.done(SessionNumber(1)));
    }

    #[test]
    fn there_is_an_end_to_what_waits() {
        let mut lines = Lines::default();
        for _ in 0..MOST_OF_A_DEVICE {
            assert_ne!(lines.add(message(0, "x")), Added::Dropped);
        }
        assert_eq!(lines.add(message(0, "x")), Added::Dropped);
        for device in 1.. {
            if lines.waiting == MOST {
                assert_eq!(lines.add(message(device, "x")), Added::Dropped);
                return;
            }
            assert_eq!(lines.add(message(device, "x")), Added::Ready);
        }
    }
}
