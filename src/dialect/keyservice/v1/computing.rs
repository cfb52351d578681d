//! What takes its time: keys that follow from passes, RSA, files. It is computed away from the
//! threads that serve requests, and on half of the cores, so that nobody else has to wait for it.
//!
//! | | waits for a place | at the same time for one network |
//! | --- | --- | --- |
//! | [`Computing::place`]: one thing | a few seconds | [`STEPS`], waiting ones included |
//! | [`Computing::turns`]: piece after piece | with each piece, for as long as it takes | [`STREAMS`] |

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::domain::error::Fault;
use crate::domain::limits::network_of;
use crate::http::shares::{Share, Shares};

/// How long somebody waits for a place.
const PATIENCE: Duration = Duration::from_secs(5);

/// Things that one network has computed at the same time.
const STEPS: u64 = 16;

/// Answers and files that one network has made piece by piece at the same time.
const STREAMS: u64 = 16;

/// What one network holds of it; nothing when none is known.
type Held = Arc<Option<Share<IpAddr>>>;

/// Places for what computes for more than a moment.
pub(super) struct Computing {
    places: Arc<Semaphore>,
    steps: Arc<Shares<IpAddr>>,
    streams: Arc<Shares<IpAddr>>,
}

/// A place, left once it was dropped and all that was begun there is done.
#[derive(Clone)]
pub(super) struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
    _held: Held,
}

/// Somebody who computes piece by piece.
#[derive(Clone)]
pub(super) enum Turns {
    /// At a place of its own.
    At(Place),
    /// At one that it waits for each time.
    InLine(Arc<Semaphore>, Held),
}

impl Computing {
    /// Half of this machine's cores, at least one.
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with((cores / 2).max(1))
    }

    fn with(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            steps: Arc::new(Shares::new(STEPS)),
            streams: Arc::new(Shares::new(STREAMS)),
        }
    }

    /// A place for somebody from that address.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when there is none for some seconds, or its network waits for too
    /// many.
    pub(super) async fn place(&self, from: Option<IpAddr>) -> Result<Place, Fault> {
        let held = share(&self.steps, from)?;
        let permit = timeout(PATIENCE, self.places.clone().acquire_owned()).await;
        let permit = permit.map_err(|_| too_much())?.map_err(failed)?;
        Ok(Place { _permit: Arc::new(permit), _held: held })
    }

    /// Turns for somebody from that address.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when its network has too many.
    pub(super) fn turns(&self, from: Option<IpAddr>) -> Result<Turns, Fault> {
        Ok(Turns::InLine(self.places.clone(), share(&self.streams, from)?))
    }
}

impl Place {
    /// Computes something there.
    ///
    /// # Errors
    /// [`Fault::Internal`] when it panics.
    pub(super) async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let place = self.clone();
        let work = move || {
            let done = work();
            // Whoever waited for it may have gone long ago.
            drop(place);
            done
        };
        spawn_blocking(work).await.map_err(failed)
    }
}

impl Turns {
    /// Computes a piece.
    ///
    /// # Errors
    /// [`Fault::Internal`] when it panics.
    pub(super) async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let place = match self {
            Self::At(place) => place.clone(),
            Self::InLine(places, held) => {
                // Nobody closes it.
                let permit = places.clone().acquire_owned().await.map_err(failed)?;
                Place { _permit: Arc::new(permit), _held: held.clone() }
            }
        };
        place.compute(work).await
    }
}

fn share(shares: &Arc<Shares<IpAddr>>, from: Option<IpAddr>) -> Result<Held, Fault> {
    let Some(from) = from else { return Ok(Arc::new(None)) };
    let share = shares.take(network_of(from), 1).ok_or_else(too_much)?;
    Ok(Arc::new(Some(share)))
}

fn too_much() -> Fault {
    Fault::unavailable("too much is being computed", None)
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::internal("computing for version 1", error)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn from(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([203, 0, 113, last]))
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_is_told_so_after_a_while() {
        let computing = Computing::with(1);
        let place = computing.place(from(1)).await.unwrap();
        let began = Instant::now();
        let refused = computing.place(from(2)).await.map(drop);
        assert!(matches!(refused, Err(Fault::Unavailable { .. })), "{refused:?}");
        assert_eq!(began.elapsed(), PATIENCE);
        drop(place);
        computing.place(from(2)).await.unwrap();
    }

    #[tokio::test]
    async fn one_network_leaves_room_for_others() {
        let computing = Computing::with(100);
        let mut places = Vec::new();
        let mut turns = Vec::new();
        for _ in 0..16 {
            places.push(computing.place(from(1)).await.unwrap());
            turns.push(computing.turns(from(1)).unwrap());
        }
        assert!(computing.place(from(1)).await.is_err() && computing.turns(from(1)).is_err());
        assert!(computing.place(from(2)).await.is_ok() && computing.turns(from(2)).is_ok());
        assert!(computing.place(None).await.is_ok() && computing.turns(None).is_ok());
        drop((places, turns));
        assert!(computing.place(from(1)).await.is_ok() && computing.turns(from(1)).is_ok());
    }

    #[tokio::test]
    async fn who_has_a_place_needs_no_other() {
        let computing = Computing::with(1);
        let place = computing.place(None).await.unwrap();
        assert_eq!(Turns::At(place.clone()).compute(|| 1).await.unwrap(), 1);
        assert_eq!(place.compute(|| 2).await.unwrap(), 2);
        drop(place);
        assert_eq!(computing.turns(None).unwrap().compute(|| 3).await.unwrap(), 3);
    }
}
