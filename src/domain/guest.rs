//! Guests: people who get an account for a while, to try the gateway.
//!
//! A guest's account is like anybody's. What makes it a guest's is that the host, an account of the
//! gateway's own, has it among its friends: so the database knows who is one, whatever guests do and
//! however often the gateway is started. A guest who has left, or was not heard for a while, goes: its
//! sessions end, and with them its tokens and what waited for it. Its name stays on file, like that
//! of everybody who has written messages.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sealpost_sdk::ids::Id;
use sealpost_sdk::keys::VerifyingKey;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::account::{Account, AccountKind, Dialect, NewAccount};
use super::clock::Timestamp;
use super::error::Fault;
use super::gateway::Gateway;
use super::ids::{SessionNumber, UserId};
use super::limits::network_of;
use super::relationship::{Relation, RelationChange};
use super::session::{Session, SessionOwner};
use super::sign_up::{SignUp, SignUpPolicy};

/// The name of the host, which answers whatever guests write.
const HOST_NAME: &str = "Echo";

/// What kind of device the host says it is.
const HOST_PLATFORM: &str = "Gateway";

/// When somebody may try again for whom there was no place.
const FULL_RETRY: Duration = Duration::from_secs(60);

/// How often a guest's sessions are ended before it is left for the next time: one may add another
/// before it ends.
const ROUNDS: usize = 3;

/// How many guests there may be, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestPolicy {
    /// At the same time.
    pub most: usize,
    /// Of one network, at the same time.
    pub most_of_network: usize,
    /// Who was not heard for so long goes.
    pub silence: Duration,
    /// Who was heard within that time is here.
    pub presence: Duration,
}

impl Default for GuestPolicy {
    fn default() -> Self {
        Self {
            most: 100,
            most_of_network: 20,
            silence: Duration::from_secs(60 * 60),
            presence: Duration::from_secs(40),
        }
    }
}

/// Somebody who has an account for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// The account.
    pub user: UserId,
    /// The name that it came with.
    pub full_name: String,
    /// Where it came from, as far as that is known.
    network: Option<IpAddr>,
    /// When one of its devices last listened.
    heard_at: Timestamp,
    /// Whether it is to go whatever was heard of it: all its devices are signed out, or it could not
    /// be made a guest.
    is_going: bool,
}

/// The guests of this gateway, and their host.
pub struct Guests {
    gateway: Arc<Gateway>,
    host: Account,
    policy: GuestPolicy,
    book: Mutex<Book>,
}

/// Who is there, and who is about to be.
#[derive(Default)]
struct Book {
    guests: HashMap<UserId, Guest>,
    /// The networks of those whose accounts are being made.
    arriving: Vec<Option<IpAddr>>,
}

/// A place that is kept for somebody whose account is being made, and free again on drop.
struct Arriving<'a> {
    guests: &'a Guests,
    network: Option<IpAddr>,
}

/// The id of the host of a gateway with this secret: the same at every start, and nobody else's.
#[must_use]
pub fn host_of(secret: &[u8; 32]) -> UserId {
    // HMAC fills a short key up to the hash's block with zeroes (RFC 2104).
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(secret);
    let mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
    let digest = mac.chain_update("sealpost host of guests 1").finalize().into_bytes();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Id::from_uuid(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

impl Guests {
    /// The guests that the database knows, with the host of that id, which is made if there is none.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn open(
        gateway: Arc<Gateway>,
        host: UserId,
        policy: GuestPolicy,
    ) -> Result<Self, Fault> {
        let host = host_account(&gateway, host).await?;
        let known = gateway.related(host.number, Relation::Friend).await?;
        // They may have been heard until the gateway stopped.
        let heard_at = gateway.clock.now();
        let guest = |account: Account| Guest {
            user: account.id,
            full_name: account.full_name,
            network: None,
            heard_at,
            is_going: false,
        };
        let guests = known.into_iter().map(|account| (account.id, guest(account))).collect();
        let book = Mutex::new(Book { guests, arriving: Vec::new() });
        Ok(Self { gateway, host, policy, book })
    }

    /// Makes an account for somebody who proved to hold the key.
    ///
    /// # Errors
    /// [`Fault::RateLimited`] when there are as many guests as there may be, otherwise as
    /// [`Gateway::sign_up`]. An account that was made and could not be made a guest's goes with those
    /// who go next, unless the same is asked again, or the gateway started anew, before.
    pub async fn welcome(
        &self,
        asked: SignUp,
        address: Option<IpAddr>,
    ) -> Result<SessionOwner, Fault> {
        let arriving = self.let_in(address.map(network_of))?;
        let owner = self.gateway.sign_up(SignUpPolicy::Open, asked).await?;
        let account = &owner.account;
        let change = RelationChange::Set(Relation::Friend);
        let befriended = self.gateway.change_relation(&self.host, account.id, change).await;
        let guest = Guest {
            user: account.id,
            full_name: account.full_name.clone(),
            network: arriving.network,
            heard_at: self.gateway.clock.now(),
            is_going: befriended.is_err(),
        };
        self.book().guests.insert(guest.user, guest);
        befriended.map(|_| owner)
    }

    fn let_in(&self, network: Option<IpAddr>) -> Result<Arriving<'_>, Fault> {
        let mut book = self.book();
        let is_full = book.places() >= self.policy.most;
        // Of whom no address is known is on this machine, or behind one proxy with all others.
        if is_full || (network.is_some() && book.places_of(network) >= self.policy.most_of_network)
        {
            return Err(Fault::RateLimited {
                what: "the number of guests",
                retry_after: FULL_RETRY,
            });
        }
        book.arriving.push(network);
        Ok(Arriving { guests: self, network })
    }

    /// Notes who listens at this moment, and who has left.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn hear(&self, is_heard: impl Fn(SessionNumber) -> bool) -> Result<(), Fault> {
        let users: Vec<UserId> = self.book().guests.keys().copied().collect();
        if users.is_empty() {
            return Ok(());
        }
        let rosters = self.gateway.store.rosters(&users).await?;
        let now = self.gateway.clock.now();
        let mut book = self.book();
        for roster in rosters {
            let Some(guest) = book.guests.get_mut(&roster.user) else { continue };
            // Nobody but the operator could sign it in again.
            guest.is_going |= roster.members.is_empty();
            if roster.members.iter().any(|member| is_heard(member.number)) {
                guest.heard_at = now;
            }
        }
        Ok(())
    }

    /// Who is here, in the order of their names.
    #[must_use]
    pub fn present(&self) -> Vec<Guest> {
        let earliest = self.gateway.clock.now().minus(self.policy.presence);
        let book = self.book();
        let here = book.guests.values();
        let here = here.filter(|guest| guest.heard_at >= earliest && !guest.is_going);
        let mut here: Vec<_> = here.cloned().collect();
        here.sort_by_cached_key(|guest| (guest.full_name.clone(), guest.user));
        here
    }

    /// Lets those go who have left, and those who were not heard for long; returns how many.
    ///
    /// # Errors
    /// Only when the store fails, or somebody signs in faster than the gateway signs out; who is
    /// left goes the next time.
    pub async fn see_off(&self) -> Result<usize, Fault> {
        let earliest = self.gateway.clock.now().minus(self.policy.silence);
        let going: Vec<UserId> = {
            let book = self.book();
            let going = book.guests.values();
            let going = going.filter(|guest| guest.is_going || guest.heard_at <= earliest);
            going.map(|guest| guest.user).collect()
        };
        for user in &going {
            dismiss(&self.gateway, &self.host, *user).await?;
            self.book().guests.remove(user);
        }
        Ok(going.len())
    }

    /// The account that answers guests.
    #[must_use]
    pub fn host(&self) -> &Account {
        &self.host
    }

    /// Signs the host in with this key, in the place of all its sessions of before.
    ///
    /// # Errors
    /// As [`Gateway::add_device_as_operator`].
    pub async fn sign_host_in(&self, key: VerifyingKey) -> Result<Session, Fault> {
        sign_out(&self.gateway, self.host.id).await?;
        let platform = HOST_PLATFORM.to_owned();
        self.gateway.add_device_as_operator(self.host.id, key, platform, None).await
    }

    /// Lets all guests and their host go, where there were any once and shall be none any more.
    ///
    /// # Errors
    /// As [`Self::see_off`].
    pub async fn close(gateway: &Gateway, host: UserId) -> Result<(), Fault> {
        let Some(host) = gateway.store.accounts(&[host]).await?.into_iter().next() else {
            return Ok(());
        };
        for guest in gateway.related(host.number, Relation::Friend).await? {
            dismiss(gateway, &host, guest.id).await?;
        }
        sign_out(gateway, host.id).await
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Every change to the book is a single step, so a panic elsewhere leaves it in order.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// How many places are taken.
    fn places(&self) -> usize {
        self.guests.len() + self.arriving.len()
    }

    /// How many of them by those of one network.
    fn places_of(&self, network: Option<IpAddr>) -> usize {
        let networks = self.guests.values().map(|guest| guest.network);
        networks.chain(self.arriving.iter().copied()).filter(|of| *of == network).count()
    }
}

impl Drop for Arriving<'_> {
    fn drop(&mut self) {
        let mut book = self.guests.book();
        if let Some(place) = book.arriving.iter().position(|network| *network == self.network) {
            book.arriving.swap_remove(place);
        }
    }
}

async fn host_account(gateway: &Gateway, id: UserId) -> Result<Account, Fault> {
    if let Some(known) = gateway.store.accounts(&[id]).await?.into_iter().next() {
        return Ok(known);
    }
    let account = NewAccount {
        id,
        dialect: Dialect::Mixin,
        external_name: String::new(),
        kind: AccountKind::Bot,
        full_name: HOST_NAME.to_owned(),
        created_at: gateway.clock.now(),
        sessions: Vec::new(),
    };
    let with = |external_name| NewAccount { external_name, ..account.clone() };
    let make = |number| gateway.store.create_account(with(number));
    Ok(gateway.draw_identity_number(make).await?.account)
}

/// Ends a guest's sessions; then it is a guest no more.
async fn dismiss(gateway: &Gateway, host: &Account, guest: UserId) -> Result<(), Fault> {
    sign_out(gateway, guest).await?;
    let change = RelationChange::Clear(Relation::Friend);
    gateway.change_relation(host, guest, change).await.map(drop)
}

async fn sign_out(gateway: &Gateway, user: UserId) -> Result<(), Fault> {
    for _ in 0..ROUNDS {
        let sessions = gateway.sessions_of(user).await?;
        if sessions.is_empty() {
            return Ok(());
        }
        for session in sessions {
            match gateway.revoke_session(user, session.id).await {
                // It may have ended by itself.
                Ok(()) | Err(Fault::NotFound { .. }) => {}
                Err(fault) => return Err(fault),
            }
        }
    }
    Err(Fault::unavailable("an account signs in as fast as it is signed out", None))
}

#[cfg(test)]
mod tests;
