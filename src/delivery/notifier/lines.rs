//! The lines in which notifications wait, one for each device.
//!
//! One notification of a device is on its way at a time. A device that was not reached is held for
//! a while, and longer each time; what waits for it meanwhile becomes one wake-up.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::pauses::{HICCUPS, LONGEST, MOST_FAILURES, pause};
use crate::domain::ids::SessionNumber;
use crate::domain::phone::notifying::Note;
use crate::domain::phone::{PushAddress, PushKind};

/// Notifications that may wait; and devices that may be held.
const MOST: usize = 10_000;

/// Notifications of one device that may wait.
const MOST_OF_A_DEVICE: usize = 100;

/// Who carries a notification. Hosts that users name keep nobody busy who asks the operator's own
/// services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Services that the operator has set up.
    Services,
    /// Endpoints that devices name.
    Endpoints,
}

impl Lane {
    fn of(note: &Note) -> Self {
        match note.address.kind {
            PushKind::Gcm | PushKind::Apn => Self::Services,
            PushKind::WebPush => Self::Endpoints,
        }
    }
}

/// What became of a notification that was on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There is nothing more to do.
    Settled,
    /// Nobody took it, who may take it later; not before this time if it is known.
    Later(Option<Duration>),
    /// Nobody wants it.
    Refused,
    /// Nobody was asked: it waits for its host.
    NotBefore(Instant),
}

/// What became of a notification that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// Its device stands ready now.
    Ready(Lane),
    /// It goes after others of its device, or with one that says the same.
    Waits,
    /// There is no room.
    Dropped,
}

/// All lines.
#[derive(Default)]
pub(super) struct Lines {
    by_device: HashMap<SessionNumber, Line>,
    /// Devices with something to carry, none of which is on its way.
    services: VecDeque<SessionNumber>,
    endpoints: VecDeque<SessionNumber>,
    held: BTreeSet<(Instant, SessionNumber)>,
    /// Notifications in lines, the wake-ups of those that are held aside.
    waiting: usize,
}

#[derive(Default)]
struct Line {
    notes: VecDeque<Note>,
    /// The one wake-up of a device that is held for long.
    wake: Option<Note>,
    stands: Stands,
    failures: u32,
    /// Where the device was not reached.
    unreached: Option<PushAddress>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stands {
    /// Ready, or on its way there.
    #[default]
    Ready,
    /// One of it is on its way.
    Served,
    /// Left alone until then.
    Held(Instant),
}

impl Line {
    fn is_held_for_long(&self) -> bool {
        matches!(self.stands, Stands::Held(_)) && self.notes.is_empty()
    }

    fn is_moved(&self, to: &PushAddress) -> bool {
        matches!(self.stands, Stands::Held(_)) && self.unreached.as_ref() != Some(to)
    }
}

impl Lines {
    /// Takes a notification in.
    pub(super) fn add(&mut self, note: Note) -> Added {
        let session = note.device.session;
        let Some(line) = self.by_device.get_mut(&session) else {
            if self.waiting >= MOST {
                return Added::Dropped;
            }
            self.by_device.insert(session, Line::default());
            self.push(session, note);
            return self.ready(session).map_or(Added::Dropped, Added::Ready);
        };
        if line.is_moved(&note.address) {
            return self.start_anew(note);
        }
        if line.is_held_for_long() {
            line.wake = Some(note.into_waking());
            return Added::Waits;
        }
        let wakes = |note: &Note| note.envelope.is_none();
        if wakes(&note) && line.notes.iter().any(wakes) {
            return Added::Waits;
        }
        if self.waiting >= MOST || line.notes.len() >= MOST_OF_A_DEVICE {
            return Added::Dropped;
        }
        self.push(session, note);
        Added::Waits
    }

    /// A device that was not reached is elsewhere now.
    fn start_anew(&mut self, note: Note) -> Added {
        let session = note.device.session;
        if let Some(line) = self.by_device.remove(&session) {
            self.waiting -= line.notes.len();
            if let Stands::Held(until) = line.stands {
                self.held.remove(&(until, session));
            }
        }
        self.add(note)
    }

    fn push(&mut self, session: SessionNumber, note: Note) {
        if let Some(line) = self.by_device.get_mut(&session) {
            line.notes.push_back(note);
            self.waiting += 1;
        }
    }

    /// A device stands ready from now on, if it has something to carry.
    fn ready(&mut self, session: SessionNumber) -> Option<Lane> {
        let line = self.by_device.get_mut(&session)?;
        let lane = Lane::of(line.notes.front()?);
        line.stands = Stands::Ready;
        self.lane(lane).push_back(session);
        Some(lane)
    }

    fn lane(&mut self, lane: Lane) -> &mut VecDeque<SessionNumber> {
        match lane {
            Lane::Services => &mut self.services,
            Lane::Endpoints => &mut self.endpoints,
        }
    }

    /// The next notification of the device that has waited longest.
    pub(super) fn take(&mut self, lane: Lane) -> Option<Note> {
        let session = self.lane(lane).pop_front()?;
        let line = self.by_device.get_mut(&session)?;
        let note = line.notes.pop_front()?;
        line.stands = Stands::Served;
        self.waiting -= 1;
        Some(note)
    }

    /// A device's notification is not on its way any more; returns where the device stands ready
    /// again.
    pub(super) fn settle(&mut self, note: Note, outcome: Outcome, now: Instant) -> Option<Lane> {
        let session = note.device.session;
        let line = self.by_device.get_mut(&session)?;
        let until = match outcome {
            Outcome::Settled => {
                line.failures = 0;
                let lane = self.ready(session);
                if lane.is_none() {
                    self.by_device.remove(&session);
                }
                return lane;
            }
            Outcome::NotBefore(until) => until,
            Outcome::Later(after) => {
                line.failures += 1;
                now + pause(line.failures).max(after.unwrap_or_default()).min(LONGEST)
            }
            Outcome::Refused => {
                line.failures = (line.failures + 1).max(HICCUPS + 1);
                now + pause(line.failures)
            }
        };
        self.hold(note, until, now);
        None
    }

    fn hold(&mut self, note: Note, until: Instant, now: Instant) {
        let session = note.device.session;
        let Some(line) = self.by_device.get_mut(&session) else { return };
        line.stands = Stands::Held(until);
        line.unreached = Some(note.address.clone());
        // What waited may be for another address by now.
        let last = line.notes.back().cloned();
        if until <= now + pause(HICCUPS) && line.notes.len() < MOST_OF_A_DEVICE {
            line.notes.push_front(note);
            self.waiting += 1;
        } else {
            self.waiting -= line.notes.len();
            line.notes.clear();
            let is_given_up = line.failures >= MOST_FAILURES && last.is_none();
            line.wake = (!is_given_up).then(|| last.unwrap_or(note).into_waking());
            if is_given_up {
                line.failures = 0;
            }
        }
        if self.held.len() >= MOST {
            self.waiting -= line.notes.len();
            self.by_device.remove(&session);
            return;
        }
        self.held.insert((until, session));
    }

    /// When the first device is held no more.
    pub(super) fn due(&self) -> Option<Instant> {
        self.held.first().map(|(until, _)| *until)
    }

    /// Lets go of one device that was held until now; returns whether there was one, and where it
    /// stands ready if it has something to carry.
    pub(super) fn release(&mut self, now: Instant) -> Option<Option<Lane>> {
        let (_, session) = *self.held.first().filter(|(until, _)| *until <= now)?;
        self.held.pop_first();
        let wake = self.by_device.get_mut(&session).and_then(|line| line.wake.take());
        if let Some(wake) = wake {
            self.push(session, wake);
        }
        let lane = self.ready(session);
        if lane.is_none() {
            self.by_device.remove(&session);
        }
        Some(lane)
    }
}

#[cfg(test)]
pub(super) mod tests;
