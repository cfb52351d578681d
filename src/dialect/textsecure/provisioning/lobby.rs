//! New devices that wait, each under an address that it shows to the phone that is to link it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::domain::error::Fault;
use crate::domain::limits::network_of;
use crate::domain::ports::Entropy;
use crate::http::shares::{Share, Shares};

/// How many may wait at the same time.
const MOST: usize = 1000;

/// How many may wait at the same time from one network.
const OF_A_NETWORK: u64 = 10;

/// Whoever waits.
#[derive(Debug)]
pub struct Lobby {
    waiting: Mutex<HashMap<String, oneshot::Sender<Bytes>>>,
    networks: Arc<Shares<IpAddr>>,
}

/// Somebody who waits; dropping it ends that.
#[derive(Debug)]
pub struct Waiting {
    lobby: Arc<Lobby>,
    /// Where it is reached.
    pub address: String,
    /// What somebody posts there.
    pub posted: oneshot::Receiver<Bytes>,
    _share: Option<Share<IpAddr>>,
}

impl Default for Lobby {
    fn default() -> Self {
        Self { waiting: Mutex::default(), networks: Arc::new(Shares::new(OF_A_NETWORK)) }
    }
}

impl Lobby {
    /// Gives somebody an address: 16 random bytes in the URL-safe alphabet.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when as many wait as may.
    pub fn enter(
        self: &Arc<Self>,
        entropy: &dyn Entropy,
        from: Option<IpAddr>,
    ) -> Result<Waiting, Fault> {
        let full = || Fault::unavailable("too many devices wait to be linked", None);
        let take = |from| self.networks.take(network_of(from), 1).ok_or_else(full);
        let share = from.map(take).transpose()?;
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        let address = URL_SAFE_NO_PAD.encode(bytes);
        let (sender, posted) = oneshot::channel();
        let mut waiting = self.waiting();
        if waiting.len() >= MOST {
            return Err(full());
        }
        waiting.insert(address.clone(), sender);
        drop(waiting);
        Ok(Waiting { lobby: self.clone(), address, posted, _share: share })
    }

    /// Hands something to whoever waits there; says whether anybody does. Everybody gets one thing.
    pub fn post(&self, address: &str, body: Bytes) -> bool {
        let sender = self.waiting().remove(address);
        sender.is_some_and(|sender| sender.send(body).is_ok())
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Bytes>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.lobby.waiting().remove(&self.address);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    #[test]
    fn one_thing_reaches_whoever_waits() {
        let (lobby, entropy) = (Arc::new(Lobby::default()), Counting::default());
        let mut anna = lobby.enter(&entropy, None).unwrap();
        let bert = lobby.enter(&entropy, None).unwrap();
        assert_eq!((anna.address.len(), anna.address.as_str()), (22, "AAAAAAAAAAAAAAAAAAAAAA"));
        assert!(!lobby.post("nowhere", Bytes::new()));
        assert!(lobby.post(&anna.address, Bytes::from_static(b"x")));
        assert_eq!(anna.posted.try_recv().unwrap(), "x");
        assert!(!lobby.post(&anna.address, Bytes::new()));
        let address = bert.address.clone();
        drop(bert);
        assert!(!lobby.post(&address, Bytes::new()));
        drop(anna);
        assert!(lobby.waiting().is_empty());
    }

    #[test]
    fn a_network_has_a_few_places() {
        let (lobby, entropy) = (Arc::new(Lobby::default()), Counting::default());
        let enter = |address: [u8; 4]| lobby.enter(&entropy, Some(IpAddr::from(address)));
        let mut waiting: Vec<_> =
            (0..OF_A_NETWORK).map(|_| enter([203, 0, 113, 1]).unwrap()).collect();
        assert!(matches!(enter([203, 0, 113, 1]), Err(Fault::Unavailable { .. })));
        let _other = enter([203, 0, 113, 2]).unwrap();
        waiting.pop();
        assert!(enter([203, 0, 113, 1]).is_ok());
    }
}
