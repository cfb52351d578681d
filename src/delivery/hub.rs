//! Who is listening on this node.
//!
//! The hub turns hints into wake-ups. A hint says only "look again": readers look at the store
//! before they wait and after every wake-up, so a lost or doubled hint costs time, never a message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use tokio::sync::watch;

use crate::domain::ids::SessionNumber;
use crate::domain::ports::{Hint, HintStream};

/// The listeners of this node.
#[derive(Debug, Default)]
pub struct Hub {
    lines: Mutex<HashMap<SessionNumber, watch::Sender<Signal>>>,
    closing: watch::Sender<bool>,
    /// Told whenever anybody's roster rises.
    rosters: watch::Sender<()>,
}

/// What a listener is told.
#[derive(Clone, Copy, Debug, Default)]
struct Signal {
    ended: bool,
}

/// One reader's line to the hub; dropping it hangs up.
#[derive(Debug)]
pub struct Listener {
    hub: Arc<Hub>,
    session: SessionNumber,
    signal: watch::Receiver<Signal>,
    closing: watch::Receiver<bool>,
}

/// Why a listener woke up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Something may wait.
    Look,
    /// The session was revoked.
    SessionEnded,
    /// This node is shutting down.
    Closing,
}

impl Hub {
    /// Opens a line for `session`. Hints that come after this call will be heard.
    #[must_use]
    pub fn listen(self: &Arc<Self>, session: SessionNumber) -> Listener {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let signal = lines.entry(session).or_default().subscribe();
        Listener { hub: self.clone(), session, signal, closing: self.closing.subscribe() }
    }

    /// Changes whenever anybody's roster rises.
    #[must_use]
    pub fn rosters(&self) -> watch::Receiver<()> {
        self.rosters.subscribe()
    }

    /// Passes hints on until the stream ends.
    pub async fn run(self: Arc<Self>, mut hints: HintStream) {
        while let Some(hint) = hints.next().await {
            self.pass_on(&hint);
        }
    }

    /// Ends all waiting, so that the node can stop.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// How many sessions somebody listens for.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn pass_on(&self, hint: &Hint) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        match hint {
            Hint::Wake(sessions) => {
                for line in sessions.iter().filter_map(|session| lines.get(session)) {
                    line.send_modify(|_| ());
                }
            }
            Hint::SessionEnded(session) => {
                if let Some(line) = lines.get(session) {
                    line.send_modify(|signal| signal.ended = true);
                }
            }
            Hint::RosterChanged(_) => self.rosters.send_modify(|()| ()),
            Hint::Everybody => {
                self.rosters.send_modify(|()| ());
                for line in lines.values() {
                    line.send_modify(|_| ());
                }
            }
        }
    }
}

impl Listener {
    /// Waits for the next hint that came after the last call.
    pub async fn wake(&mut self) -> Wake {
        tokio::select! {
            biased;
            _ = self.closing.wait_for(|closing| *closing) => Wake::Closing,
            changed = self.signal.changed() => match changed {
                Ok(()) if self.signal.borrow().ended => Wake::SessionEnded,
                Ok(()) => Wake::Look,
                // The sender lives in the hub for as long as this listener does.
                Err(_) => Wake::Closing,
            },
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut lines = self.hub.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // This listener's own receiver still counts.
        if lines.get(&self.session).is_some_and(|line| line.receiver_count() <= 1) {
            lines.remove(&self.session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: SessionNumber = SessionNumber(1);
    const BERT: SessionNumber = SessionNumber(2);

    #[tokio::test]
    async fn a_hint_before_the_wait_is_not_lost() {
        let hub = Arc::new(Hub::default());
        let mut listener = hub.listen(ANNA);
        hub.pass_on(&Hint::Wake([ANNA].into()));
        assert_eq!(listener.wake().await, Wake::Look);
    }

    #[tokio::test]
    async fn others_are_left_alone() {
        let hub = Arc::new(Hub::default());
        let (mut anna, mut bert) = (hub.listen(ANNA), hub.listen(BERT));
        hub.pass_on(&Hint::Wake([BERT].into()));
        assert_eq!(bert.wake().await, Wake::Look);
        let quiet = futures_util::poll!(std::pin::pin!(anna.wake()));
        assert!(quiet.is_pending());
    }

    #[tokio::test]
    async fn revocation_and_shutdown_are_told_apart() {
        let hub = Arc::new(Hub::default());
        let mut listener = hub.listen(ANNA);
        hub.pass_on(&Hint::SessionEnded(ANNA));
        assert_eq!(listener.wake().await, Wake::SessionEnded);
        hub.close();
        assert_eq!(listener.wake().await, Wake::Closing);
    }

    #[test]
    fn the_last_listener_takes_its_line_away() {
        let hub = Arc::new(Hub::default());
        let first = hub.listen(ANNA);
        let second = hub.listen(ANNA);
        drop(first);
        assert_eq!(hub.sessions(), 1);
        drop(second);
        assert_eq!(hub.sessions(), 0);
    }
}
