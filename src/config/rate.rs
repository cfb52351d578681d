//! The section `[limits.rate]`: how fast accounts and addresses may go.

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};
use crate::domain::limits::Quotas;

/// How much an account, and an address, may do in a minute, and at once; 0 for any amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rate {
    /// Requests of an account.
    pub account_requests: u64,
    /// Messages that an account sends.
    pub account_messages: u64,
    /// Bytes of the bodies of an account's requests.
    pub account_bytes: u64,
    /// Sockets that an account opens.
    pub account_sockets: u64,
    /// Requests from an address.
    pub address_requests: u64,
    /// Messages sent from an address.
    pub address_messages: u64,
    /// Bytes of the bodies of requests from an address.
    pub address_bytes: u64,
    /// Sockets opened from an address.
    pub address_sockets: u64,
    /// Requests without a good credential from an address.
    pub address_strangers: u64,
}

impl Default for Rate {
    fn default() -> Self {
        const GIB: u64 = 1 << 30;
        Self {
            account_requests: 60_000,
            account_messages: 600_000,
            account_bytes: 6 * GIB,
            account_sockets: 600,
            address_requests: 120_000,
            address_messages: 1_200_000,
            address_bytes: 12 * GIB,
            address_sockets: 6000,
            address_strangers: 600,
        }
    }
}

impl Rate {
    /// What an account may do.
    #[must_use]
    pub fn accounts(&self) -> Quotas {
        Quotas {
            requests: self.account_requests,
            messages: self.account_messages,
            bytes: self.account_bytes,
            sockets: self.account_sockets,
            strangers: 0,
        }
    }

    /// What an address may do.
    #[must_use]
    pub fn addresses(&self) -> Quotas {
        Quotas {
            requests: self.address_requests,
            messages: self.address_messages,
            bytes: self.address_bytes,
            sockets: self.address_sockets,
            strangers: self.address_strangers,
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        // The largest number that a header field can hold (RFC 9651, section 3.3.1).
        const MOST: u64 = 999_999_999_999_999;
        within("limits.rate.account_requests", self.account_requests, 0, MOST)?;
        within("limits.rate.account_messages", self.account_messages, 0, MOST)?;
        within("limits.rate.account_bytes", self.account_bytes, 0, MOST)?;
        within("limits.rate.account_sockets", self.account_sockets, 0, MOST)?;
        within("limits.rate.address_requests", self.address_requests, 0, MOST)?;
        within("limits.rate.address_messages", self.address_messages, 0, MOST)?;
        within("limits.rate.address_bytes", self.address_bytes, 0, MOST)?;
        within("limits.rate.address_sockets", self.address_sockets, 0, MOST)?;
        within("limits.rate.address_strangers", self.address_strangers, 0, MOST)
    }
}
