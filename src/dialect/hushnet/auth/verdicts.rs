//! What is remembered of signatures: those that were found right, and who was here.

use std::net::IpAddr;
use std::time::Duration;

use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::nonces::Nonces;
use super::weak::Weak;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::limits::network_of;
use crate::sdk::keys::VerifyingKey;

/// A signature of the time is good for so long, from the earliest moment to the last.
const GOOD: Duration = Duration::from_secs(61);

/// For so long an address is known as one from which a member was heard.
const HEARD: Duration = Duration::from_secs(10 * 60);

/// Noting it again within so long tells nothing new, and costs a request more than looking.
const JUST_NOW: Duration = Duration::from_secs(1);

/// Verdicts, and addresses of members, that are remembered at most.
const REMEMBERED: u64 = 100_000;

/// Signatures that were found right a moment ago, and where members were.
pub struct Verified {
    right: Cache<[u8; 32], VerifyingKey>,
    heard: Cache<(AccountNumber, Option<IpAddr>), (SessionNumber, Timestamp)>,
    pub(super) nonces: Nonces,
}

impl Verified {
    /// Nothing is known yet; strong signatures of before `began` are refused.
    #[must_use]
    pub fn new(began: Timestamp) -> Self {
        Self {
            right: Cache::builder().max_capacity(REMEMBERED).time_to_live(GOOD).build(),
            heard: Cache::builder().max_capacity(REMEMBERED).time_to_live(HEARD).build(),
            nonces: Nonces::new(began),
        }
    }

    /// The key, if these very credentials were found right before.
    #[must_use]
    pub fn verdict(&self, weak: &Weak<'_>) -> Option<VerifyingKey> {
        self.right.get(&digest(weak))
    }

    /// Notes that these credentials are right.
    pub fn remember(&self, weak: &Weak<'_>, key: VerifyingKey) {
        self.right.insert(digest(weak), key);
    }

    /// Notes that a member's device has signed a request, or logged in, from an address, to within
    /// a second. All programs on this machine have the same one.
    pub fn was_here(
        &self,
        account: AccountNumber,
        device: SessionNumber,
        address: Option<IpAddr>,
        now: Timestamp,
    ) {
        let place = (account, address.map(network_of));
        let is_new = |(known, at): (_, Timestamp)| known != device || at < now.minus(JUST_NOW);
        if self.heard.get(&place).is_none_or(is_new) {
            self.heard.insert(place, (device, now));
        }
    }

    /// The device of a member that was the last there, if that is not ten minutes ago.
    #[must_use]
    pub fn device_here(
        &self,
        account: AccountNumber,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Option<SessionNumber> {
        let (device, heard) = self.heard.get(&(account, address.map(network_of)))?;
        (heard >= now.minus(HEARD)).then_some(device)
    }
}

fn digest(weak: &Weak<'_>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in [weak.key, weak.timestamp, weak.signature] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_for_ten_minutes() {
        let verified = Verified::new(Timestamp::default());
        let (account, now) = (AccountNumber(1), Timestamp::from_micros(1_700_000_000_000_000));
        let (here, phone) = (Some(IpAddr::from([203, 0, 113, 1])), SessionNumber(7));
        verified.was_here(account, phone, here, now);
        let later = |seconds| now.plus(Duration::from_secs(seconds));
        assert_eq!(verified.device_here(account, here, later(600)), Some(phone));
        assert_eq!(verified.device_here(account, here, later(601)), None);
        assert_eq!(verified.device_here(AccountNumber(2), here, now), None);
        assert_eq!(verified.device_here(account, None, now), None);
        verified.was_here(account, SessionNumber(8), here, later(1));
        assert_eq!(verified.device_here(account, here, later(1)), Some(SessionNumber(8)));
    }

    #[test]
    fn other_credentials_have_no_verdict() {
        let verified = Verified::new(Timestamp::default());
        let weak = Weak { key: "a", timestamp: "b", signature: "c" };
        let key = crate::sdk::keys::SigningKey::from_seed(&[7; 32]).verifying_key();
        verified.remember(&weak, key);
        assert_eq!(verified.verdict(&weak), Some(key));
        assert_eq!(verified.verdict(&Weak { timestamp: "bc", signature: "", ..weak }), None);
    }
}
