//! The bot's one source of randomness, seeded once and shared by everything it does.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use zeroize::Zeroizing;

use crate::ids::Id;

/// A generator behind a lock. Long work takes a [`fork`](Self::fork) and leaves the lock alone.
pub(super) struct Entropy(Mutex<ChaCha20Rng>);

impl Entropy {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the client asks the system for randomness"
    )]
    pub(super) fn from_system() -> Result<Self, getrandom::Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice())?;
        Ok(Self::from_seed(*seed))
    }

    pub(super) fn from_seed(seed: [u8; 32]) -> Self {
        Self(Mutex::new(ChaCha20Rng::from_seed(seed)))
    }

    /// A generator of its own for one piece of work.
    pub(super) fn fork(&self) -> ChaCha20Rng {
        let mut seed = Zeroizing::new([0; 32]);
        self.lock().fill_bytes(seed.as_mut_slice());
        ChaCha20Rng::from_seed(*seed)
    }

    pub(super) fn random_id<Kind>(&self) -> Id<Kind> {
        Id::random(&mut *self.lock())
    }

    /// A duration between nothing and `longest`, every millisecond as likely as any other.
    pub(super) fn up_to(&self, longest: Duration) -> Duration {
        let milliseconds = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX - 1);
        Duration::from_millis(self.lock().next_u64() % (milliseconds + 1))
    }

    fn lock(&self) -> MutexGuard<'_, ChaCha20Rng> {
        // A generator has no invariant that a panic elsewhere could break.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::MessageId;

    #[test]
    fn forks_and_ids_differ_from_each_other() {
        let entropy = Entropy::from_seed([1; 32]);
        assert_ne!(entropy.fork().next_u64(), entropy.fork().next_u64());
        let first: MessageId = entropy.random_id();
        assert_ne!(first, entropy.random_id());
    }

    #[test]
    fn a_jittered_pause_never_exceeds_its_bound() {
        let entropy = Entropy::from_seed([2; 32]);
        for _ in 0..1000 {
            assert!(entropy.up_to(Duration::from_millis(7)) <= Duration::from_millis(7));
        }
        assert_eq!(entropy.up_to(Duration::ZERO), Duration::ZERO);
    }
}
