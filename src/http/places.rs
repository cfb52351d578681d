//! How many sockets there may be, and how they all come to an end.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::domain::error::Fault;
use crate::domain::ids::SessionNumber;

/// The sockets of this node.
#[derive(Debug)]
pub struct Places {
    all: u32,
    per_session: u32,
    free: Arc<Semaphore>,
    sessions: Mutex<HashMap<SessionNumber, u32>>,
    broken_off: watch::Sender<bool>,
}

/// The place of one socket; dropping it leaves it.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    session: Option<SessionNumber>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    /// Places for `all` sockets, and for `per_session` of one session.
    #[must_use]
    pub fn new(all: u32, per_session: u32) -> Self {
        Self {
            all,
            per_session,
            free: Arc::new(Semaphore::new(all as usize)),
            sessions: Mutex::default(),
            broken_off: watch::Sender::new(false),
        }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when all are taken, [`Fault::TooLarge`] when the session has as many
    /// as it may.
    pub fn take(self: &Arc<Self>, session: SessionNumber) -> Result<Place, Fault> {
        let permit = self.permit()?;
        let mut sessions = self.sessions();
        let taken = sessions.entry(session).or_default();
        if *taken >= self.per_session {
            let (actual, limit) = (u64::from(*taken) + 1, u64::from(self.per_session));
            return Err(Fault::TooLarge { what: "the session's number of sockets", actual, limit });
        }
        *taken += 1;
        drop(sessions);
        Ok(Place { places: self.clone(), session: Some(session), _permit: permit })
    }

    /// Takes a place for somebody without a session.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when all are taken.
    pub fn take_unnamed(self: &Arc<Self>) -> Result<Place, Fault> {
        Ok(Place { places: self.clone(), session: None, _permit: self.permit()? })
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        (self.all as usize).saturating_sub(self.free.available_permits())
    }

    /// Waits until all sockets are gone, and breaks off those that are not in time.
    pub async fn close(&self, patience: Duration) {
        if timeout(patience, self.empty()).await.is_ok() {
            return;
        }
        tracing::warn!(sockets = self.taken(), "broke off sockets that did not close in time");
        self.broken_off.send_replace(true);
        self.empty().await;
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let permit = self.free.clone().try_acquire_owned();
        permit.map_err(|_| Fault::unavailable("all sockets are taken", None))
    }

    async fn empty(&self) {
        // Nobody closes the semaphore.
        drop(self.free.acquire_many(self.all).await);
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionNumber, u32>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Keeps a socket going until it ends or has to.
    pub async fn keep(self, socket: Pin<Box<impl Future<Output = ()>>>) {
        tokio::select! {
            () = socket => {}
            () = self.broken_off() => {}
        }
    }

    /// Over when this socket must end without further ado.
    pub async fn broken_off(&self) {
        let mut broken_off = self.places.broken_off.subscribe();
        // The sender lives in the places that this one belongs to.
        drop(broken_off.wait_for(|broken_off| *broken_off).await);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(session) = self.session else { return };
        if let Entry::Occupied(mut taken) = self.places.sessions().entry(session) {
            *taken.get_mut() -= 1;
            if *taken.get() == 0 {
                taken.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: SessionNumber = SessionNumber(1);
    const BERT: SessionNumber = SessionNumber(2);

    #[test]
    fn a_session_and_all_of_them_have_a_limit() {
        let places = Arc::new(Places::new(3, 2));
        let _first = places.take(ANNA).unwrap();
        let second = places.take(ANNA).unwrap();
        assert!(matches!(places.take(ANNA), Err(Fault::TooLarge { actual: 3, limit: 2, .. })));
        let _third = places.take(BERT).unwrap();
        assert!(matches!(places.take(BERT), Err(Fault::Unavailable { .. })));
        assert!(matches!(places.take_unnamed(), Err(Fault::Unavailable { .. })));
        drop(second);
        assert_eq!(places.taken(), 2);
        drop(places.take_unnamed().unwrap());
        assert!(places.take(ANNA).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_leave_is_broken_off() {
        let places = Arc::new(Places::new(3, 2));
        let place = places.take(ANNA).unwrap();
        let socket = tokio::spawn(async move { place.broken_off().await });
        places.close(Duration::from_secs(5)).await;
        socket.await.unwrap();
        assert_eq!(places.taken(), 0);
    }
}
