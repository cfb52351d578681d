//! Randomness: the only place that makes a generator.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use crate::domain::ports::Entropy;

/// How many bytes a generator gives before it takes a new seed from the system.
const RESEED_AFTER: usize = 1 << 20;

/// The system gives no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no randomness")]
pub struct EntropyError(#[source] getrandom::Error);

/// A ChaCha20 generator seeded by the operating system, and seeded again now and then: 16 bytes of
/// it cost a few nanoseconds where a system call costs several hundred.
pub struct SystemEntropy(Mutex<Generator>);

struct Generator {
    rng: ChaCha20Rng,
    left: usize,
}

impl SystemEntropy {
    /// A freshly seeded generator.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn new() -> Result<Self, EntropyError> {
        let rng = seeded()?;
        Ok(Self(Mutex::new(Generator { rng, left: RESEED_AFTER })))
    }

    fn generator(&self) -> MutexGuard<'_, Generator> {
        // A generator is in order after every call, so a panic elsewhere leaves it usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that seeds a generator")]
fn seeded() -> Result<ChaCha20Rng, EntropyError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(EntropyError)?;
    Ok(ChaCha20Rng::from_seed(*seed))
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut generator = self.generator();
        if generator.left < bytes.len() {
            // The old generator is still sound should the system fail, so it goes on.
            if let Ok(rng) = seeded() {
                generator.rng = rng;
            }
            generator.left = RESEED_AFTER;
        }
        generator.left = generator.left.saturating_sub(bytes.len());
        generator.rng.fill_bytes(bytes);
    }
}

impl fmt::Debug for SystemEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemEntropy(..)")
    }
}

/// The same randomness in the form that the SDK takes.
#[derive(Clone, Copy)]
pub struct EntropyRng<'entropy>(pub &'entropy dyn Entropy);

impl TryRng for EntropyRng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

// `Entropy` promises randomness fit for keys.
impl TryCryptoRng for EntropyRng<'_> {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_block_comes_twice_across_a_new_seed() -> Result<(), EntropyError> {
        let entropy = SystemEntropy::new()?;
        let mut seen = HashSet::new();
        for _ in 0..3 * RESEED_AFTER / 1024 {
            let mut block = [0; 1024];
            entropy.fill(&mut block);
            assert!(seen.insert(block));
        }
        Ok(())
    }

    #[test]
    fn a_printed_generator_shows_nothing() -> Result<(), EntropyError> {
        assert_eq!(format!("{:?}", SystemEntropy::new()?), "SystemEntropy(..)");
        Ok(())
    }
}
