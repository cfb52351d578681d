//! One socket for each device: a newer one takes the place of the older.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::domain::ids::SessionNumber;

/// How long a newer socket waits for the older one to let go of what it holds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which devices have a socket on this node.
#[derive(Debug, Default)]
pub struct Seats {
    taken: Mutex<HashMap<SessionNumber, Sitter>>,
    /// How many seats were ever taken.
    count: AtomicU64,
}

/// Whoever sits there.
#[derive(Clone, Debug)]
struct Sitter {
    number: u64,
    /// Over when it is to leave.
    leave: CancellationToken,
    /// Over when it has left.
    left: CancellationToken,
}

/// The seat of one socket; dropping it leaves it.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    session: SessionNumber,
    own: Sitter,
    before: Option<CancellationToken>,
}

impl Seats {
    /// Takes the seat of a device. Whoever has it is told to leave.
    pub fn take(self: &Arc<Self>, session: SessionNumber) -> Seat {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let (leave, left) = (CancellationToken::new(), CancellationToken::new());
        let own = Sitter { number, leave, left };
        let before = self.taken().insert(session, own.clone());
        if let Some(before) = &before {
            before.leave.cancel();
        }
        Seat { seats: self.clone(), session, own, before: before.map(|before| before.left) }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<SessionNumber, Sitter>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Waits until whoever had the seat before has left it, but not for long, and not when this one
    /// is to leave itself.
    pub async fn alone(&mut self) {
        let Some(before) = self.before.take() else { return };
        tokio::select! {
            _ = timeout(PATIENCE, before.cancelled()) => {}
            () = self.own.leave.cancelled() => {}
        }
    }

    /// Over when somebody else has taken the seat.
    pub async fn taken_away(&self) {
        self.own.leave.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Entry::Occupied(entry) = self.seats.taken().entry(self.session)
            && entry.get().number == self.own.number
        {
            entry.remove();
        }
        self.own.left.cancel();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const ANNA: SessionNumber = SessionNumber(1);
    const BERT: SessionNumber = SessionNumber(2);

    #[tokio::test]
    async fn a_newer_one_waits_for_the_older_to_leave() {
        let seats = Arc::new(Seats::default());
        let (first, _other) = (seats.take(ANNA), seats.take(BERT));
        assert!(first.taken_away().now_or_never().is_none());
        let mut second = seats.take(ANNA);
        first.taken_away().await;
        let mut waiting = Box::pin(second.alone());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(first);
        assert!(waiting.now_or_never().is_some());
        assert!(second.taken_away().now_or_never().is_none(), "the first one took nothing along");
        drop(second);
        assert_eq!(seats.taken().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_and_whoever_is_to_leave_does_not_wait() {
        let seats = Arc::new(Seats::default());
        let (_first, mut second) = (seats.take(ANNA), seats.take(ANNA));
        second.alone().await;
        let (mut third, _fourth) = (seats.take(ANNA), seats.take(ANNA));
        assert!(third.alone().now_or_never().is_some());
    }
}
