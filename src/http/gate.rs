//! What stands between the listener and the handlers: who may come in, how often, with how much.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{Extensions, HeaderMap};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::course::Course;
use super::peer;
use super::shares::{Share, Shares};
use crate::domain::Fault;
use crate::domain::ids::AccountNumber;
use crate::domain::limits::{Kind, Limiter, Networks, Visitor, network_of};

/// Bodies are counted in blocks of so many bytes.
const BLOCK: u64 = 1024;

/// Limits that all protocols share.
pub struct Gate {
    limiter: Arc<Limiter>,
    proxies: Networks,
    bodies: Arc<Semaphore>,
    body_budget: u64,
    shares: Arc<Shares<AccountNumber>>,
    /// What those have whose account is not known, by where they are, and all of them together.
    networks: Arc<Shares<IpAddr>>,
    anybody: Arc<Shares<()>>,
}

/// Room for one body, given back on drop.
#[derive(Debug)]
pub struct BodyRoom {
    permit: OwnedSemaphorePermit,
    share: Option<Share<AccountNumber>>,
    _network: Option<Share<IpAddr>>,
    _anybody: Option<Share<()>>,
}

impl Gate {
    /// A gate that lets bodies of `body_budget` bytes in at the same time, and believes `proxies`.
    #[must_use]
    pub fn new(limiter: Arc<Limiter>, proxies: Networks, body_budget: u64) -> Self {
        let blocks = usize::try_from(body_budget.div_ceil(BLOCK)).unwrap_or(usize::MAX);
        let bodies = Arc::new(Semaphore::new(blocks.min(Semaphore::MAX_PERMITS)));
        // One account that sends slowly must not keep all others out.
        let shares = Arc::new(Shares::new(body_budget / 2));
        // Nor must those who need no account keep out the ones that have one.
        let networks = Arc::new(Shares::new(body_budget / 16));
        let anybody = Arc::new(Shares::new(body_budget / 2));
        Self { limiter, proxies, bodies, body_budget, shares, networks, anybody }
    }

    /// The buckets.
    #[must_use]
    pub fn limiter(&self) -> &Arc<Limiter> {
        &self.limiter
    }

    /// The address that a request is counted for.
    #[must_use]
    pub fn address(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        peer::client(extensions, headers, &self.proxies)
    }

    /// Refuses an address that came without a good credential too often. To be asked before any
    /// work is done for a request.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn may_knock(&self, address: Option<IpAddr>) -> Result<(), Fault> {
        self.limiter.may_knock(address)
    }

    /// Counts a request without a credential, or with one that is not good.
    ///
    /// # Errors
    /// [`Fault::RateLimited`] when there were too many from this address.
    pub fn stranger(&self, address: Option<IpAddr>) -> Result<(), Fault> {
        self.limiter.take(&Visitor { account: None, address }, Kind::Strangers, 1)
    }

    /// Counts what came of looking at a credential: one that is not good is a stranger's.
    ///
    /// # Errors
    /// The outcome's own; [`Fault::RateLimited`] in place of [`Fault::Unauthorized`] when there were
    /// too many from this address.
    pub fn judged<T>(
        &self,
        outcome: Result<T, Fault>,
        address: Option<IpAddr>,
    ) -> Result<T, Fault> {
        if matches!(outcome, Err(Fault::Unauthorized { .. })) {
            self.stranger(address)?;
        }
        outcome
    }

    /// The same while it is still being looked at. Whoever goes away before it is known what comes
    /// of it is a stranger.
    ///
    /// # Errors
    /// As [`Self::judged`].
    pub async fn judge<T>(
        &self,
        outcome: impl Future<Output = Result<T, Fault>>,
        address: Option<IpAddr>,
    ) -> Result<T, Fault> {
        let unproven = self.unproven(address);
        let outcome = outcome.await;
        unproven.is_judged();
        self.judged(outcome, address)
    }

    /// Watches over somebody whose credential is being looked at. Whoever is turned away, or goes
    /// away, before it [was judged](Unproven::is_judged) is a stranger.
    #[must_use]
    pub fn unproven(&self, address: Option<IpAddr>) -> Unproven<'_> {
        Unproven { gate: self, address, is_judged: false }
    }

    /// Counts a request for its address alone: one that needs no credential, or whose credential
    /// cannot be judged yet.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn guest(&self, address: Option<IpAddr>) -> Result<(), Fault> {
        self.limiter.take(&Visitor { account: None, address }, Kind::Requests, 1)
    }

    /// Counts a request of an account, with a body of so many bytes, for which its address
    /// [has paid](Self::guest) before it was known whose they are.
    ///
    /// # Errors
    /// [`Fault::RateLimited`], and [`Fault::TooLarge`] for more than may ever be sent at once.
    pub fn proved(
        &self,
        extensions: &Extensions,
        account: AccountNumber,
        address: Option<IpAddr>,
        bytes: u64,
    ) -> Result<Visitor, Fault> {
        if let Some(course) = extensions.get::<Arc<Course>>() {
            course.is_of(account);
        }
        let visitor = Visitor { account: Some(account), address };
        self.limiter.settle(&visitor, Kind::Requests, 1)?;
        self.limiter.settle(&visitor, Kind::Bytes, bytes)?;
        Ok(visitor)
    }

    /// Counts a request whose credential is good; from now on its answer tells the account where it
    /// stands ([`super::ratelimit`]).
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn request(
        &self,
        extensions: &Extensions,
        account: AccountNumber,
        address: Option<IpAddr>,
    ) -> Result<Visitor, Fault> {
        if let Some(course) = extensions.get::<Arc<Course>>() {
            course.is_of(account);
        }
        let visitor = Visitor { account: Some(account), address };
        self.limiter.take(&visitor, Kind::Requests, 1)?;
        Ok(visitor)
    }

    /// Counts messages, all of them or none, before anything of them is stored.
    ///
    /// # Errors
    /// [`Fault::RateLimited`], and [`Fault::TooLarge`] for more than may ever be sent at once.
    pub fn messages(&self, visitor: &Visitor, count: usize) -> Result<(), Fault> {
        self.limiter.take(visitor, Kind::Messages, count as u64)
    }

    /// Counts the bytes of a body.
    ///
    /// # Errors
    /// [`Fault::RateLimited`], and [`Fault::TooLarge`] for more than may ever be sent at once.
    pub fn bytes(&self, visitor: &Visitor, count: u64) -> Result<(), Fault> {
        self.limiter.take(visitor, Kind::Bytes, count)
    }

    /// Counts bytes of a body before it is known whether the account sent it: somebody who got hold
    /// of its credential may have. Its address pays for them at once; the account needs to have
    /// as many, and pays when they are [its own](Self::own).
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub fn unproven_bytes(&self, visitor: &Visitor, count: u64) -> Result<(), Fault> {
        self.limiter.advance(visitor, Kind::Bytes, count)
    }

    /// Counts what came of comparing a credential with a body of so many [unproven
    /// bytes](Self::unproven_bytes). If it is not for it, the account pays neither for the bytes
    /// nor for the request.
    ///
    /// # Errors
    /// As [`Self::judged`]; [`Fault::RateLimited`] when others of the account's requests have used
    /// its bytes up meanwhile.
    pub fn own<T>(
        &self,
        outcome: Result<T, Fault>,
        visitor: &Visitor,
        bytes: u64,
    ) -> Result<T, Fault> {
        if matches!(outcome, Err(Fault::Unauthorized { .. })) {
            self.limiter.give_back(visitor, Kind::Requests, 1);
        }
        let own = self.judged(outcome, visitor.address)?;
        self.limiter.settle(visitor, Kind::Bytes, bytes)?;
        Ok(own)
    }

    /// Counts a socket that is about to be opened.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn socket(&self, visitor: &Visitor) -> Result<(), Fault> {
        self.limiter.take(visitor, Kind::Sockets, 1)
    }

    /// Counts a request that came over a socket; its bytes count once they are known.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn frame(&self, visitor: &Visitor) -> Result<(), Fault> {
        self.limiter.take(visitor, Kind::Requests, 1)
    }

    /// Sets memory aside for a body of at most so many bytes, before it is read. One account gets
    /// half of all there is, or room for one body; so do all of those together whose account is not
    /// known, and the ones at one address a sixteenth.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when too much is on its way at this moment.
    pub fn body_room(&self, visitor: &Visitor, bytes: u64) -> Result<BodyRoom, Fault> {
        let take = |account| self.shares.take(account, bytes).ok_or_else(full);
        let share = visitor.account.map(take).transpose()?;
        let (mut network, mut anybody) = (None, None);
        if visitor.account.is_none() {
            // Programs on this machine have no share of their own.
            let at = |address| self.networks.take(network_of(address), bytes).ok_or_else(full);
            network = visitor.address.map(at).transpose()?;
            anybody = Some(self.anybody.take((), bytes).ok_or_else(full)?);
        }
        let permit = self.bodies.clone().try_acquire_many_owned(blocks(bytes));
        let permit = permit.map_err(|_| full())?;
        Ok(BodyRoom { permit, share, _network: network, _anybody: anybody })
    }

    /// The same for a body that grows to so many bytes piece by piece: a buffer that doubles holds up
    /// to twice of what is in it. More than the whole budget is nobody's.
    ///
    /// # Errors
    /// As [`Self::body_room`].
    pub fn growing_body_room(&self, visitor: &Visitor, bytes: u64) -> Result<BodyRoom, Fault> {
        self.body_room(visitor, self.growing(bytes))
    }

    /// More of the same for a body that turns out to be as large as that.
    ///
    /// # Errors
    /// As those of [`Self::body_room`]; what there was of it stays.
    pub fn grow(&self, room: &mut BodyRoom, bytes: u64) -> Result<(), Fault> {
        let held = self.growing(bytes);
        let had = u32::try_from(room.permit.num_permits()).unwrap_or(u32::MAX);
        let more = blocks(held).saturating_sub(had);
        let more = self.bodies.clone().try_acquire_many_owned(more).map_err(|_| full())?;
        if room.share.as_mut().is_some_and(|share| !share.grow(held)) {
            return Err(full());
        }
        room.permit.merge(more);
        Ok(())
    }

    /// What a buffer holds that grows to so many bytes.
    fn growing(&self, bytes: u64) -> u64 {
        bytes.saturating_mul(2).min(self.body_budget.max(bytes))
    }
}

/// Somebody whose credential is being looked at; dropping it before that is over counts a stranger.
pub struct Unproven<'a> {
    gate: &'a Gate,
    address: Option<IpAddr>,
    is_judged: bool,
}

impl Unproven<'_> {
    /// Notes that it is known what came of it.
    pub fn is_judged(mut self) {
        self.is_judged = true;
    }
}

impl Drop for Unproven<'_> {
    fn drop(&mut self) {
        if !self.is_judged {
            // Nobody is there to be refused.
            drop(self.gate.stranger(self.address));
        }
    }
}

fn blocks(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(BLOCK)).unwrap_or(u32::MAX)
}

fn full() -> Fault {
    Fault::unavailable("too many bodies are on their way", None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::{TestClock, Timestamp};
    use crate::domain::limits::Quotas;

    fn gate(body_budget: u64) -> Gate {
        let clock = Arc::new(TestClock::at(Timestamp::default()));
        let strangers = Quotas { strangers: 1, ..Quotas::default() };
        let limiter = Limiter::new(clock, Quotas::default(), strangers);
        Gate::new(Arc::new(limiter), Networks::default(), body_budget)
    }

    fn account(number: i64) -> Visitor {
        Visitor { account: Some(AccountNumber(number)), address: None }
    }

    fn at(last: u8) -> Visitor {
        Visitor { account: None, address: Some(IpAddr::from([203, 0, 113, last])) }
    }

    #[test]
    fn bodies_share_a_budget_and_give_it_back() {
        let gate = gate(10 * BLOCK);
        let first = gate.body_room(&account(1), 9 * BLOCK).unwrap();
        let _empty = gate.body_room(&account(2), 0).unwrap();
        let second = gate.body_room(&account(2), 1).unwrap();
        assert!(matches!(gate.body_room(&account(3), 1), Err(Fault::Unavailable { .. })));
        drop((first, second));
        assert!(gate.body_room(&account(1), 10 * BLOCK).is_ok());
        assert!(gate.body_room(&account(1), u64::MAX).is_err());
    }

    #[test]
    fn a_body_that_grows_has_room_for_a_buffer_that_doubles_as_far_as_there_is_any() {
        let gate = gate(10 * BLOCK);
        let growing = gate.growing_body_room(&account(1), 4 * BLOCK).unwrap();
        assert!(gate.body_room(&account(2), 2 * BLOCK + 1).is_err());
        drop(growing);
        let _alone = gate.growing_body_room(&account(1), 9 * BLOCK).unwrap();
        assert!(gate.body_room(&account(2), 1).is_err());
        assert!(gate.growing_body_room(&account(2), 11 * BLOCK).is_err());
    }

    #[test]
    fn those_without_an_account_have_a_share_by_address_and_leave_half_to_the_others() {
        let gate = gate(32 * BLOCK);
        let first = gate.body_room(&at(1), BLOCK).unwrap();
        let _second = gate.body_room(&at(1), BLOCK).unwrap();
        assert!(matches!(gate.body_room(&at(1), 1), Err(Fault::Unavailable { .. })));
        drop(first);
        assert!(gate.body_room(&at(1), BLOCK).is_ok(), "what was left is given back");
        let _large = gate.body_room(&at(2), 15 * BLOCK).unwrap();
        assert!(gate.body_room(&at(3), 1).is_err());
        assert!(gate.body_room(&Visitor::default(), 1).is_err());
        assert!(gate.body_room(&account(1), 16 * BLOCK).is_ok());
    }

    #[test]
    fn one_account_does_not_get_the_whole_budget_at_once() {
        let gate = gate(10 * BLOCK);
        let mut first = gate.body_room(&account(1), 4 * BLOCK).unwrap();
        gate.grow(&mut first, 5 * BLOCK / 2).unwrap();
        assert!(matches!(gate.body_room(&account(1), 1), Err(Fault::Unavailable { .. })));
        let _second = gate.body_room(&account(2), 4 * BLOCK).unwrap();
        assert!(gate.body_room(&account(2), BLOCK + 1).is_err());
        assert!(gate.grow(&mut first, 6 * BLOCK).is_err());
        assert!(gate.body_room(&account(2), BLOCK).is_ok(), "what was refused is given back");
    }

    #[test]
    fn a_bad_credential_is_counted_and_a_good_one_is_not() {
        let gate = gate(0);
        let address = Some(IpAddr::from([203, 0, 113, 1]));
        assert!(gate.judged(Ok(()), address).is_ok());
        let bad = || Err::<(), _>(Fault::unauthorized("no"));
        assert!(matches!(gate.judged(bad(), address), Err(Fault::Unauthorized { .. })));
        assert!(matches!(gate.judged(bad(), address), Err(Fault::RateLimited { .. })));
        assert!(matches!(gate.judged(bad(), None), Err(Fault::Unauthorized { .. })));
        assert!(gate.may_knock(address).is_err());
    }

    #[tokio::test]
    async fn whoever_hangs_up_before_a_credential_is_judged_is_counted() {
        let gate = gate(0);
        let address = Some(IpAddr::from([203, 0, 113, 1]));
        assert!(gate.judge(async { Ok(()) }, address).await.is_ok());
        assert!(gate.may_knock(address).is_ok());
        let mut judged = Box::pin(gate.judge(std::future::pending::<Result<(), _>>(), address));
        assert!(futures_util::poll!(&mut judged).is_pending());
        drop(judged);
        assert!(gate.may_knock(address).is_err());
    }
}
