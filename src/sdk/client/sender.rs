//! Whose key sealed a message, by what this bot itself was told about sessions.
//!
//! The gateway takes an envelope only from a live session of its sender. When the message is read
//! that session may be gone: somebody signed out, or signed in again. So keys are remembered beyond
//! the life of their sessions, and a message whose key was never seen is told apart from the rest.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::ids::UserId;
use crate::keys::AgreementKey;

use super::error::RequestError;
use super::recent::RecentMap;
use super::sessions::SessionDirectory;

/// What shows that a message is from the account that it names as its sender.
///
/// The seal is over the bytes alone. Conversation, category, quotation and times are the gateway's
/// word whatever this says, and so is that the message is new: an envelope holds neither an id nor a
/// time, so a gateway that lies could hand it out once more under another id. Put into the text what
/// must be beyond doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SenderProof {
    /// It was sealed by a session that is on the sender's list of live ones, as this bot holds it.
    LiveSession,
    /// It was sealed by a session that this bot saw on the sender's list and that has ended since.
    /// Most people sign out for no reason, but a lost device is signed out too: think twice before
    /// such a message moves money.
    EndedSession,
    /// Nothing but the gateway's word. Either the message is not sealed, or the key that sealed it
    /// is on no list of the sender's sessions that this bot has seen.
    GatewaysWord,
}

/// What became of a key that is not on the list at hand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It was on a list.
    Listed,
    /// It was on a list, and on a later one no more.
    Ended,
    /// It was looked for and not found.
    NeverListed,
}

/// Keys of sessions, live or ended, in bounded number.
pub(super) struct KeyMemory(Mutex<RecentMap<(UserId, AgreementKey), Standing>>);

impl KeyMemory {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self(Mutex::new(RecentMap::with_capacity(capacity)))
    }

    /// Remembers that these keys are on a list of `user`.
    pub(super) fn learn(
        &self,
        user: UserId,
        keys: impl IntoIterator<Item = AgreementKey>,
        now: SystemTime,
    ) {
        let mut memory = self.lock();
        for key in keys {
            memory.insert((user, key), Standing::Listed, now);
        }
    }

    fn standing(&self, user: UserId, key: AgreementKey) -> Option<Standing> {
        self.lock().get(&(user, key), UNIX_EPOCH).copied()
    }

    /// Remembers that a list that was just fetched does not have the key.
    fn missed(&self, user: UserId, key: AgreementKey, now: SystemTime) -> Standing {
        let mut memory = self.lock();
        let standing = match memory.get(&(user, key), UNIX_EPOCH) {
            Some(Standing::Listed | Standing::Ended) => Standing::Ended,
            Some(Standing::NeverListed) | None => Standing::NeverListed,
        };
        memory.insert((user, key), standing, now);
        standing
    }

    fn lock(&self) -> MutexGuard<'_, RecentMap<(UserId, AgreementKey), Standing>> {
        // Only whole entries are written, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds out what shows that `key` sealed for `sender`.
///
/// A key that is not on the list at hand may belong to a new session, so the list is fetched once
/// for it. After that the answer stays: a key never comes back to a list that it has left.
pub(super) async fn prove(
    directory: &SessionDirectory,
    sender: UserId,
    key: AgreementKey,
) -> Result<SenderProof, RequestError> {
    if directory.cached(&sender).is_some_and(|known| known.has(key)) {
        return Ok(SenderProof::LiveSession);
    }
    let standing = match directory.keys.standing(sender, key) {
        Some(standing @ (Standing::Ended | Standing::NeverListed)) => standing,
        Some(Standing::Listed) | None => {
            let fetched = directory.fetch(&[sender]).await?;
            if fetched.get(&sender).is_some_and(|known| known.has(key)) {
                return Ok(SenderProof::LiveSession);
            }
            directory.keys.missed(sender, key, directory.now())
        }
    };
    Ok(match standing {
        Standing::NeverListed => SenderProof::GatewaysWord,
        Standing::Listed | Standing::Ended => SenderProof::EndedSession,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: UserId = UserId::from_bytes([1; 16]);

    fn key(byte: u8) -> AgreementKey {
        AgreementKey::from_bytes([byte; 32])
    }

    #[test]
    fn a_key_that_left_the_list_is_not_one_that_was_never_on_it() {
        let memory = KeyMemory::with_capacity(10);
        memory.learn(USER, [key(1)], UNIX_EPOCH);
        for _ in 0..2 {
            assert!(memory.missed(USER, key(1), UNIX_EPOCH) == Standing::Ended);
            assert!(memory.missed(USER, key(2), UNIX_EPOCH) == Standing::NeverListed);
        }
    }

    #[test]
    fn a_key_of_one_account_says_nothing_about_another() {
        let memory = KeyMemory::with_capacity(10);
        memory.learn(USER, [key(1)], UNIX_EPOCH);
        let other = UserId::from_bytes([2; 16]);
        assert!(memory.standing(other, key(1)).is_none());
        assert!(memory.missed(other, key(1), UNIX_EPOCH) == Standing::NeverListed);
    }

    #[test]
    fn a_key_that_is_listed_again_counts_as_listed() {
        let memory = KeyMemory::with_capacity(10);
        assert!(memory.missed(USER, key(1), UNIX_EPOCH) == Standing::NeverListed);
        memory.learn(USER, [key(1)], UNIX_EPOCH);
        assert!(memory.standing(USER, key(1)) == Some(Standing::Listed));
    }
}
