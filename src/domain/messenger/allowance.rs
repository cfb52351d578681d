//! How fast members may go beside what the gateway allows everybody: the limits that HushNet's
//! documentation recommends, or none.

use std::net::IpAddr;
use std::sync::Arc;

use crate::domain::clock::Clock;
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::limits::{Buckets, network_of};
use crate::domain::messenger::node::NodeId;

/// How much is allowed in a minute, and at once; 0 for any amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Accounts made, devices enrolled, logins and bad signatures, for each address.
    pub authentications: u64,
    /// The same without bad signatures, for each address, where those are not limited.
    pub newcomers: u64,
    /// Messages of a device.
    pub messages: u64,
    /// Signed requests of a device.
    pub requests: u64,
    /// Sockets that a member may have open at once.
    pub sockets: u64,
}

impl Profile {
    /// What HushNet's documentation recommends.
    pub const DOCUMENTED: Self =
        Self { authentications: 5, newcomers: 600, messages: 60, requests: 100, sockets: 5 };

    /// Nothing beside what the gateway allows everybody, but that nobody makes accounts as fast as
    /// others may ask.
    pub const RELAXED: Self =
        Self { authentications: 0, newcomers: 600, messages: 0, requests: 0, sockets: 0 };
}

/// How often one address gets one-time prekeys of one member in a minute.
const KEYS_FOR_ONE: u64 = 10;

/// How often everybody together does.
const KEYS_FOR_ALL: u64 = 60;

const KEYS: &str = "the number of one-time prekeys";

/// The limits of all members.
pub struct Allowances {
    clock: Arc<dyn Clock>,
    profile: Profile,
    authentications: Buckets<IpAddr>,
    newcomers: Buckets<IpAddr>,
    /// Who asks for one-time prekeys of whom, and how often a member's are asked for at all.
    askers: Buckets<(Option<IpAddr>, AccountNumber)>,
    asked: Buckets<AccountNumber>,
    messages: Buckets<SessionNumber>,
    requests: Buckets<SessionNumber>,
    nodes: Buckets<NodeId>,
    foreign_devices: Buckets<NodeId>,
}

/// Requests of another gateway in a minute, and at once.
const NODE_REQUESTS: u64 = 6_000;

/// Devices of another gateway that are heard of for the first time, in a minute, and at once.
const NODE_DEVICES: u64 = 300;

impl Allowances {
    /// Full buckets of these sizes for everybody.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, profile: Profile) -> Self {
        Self {
            clock,
            profile,
            authentications: Buckets::new(
                profile.authentications,
                "the number of authentications from this address",
            ),
            newcomers: Buckets::new(profile.newcomers, "the number of newcomers at this address"),
            askers: Buckets::new(KEYS_FOR_ONE, KEYS),
            asked: Buckets::new(KEYS_FOR_ALL, KEYS),
            messages: Buckets::new(profile.messages, "the number of messages of this device"),
            requests: Buckets::new(profile.requests, "the number of requests of this device"),
            nodes: Buckets::new(NODE_REQUESTS, "the number of requests of this gateway"),
            foreign_devices: Buckets::new(
                NODE_DEVICES,
                "the number of new devices of this gateway",
            ),
        }
    }

    /// No limits at all.
    #[must_use]
    pub fn unlimited(clock: Arc<dyn Clock>) -> Self {
        Self::new(clock, Profile::RELAXED)
    }

    /// Counts somebody who makes an account, enrols a device, logs in or has signed badly. Programs
    /// on this machine, which have no address, are not counted.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn authentication(&self, address: Option<IpAddr>) -> Result<(), Fault> {
        let Some(address) = address.map(network_of) else { return Ok(()) };
        self.authentications.take(address, 1, self.clock.now())
    }

    /// Counts somebody who wants to make an account, to enrol a device or to log in, before it is
    /// known what with.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn newcomer(&self, address: Option<IpAddr>) -> Result<(), Fault> {
        let Some(address) = address.map(network_of) else { return Ok(()) };
        self.newcomers.take(address, 1, self.clock.now())
    }

    /// Counts somebody who asks for one-time prekeys of a member: whether there are some for them.
    /// Without a bound anybody could use up all that a member has left.
    #[must_use]
    pub fn one_time_keys(&self, by: Option<IpAddr>, of: AccountNumber) -> bool {
        let now = self.clock.now();
        self.askers.take((by.map(network_of), of), 1, now).is_ok()
            && self.asked.take(of, 1, now).is_ok()
    }

    /// Counts a signed request.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn request(&self, device: SessionNumber) -> Result<(), Fault> {
        self.requests.take(device, 1, self.clock.now())
    }

    /// Counts messages, all of them or none, before anything of them is stored.
    ///
    /// # Errors
    /// [`Fault::RateLimited`], and [`Fault::TooLarge`] for more than may ever be sent at once.
    pub fn messages(&self, device: SessionNumber, count: u64) -> Result<(), Fault> {
        self.messages.take(device, count, self.clock.now())
    }

    /// Counts a request that another gateway has signed.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn node(&self, node: &NodeId) -> Result<(), Fault> {
        self.nodes.take(node.clone(), 1, self.clock.now())
    }

    /// Counts a device of another gateway that nobody has heard of here, before it is noted.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn foreign_device(&self, node: &NodeId) -> Result<(), Fault> {
        self.foreign_devices.take(node.clone(), 1, self.clock.now())
    }

    /// How many sockets a member may have open at once; `None` for any number.
    #[must_use]
    pub fn sockets(&self) -> Option<u64> {
        (self.profile.sockets > 0).then_some(self.profile.sockets)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::clock::{TestClock, Timestamp};

    fn allowances(profile: Profile) -> (Allowances, Arc<TestClock>) {
        let clock = Arc::new(TestClock::at(Timestamp::from_micros(1_700_000_000_000_000)));
        (Allowances::new(clock.clone(), profile), clock)
    }

    #[test]
    fn the_documented_ones_hold_for_a_minute() {
        let (allowances, clock) = allowances(Profile::DOCUMENTED);
        let address = Some(IpAddr::from([203, 0, 113, 1]));
        (0..5).for_each(|_| allowances.authentication(address).unwrap());
        let refused = allowances.authentication(address);
        let Err(Fault::RateLimited { retry_after, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(retry_after, Duration::from_secs(12));
        allowances.authentication(Some(IpAddr::from([203, 0, 113, 2]))).unwrap();
        allowances.authentication(None).unwrap();
        clock.advance(Duration::from_secs(12));
        allowances.authentication(address).unwrap();
        (0..100).for_each(|_| allowances.request(SessionNumber(1)).unwrap());
        assert!(allowances.request(SessionNumber(1)).is_err());
        allowances.request(SessionNumber(2)).unwrap();
        allowances.messages(SessionNumber(1), 60).unwrap();
        assert!(allowances.messages(SessionNumber(1), 1).is_err());
        assert_eq!(allowances.sockets(), Some(5));
    }

    #[test]
    fn one_time_prekeys_last_for_everybody() {
        let (allowances, clock) = allowances(Profile::RELAXED);
        let from = |last| Some(IpAddr::from([203, 0, 113, last]));
        let anna = AccountNumber(1);
        assert!((0..10).all(|_| allowances.one_time_keys(from(1), anna)));
        assert!(!allowances.one_time_keys(from(1), anna));
        assert!(allowances.one_time_keys(from(1), AccountNumber(2)));
        assert!((2..7).all(|last| (0..10).all(|_| allowances.one_time_keys(from(last), anna))));
        assert!(!allowances.one_time_keys(from(7), anna));
        clock.advance(Duration::from_secs(6));
        assert!(allowances.one_time_keys(from(1), anna));
    }

    #[test]
    fn relaxed_ones_are_none() {
        let (allowances, _) = allowances(Profile::RELAXED);
        allowances.messages(SessionNumber(1), u64::MAX).unwrap();
        (0..1000).for_each(|_| allowances.request(SessionNumber(1)).unwrap());
        assert_eq!(allowances.sockets(), None);
    }
}
