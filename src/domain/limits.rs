//! How fast an account, or an address, may go: token buckets, in memory.
//!
//! A bucket holds what may be done at once and fills up again within [`WINDOW`]. Whatever counts is
//! taken before anything is stored, all of it or nothing. A restart begins with full buckets.

mod bucket;
mod buckets;
mod networks;

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use super::clock::{Clock, Timestamp};
use super::error::Fault;
use super::ids::AccountNumber;
use super::measures::Counter;
pub use bucket::Bucket;
pub use buckets::Buckets;
pub use networks::{NetworkError, Networks, network_of};

/// In this time an empty bucket is full again.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Accounts, and addresses, that are remembered. One that is forgotten begins with full buckets;
/// those that are seen often are forgotten last.
const REMEMBERED: u64 = 100_000;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Requests, whatever they ask for.
    Requests,
    /// Messages that are sent.
    Messages,
    /// Bytes of bodies.
    Bytes,
    /// Sockets that are opened.
    Sockets,
    /// Requests without a good credential.
    Strangers,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Requests, Self::Messages, Self::Bytes, Self::Sockets, Self::Strangers];

    /// Its name, for programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Messages => "messages",
            Self::Bytes => "bytes",
            Self::Sockets => "sockets",
            Self::Strangers => "strangers",
        }
    }

    /// What is counted, in words.
    fn counted(self) -> &'static str {
        match self {
            Self::Requests => "the number of requests",
            Self::Messages => "the number of messages",
            Self::Bytes => "the number of bytes",
            Self::Sockets => "the number of sockets",
            Self::Strangers => "the number of requests without a good credential",
        }
    }
}

/// How much of each kind is allowed in a [`WINDOW`], and at once; 0 for any amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// [`Kind::Requests`].
    pub requests: u64,
    /// [`Kind::Messages`].
    pub messages: u64,
    /// [`Kind::Bytes`].
    pub bytes: u64,
    /// [`Kind::Sockets`].
    pub sockets: u64,
    /// [`Kind::Strangers`].
    pub strangers: u64,
}

impl Quotas {
    /// The quota of one kind; `None` for any amount.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Option<u64> {
        let quota = match kind {
            Kind::Requests => self.requests,
            Kind::Messages => self.messages,
            Kind::Bytes => self.bytes,
            Kind::Sockets => self.sockets,
            Kind::Strangers => self.strangers,
        };
        (quota > 0).then_some(quota)
    }
}

/// Who wants something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visitor {
    /// The account, if it is known by now.
    pub account: Option<AccountNumber>,
    /// Where the request comes from, as far as that can be told.
    pub address: Option<IpAddr>,
}

/// Where an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What is counted.
    pub kind: Kind,
    /// How much is allowed in a [`WINDOW`].
    pub quota: u64,
    /// How much may be done at once.
    pub left: u64,
    /// Until nothing of it is used any more.
    pub until_full: Duration,
}

/// The buckets of everybody.
pub struct Limiter {
    clock: Arc<dyn Clock>,
    accounts: Meter<AccountNumber>,
    addresses: Meter<IpAddr>,
}

impl Limiter {
    /// Full buckets for everybody.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, accounts: Quotas, addresses: Quotas) -> Self {
        Self { clock, accounts: Meter::new(accounts), addresses: Meter::new(addresses) }
    }

    /// What accounts may do.
    #[must_use]
    pub fn account_quotas(&self) -> &Quotas {
        &self.accounts.quotas
    }

    /// Takes so much from the account's bucket and from the address's, or nothing from either.
    ///
    /// # Errors
    /// [`Fault::RateLimited`] with the time after which there is enough; [`Fault::TooLarge`] when
    /// there never will be.
    pub fn take(&self, visitor: &Visitor, kind: Kind, amount: u64) -> Result<(), Fault> {
        let now = self.clock.now();
        if let Some(account) = visitor.account {
            self.accounts.take(account, kind, amount, now)?;
        }
        let Some(address) = visitor.address.map(network_of) else { return Ok(()) };
        let taken = self.addresses.take(address, kind, amount, now);
        if let (Err(_), Some(account)) = (&taken, visitor.account) {
            self.accounts.give_back(account, kind, amount, now);
        }
        taken
    }

    /// Takes so much from the address's bucket alone, if there is as much in the account's, or
    /// nothing. For what is done before it is certain that the account asked for it; then
    /// [`Self::settle`] takes it from the account too.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn advance(&self, visitor: &Visitor, kind: Kind, amount: u64) -> Result<(), Fault> {
        let now = self.clock.now();
        if let Some(account) = visitor.account {
            self.accounts.require(account, kind, amount, now)?;
        }
        self.take(&Visitor { account: None, ..*visitor }, kind, amount)
    }

    /// Takes from the account's bucket what the address's has paid already.
    ///
    /// # Errors
    /// As [`Self::take`]; others may have taken from it since.
    pub fn settle(&self, visitor: &Visitor, kind: Kind, amount: u64) -> Result<(), Fault> {
        self.take(&Visitor { address: None, ..*visitor }, kind, amount)
    }

    /// Gives back to the account, not to the address, what it was charged for but did not ask for.
    pub fn give_back(&self, visitor: &Visitor, kind: Kind, amount: u64) {
        if let Some(account) = visitor.account {
            self.accounts.give_back(account, kind, amount, self.clock.now());
        }
    }

    /// Refuses an address that used up what strangers may do; takes nothing.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn may_knock(&self, address: Option<IpAddr>) -> Result<(), Fault> {
        let Some(address) = address.map(network_of) else { return Ok(()) };
        self.addresses.require(address, Kind::Strangers, 1, self.clock.now())
    }

    /// How often somebody was told to come again later for this.
    #[must_use]
    pub fn refused(&self, kind: Kind) -> u64 {
        let of = |refused: &[Counter; Kind::ALL.len()]| refused[kind as usize].value();
        of(&self.accounts.refused) + of(&self.addresses.refused)
    }

    /// Where an account stands, for each kind that is limited.
    #[must_use]
    pub fn standing(&self, account: AccountNumber) -> Vec<Standing> {
        self.accounts.standing(account, self.clock.now())
    }
}

type BucketsOfOne = Arc<Mutex<[Bucket; Kind::ALL.len()]>>;

/// The buckets of everybody of one sort.
struct Meter<Key> {
    quotas: Quotas,
    buckets: Cache<Key, BucketsOfOne>,
    /// How often each kind was refused.
    refused: [Counter; Kind::ALL.len()],
}

impl<Key: Copy + Eq + Hash + Send + Sync + 'static> Meter<Key> {
    fn new(quotas: Quotas) -> Self {
        // After a window without a request all buckets are full, and as good as new ones.
        let buckets = Cache::builder().max_capacity(REMEMBERED).time_to_idle(2 * WINDOW).build();
        Self { quotas, buckets, refused: Default::default() }
    }

    fn with<T>(
        &self,
        key: Key,
        now: Timestamp,
        work: impl FnOnce(&mut [Bucket; Kind::ALL.len()]) -> T,
    ) -> T {
        let full = || {
            Arc::new(Mutex::new(
                Kind::ALL.map(|kind| Bucket::full(self.quotas.of(kind).unwrap_or_default(), now)),
            ))
        };
        let buckets = self.buckets.get_with(key, full);
        // Numbers are in order whatever panicked beside them.
        let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut buckets)
    }

    fn take(&self, key: Key, kind: Kind, amount: u64, now: Timestamp) -> Result<(), Fault> {
        self.ask(key, kind, amount, now, |bucket| bucket.take(amount, now))
    }

    /// Refuses what [`Self::take`] would refuse, and takes nothing.
    fn require(&self, key: Key, kind: Kind, amount: u64, now: Timestamp) -> Result<(), Fault> {
        self.ask(key, kind, amount, now, |bucket| {
            bucket.take(amount, now)?;
            bucket.give_back(amount);
            Ok(())
        })
    }

    fn ask(
        &self,
        key: Key,
        kind: Kind,
        amount: u64,
        now: Timestamp,
        ask: impl FnOnce(&mut Bucket) -> Result<(), Duration>,
    ) -> Result<(), Fault> {
        // Nothing is always there.
        let Some(limit) = self.quotas.of(kind).filter(|_| amount > 0) else { return Ok(()) };
        if amount > limit {
            return Err(Fault::TooLarge { what: kind.counted(), actual: amount, limit });
        }
        let missing = self.with(key, now, |buckets| ask(&mut buckets[kind as usize]));
        missing.map_err(|retry_after| {
            self.refused[kind as usize].add(1);
            Fault::RateLimited { what: kind.counted(), retry_after }
        })
    }

    fn give_back(&self, key: Key, kind: Kind, amount: u64, now: Timestamp) {
        if self.quotas.of(kind).is_some() {
            self.with(key, now, |buckets| buckets[kind as usize].give_back(amount));
        }
    }

    fn standing(&self, key: Key, now: Timestamp) -> Vec<Standing> {
        let limited = Kind::ALL.iter().filter_map(|kind| Some((*kind, self.quotas.of(*kind)?)));
        let limited: Vec<_> = limited.collect();
        if limited.is_empty() {
            return Vec::new();
        }
        self.with(key, now, |buckets| {
            let standing = |(kind, quota): (Kind, u64)| {
                let (left, until_full) = buckets[kind as usize].standing(now);
                Standing { kind, quota, left, until_full }
            };
            limited.into_iter().map(standing).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::TestClock;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn limiter(accounts: Quotas, addresses: Quotas) -> (Limiter, Arc<TestClock>) {
        let clock = Arc::new(TestClock::at(NOW));
        (Limiter::new(clock.clone(), accounts, addresses), clock)
    }

    fn visitor(account: i64, last: u8) -> Visitor {
        let address = IpAddr::from([203, 0, 113, last]);
        Visitor { account: Some(AccountNumber(account)), address: Some(address) }
    }

    fn messages(messages: u64) -> Quotas {
        Quotas { messages, ..Quotas::default() }
    }

    #[test]
    fn all_is_taken_or_nothing_and_comes_back_with_time() {
        let (limiter, clock) = limiter(messages(60), Quotas::default());
        let anna = visitor(1, 1);
        limiter.take(&anna, Kind::Messages, 50).unwrap();
        let refused = limiter.take(&anna, Kind::Messages, 20);
        let Err(Fault::RateLimited { retry_after, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(retry_after, Duration::from_secs(10));
        limiter.take(&anna, Kind::Messages, 10).unwrap();
        limiter.take(&visitor(2, 1), Kind::Messages, 60).unwrap();
        clock.advance(Duration::from_secs(20));
        limiter.take(&anna, Kind::Messages, 20).unwrap();
        assert!(limiter.take(&anna, Kind::Messages, 1).is_err());
    }

    #[test]
    fn what_no_bucket_can_ever_hold_is_not_put_off_for_ever() {
        let (limiter, _) = limiter(messages(60), Quotas::default());
        let refused = limiter.take(&visitor(1, 1), Kind::Messages, 61);
        assert!(matches!(refused, Err(Fault::TooLarge { actual: 61, limit: 60, .. })));
    }

    #[test]
    fn an_address_that_is_used_up_costs_the_account_nothing() {
        let (limiter, _) = limiter(messages(60), messages(30));
        limiter.take(&visitor(1, 1), Kind::Messages, 30).unwrap();
        assert!(limiter.take(&visitor(2, 1), Kind::Messages, 30).is_err());
        assert_eq!(limiter.standing(AccountNumber(2))[0].left, 60);
        limiter.take(&visitor(2, 2), Kind::Messages, 30).unwrap();
    }

    #[test]
    fn what_nobody_may_have_asked_for_costs_the_account_nothing_until_it_is_settled() {
        let (limiter, _) = limiter(messages(60), messages(100));
        let anna = visitor(1, 1);
        let left = || limiter.standing(AccountNumber(1))[0].left;
        limiter.advance(&anna, Kind::Messages, 50).unwrap();
        assert_eq!(left(), 60);
        limiter.settle(&anna, Kind::Messages, 50).unwrap();
        assert_eq!(left(), 10);
        assert!(limiter.advance(&anna, Kind::Messages, 20).is_err(), "more than the account has");
        limiter.advance(&visitor(2, 1), Kind::Messages, 50).unwrap();
        assert!(limiter.advance(&visitor(2, 1), Kind::Messages, 1).is_err(), "the address paid");
    }

    #[test]
    fn what_is_not_limited_is_not_counted() {
        let (limiter, _) = limiter(Quotas::default(), Quotas::default());
        limiter.take(&visitor(1, 1), Kind::Bytes, u64::MAX).unwrap();
        assert!(limiter.standing(AccountNumber(1)).is_empty());
    }

    #[test]
    fn strangers_are_counted_by_their_address_and_knocking_is_free() {
        let quotas = Quotas { strangers: 2, ..Quotas::default() };
        let (limiter, clock) = limiter(Quotas::default(), quotas);
        let stranger = Visitor { account: None, ..visitor(0, 1) };
        for _ in 0..2 {
            limiter.may_knock(stranger.address).unwrap();
            limiter.take(&stranger, Kind::Strangers, 1).unwrap();
        }
        assert!(limiter.may_knock(stranger.address).is_err());
        limiter.may_knock(visitor(0, 2).address).unwrap();
        limiter.may_knock(None).unwrap();
        clock.advance(Duration::from_secs(30));
        limiter.may_knock(stranger.address).unwrap();
    }
}
