//! How many sockets a member may have at the same time, and which one of them makes room for another.
//!
//! Clients that have gone without a word hold a socket for a while, and so may somebody else at the
//! member's address. Neither may keep out a client that is there.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::domain::ids::AccountNumber;

/// The sockets of members.
#[derive(Debug)]
pub(super) struct Seats {
    /// `None` for any number.
    most: Option<usize>,
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    /// The oldest first.
    taken: HashMap<AccountNumber, Vec<Taken>>,
    next: u64,
}

#[derive(Debug)]
struct Taken {
    number: u64,
    network: Option<IpAddr>,
    is_signed: bool,
    leave: oneshot::Sender<()>,
}

/// One socket's; dropping it leaves it.
#[derive(Debug)]
pub(super) struct OwnSeat {
    seats: Arc<Seats>,
    account: AccountNumber,
    number: Option<u64>,
}

/// Over when another socket has taken one's seat.
pub(super) type Displaced = oneshot::Receiver<()>;

impl Seats {
    /// A member may have `most` at the same time; 0 for any number.
    pub(super) fn new(most: u64) -> Self {
        let most = (most > 0).then(|| usize::try_from(most).unwrap_or(usize::MAX));
        Self { most, rows: Mutex::default() }
    }

    /// Takes a seat. When a member has all that it may have, somebody with credentials takes the oldest
    /// that was opened without them, or else the oldest; who has none takes the oldest of their kind
    /// from the same network, or gets `None`.
    pub(super) fn take(
        self: &Arc<Self>,
        account: AccountNumber,
        network: Option<IpAddr>,
        is_signed: bool,
    ) -> Option<(OwnSeat, Option<Displaced>)> {
        let Some(most) = self.most else {
            return Some((OwnSeat { seats: self.clone(), account, number: None }, None));
        };
        let mut rows = self.rows();
        let number = rows.next;
        rows.next += 1;
        let row = rows.taken.entry(account).or_default();
        if row.len() >= most {
            let unsigned = |taken: &Taken| !taken.is_signed;
            let place = match is_signed {
                true => row.iter().position(unsigned).or(Some(0)),
                false => row.iter().position(|taken| unsigned(taken) && taken.network == network),
            };
            // Who has left already does not mind.
            let _left = row.remove(place?).leave.send(());
        }
        let (leave, displaced) = oneshot::channel();
        row.push(Taken { number, network, is_signed, leave });
        let seat = OwnSeat { seats: self.clone(), account, number: Some(number) };
        Some((seat, Some(displaced)))
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        // Rows are in order whatever panicked beside them.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OwnSeat {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut rows = self.seats.rows();
        if let Entry::Occupied(mut row) = rows.taken.entry(self.account) {
            row.get_mut().retain(|taken| taken.number != number);
            if row.get().is_empty() {
                row.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: AccountNumber = AccountNumber(1);

    fn at(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([203, 0, 113, last]))
    }

    fn is_displaced(seat: &mut (OwnSeat, Option<Displaced>)) -> bool {
        seat.1.as_mut().unwrap().try_recv().is_ok()
    }

    #[test]
    fn the_oldest_of_the_same_network_makes_room_and_credentials_find_some_anywhere() {
        let seats = Arc::new(Seats::new(3));
        let mut signed = seats.take(ANNA, at(1), true).unwrap();
        let mut first = seats.take(ANNA, at(1), false).unwrap();
        let mut second = seats.take(ANNA, at(2), false).unwrap();
        assert!(seats.take(ANNA, at(3), false).is_none());
        let mut third = seats.take(ANNA, at(2), false).unwrap();
        assert!(is_displaced(&mut second) && !is_displaced(&mut first));
        // What it held is not given back twice.
        drop(second);
        assert!(seats.take(ANNA, at(3), false).is_none());
        let _fourth = seats.take(ANNA, at(3), true).unwrap();
        assert!(is_displaced(&mut first));
        let _fifth = seats.take(ANNA, at(3), true).unwrap();
        assert!(is_displaced(&mut third) && !is_displaced(&mut signed));
        let _sixth = seats.take(ANNA, at(3), true).unwrap();
        assert!(is_displaced(&mut signed));
    }

    #[test]
    fn what_is_left_is_free_and_forgotten() {
        let seats = Arc::new(Seats::new(1));
        let seat = seats.take(ANNA, at(1), true).unwrap();
        assert!(seats.take(ANNA, at(1), false).is_none());
        assert!(seats.take(AccountNumber(2), at(1), false).is_some());
        drop(seat);
        drop(seats.take(ANNA, at(2), false).unwrap());
        assert!(seats.rows().taken.is_empty());
        let any = Arc::new(Seats::new(0));
        let many: Vec<_> = (0..100).map(|_| any.take(ANNA, at(1), false).unwrap()).collect();
        assert!(many.iter().all(|(_, displaced)| displaced.is_none()));
    }
}
