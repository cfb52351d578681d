//! Which ids were accepted, in eras: what accepting a message costs does not depend on how many were
//! accepted before.
//!
//! An id is random, so in one tree of all ids each would have a page of its own, which nobody has in
//! memory, read and written. So there are *eras*, and in the key of `seen_messages` the era stands
//! behind the shard, in front of sender and id: the open era takes new ids, a million or so, whose part
//! of the tree stays in memory. When it is full it is closed, and another one is opened ([`turn`]). What
//! is closed is not written any more, and hardly read: whoever accepts messages has a Bloom filter for
//! each closed era in memory, and asks the table only for ids that may be there. An era whose filter is
//! still to be made, or for which there is no room in memory, is asked for each id. Eras are longer the
//! more ids there are, so there are never many of them.
//!
//! No id gets in twice, and none that is on file is overlooked, whatever several programs know of the
//! eras, because
//!
//! * an id is stored in the open era only, under a unique key;
//! * the statement that stores it asks `seen_era_is_open`, a function of the database that locks the
//!   era in shared mode until the commit, and then looks, at that very moment, whether it is open. Who
//!   closes an era locks it alone, and so waits for all who still store in it. A statement that comes
//!   too late stores nothing, and its group begins anew with the eras as they are then;
//! * the statement that looks for ids says whether the era that it takes for the open one is open at
//!   the moment that it sees; otherwise it is repeated with the eras as they are then;
//! * who knows of an open era learned of it after the ones before it were closed, together with them;
//!   so whatever those hold can be seen by every statement that stores in the later one.

mod turn;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use sqlx::query;

use super::link::Link;
use super::rows::value;
use crate::domain::ids::{AccountNumber, MessageId};
use crate::storage::error::{StoreError, during};
use crate::storage::filter::{Filter, Placing};
#[cfg(test)]
pub(super) use turn::STATEMENTS;

/// How many bytes of filters are in memory, at most, two for each id. Older eras do without.
const FILTER_BYTES: usize = 256 * 1024 * 1024;

/// An era takes at least one in so many of all ids that closed ones have.
const ERAS: u64 = 16;

/// What a process knows of the eras.
#[derive(Default)]
pub(super) struct Seen {
    eras: RwLock<Arc<Eras>>,
    taken: Mutex<Taken>,
}

/// The eras as they were at one moment.
#[derive(Default)]
pub(super) struct Eras {
    /// The one that takes new ids.
    open: i64,
    /// The others, the latest first.
    closed: Vec<Closed>,
    /// How many ids those have that filters were made for.
    ids: u64,
}

/// An era that takes no more ids.
struct Closed {
    era: i64,
    /// What tells its filter from one that another server, which this one took the place of, had for
    /// an era of the same number: its length, and the time of the latest id.
    mark: Option<(i32, i64)>,
    /// Missing while it is to be made or read, and where there is no room for it.
    filter: Option<Arc<Filter>>,
}

/// How many ids an era has taken, as far as this process knows.
#[derive(Clone, Copy, Default)]
struct Taken {
    era: i64,
    ids: u64,
    /// Whether those were counted that others stored, or this program before it started.
    is_counted: bool,
}

/// An id to look for in an era.
pub(super) struct Look {
    /// Where the id stands in the list of those that are looked for, counted from 1.
    pub place: i64,
    pub era: i64,
    pub sender: AccountNumber,
    pub id: MessageId,
}

impl Eras {
    /// The one that takes new ids.
    pub(super) fn open(&self) -> i64 {
        self.open
    }

    /// Where these ids have to be looked for: in the open era, and in those that may have them.
    pub(super) fn looks(
        &self,
        names: impl Iterator<Item = (AccountNumber, MessageId)>,
    ) -> Vec<Look> {
        let mut looks = Vec::new();
        for (place, (sender, id)) in (1..).zip(names) {
            let random = Placing::default().place(sender, id);
            let closed = self.closed.iter().filter(|it| it.may_have(random)).map(|it| it.era);
            let eras = std::iter::once(self.open).chain(closed);
            looks.extend(eras.map(|era| Look { place, era, sender, id }));
        }
        looks
    }

    fn filter_of(&self, era: i64, mark: Option<(i32, i64)>) -> Option<Arc<Filter>> {
        self.closed.iter().find(|it| it.era == era && it.mark == mark)?.filter.clone()
    }
}

impl Closed {
    fn may_have(&self, place: i64) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.may_have(place))
    }
}

impl Seen {
    /// The eras, as far as they are known.
    pub(super) fn eras(&self) -> Arc<Eras> {
        Arc::clone(&self.eras.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many ids were stored in that era.
    pub(super) fn took(&self, era: i64, ids: usize) {
        let mut taken = self.taken();
        if taken.era == era {
            taken.ids += ids as u64;
        }
    }

    /// Learns which eras there are. Filters that are not in memory yet are left to the background,
    /// unless they are asked for.
    ///
    /// # Errors
    /// When the server cannot be asked, or no era is open.
    pub(super) async fn refresh(
        &self,
        link: &mut Link<'_>,
        filters: Filters,
    ) -> Result<(), StoreError> {
        let rows = query(LIST).fetch_all(&mut *link).await;
        let (before, mut eras) = (self.eras(), Eras::default());
        let mut bytes = 0;
        for row in &rows.map_err(during("reading the eras of message ids"))? {
            let era = value(row, "era")?;
            if value::<i64>(row, "is_closed")? == 0 {
                eras.open = era;
                continue;
            }
            let length = value::<Option<i32>>(row, "length")?;
            let mark = length.zip(value::<Option<i64>>(row, "newest_at")?);
            let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
            eras.ids += length as u64 / 2;
            // Without a length there is no filter.
            let has_room = length > 0 && bytes + length <= FILTER_BYTES;
            let mut filter = before.filter_of(era, mark).filter(|_| has_room);
            if filter.is_none() && has_room && filters == Filters::Read {
                filter = read_filter(link, era).await?;
            }
            bytes += if filter.is_some() { length } else { 0 };
            eras.closed.push(Closed { era, mark, filter });
        }
        if eras.open == 0 {
            return Err(StoreError::Corrupt { column: "is_closed" });
        }
        let mut taken = self.taken();
        if taken.era != eras.open {
            // What is there already is counted by the next look at it.
            *taken = Taken { era: eras.open, ..Taken::default() };
        }
        drop(taken);
        *self.eras.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(eras);
        Ok(())
    }
}

/// Whether filters are read that are not in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Filters {
    /// They are.
    Read,
    /// What is in memory has to do.
    Known,
}

const LIST: &str = "
    SELECT era, is_closed, octet_length(filter) AS length, newest_at FROM seen_eras
    ORDER BY era DESC";

const FILTER: &str = "SELECT filter FROM seen_eras WHERE era = $1 AND filter IS NOT NULL";

async fn read_filter(link: &mut Link<'_>, era: i64) -> Result<Option<Arc<Filter>>, StoreError> {
    let row = query(FILTER).bind(era).fetch_optional(link).await;
    let row = row.map_err(during("reading a filter of message ids"))?;
    let bytes = row.as_ref().map(|row| value::<&[u8]>(row, "filter")).transpose()?;
    Ok(bytes.map(|bytes| Arc::new(Filter::from_bytes(bytes))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: u32) -> (AccountNumber, MessageId) {
        (AccountNumber(i64::from(n % 3)), MessageId::from_bytes(u128::from(n).to_le_bytes()))
    }

    fn filter(ids: std::ops::Range<u32>) -> Option<Arc<Filter>> {
        let place = |n| Placing::default().place(name(n).0, name(n).1);
        Some(Arc::new(Filter::of(ids.map(place).collect::<Vec<_>>().into_iter())))
    }

    fn looks(eras: &Eras, ids: std::ops::Range<u32>) -> Vec<(i64, i64)> {
        eras.looks(ids.map(name)).iter().map(|look| (look.place, look.era)).collect()
    }

    #[test]
    fn an_id_is_looked_for_in_the_open_era_and_where_it_may_be() {
        let closed = vec![
            Closed { era: 3, mark: None, filter: None },
            Closed { era: 2, mark: None, filter: filter(0..1000) },
            Closed { era: 1, mark: None, filter: filter(1000..2000) },
        ];
        let eras = Eras { open: 4, closed, ids: 2000 };
        let found = looks(&eras, 0..1000);
        for place in 1..=1000 {
            assert!([4, 3, 2].into_iter().all(|era| found.contains(&(place, era))), "{place}");
        }
        let mistaken = found.iter().filter(|(_, era)| *era == 1).count();
        assert!(mistaken < 20, "{mistaken} of 1000");
        assert_eq!(looks(&Eras { open: 1, ..Eras::default() }, 7..9), [(1, 1), (2, 1)]);
    }

    #[test]
    fn what_was_stored_counts_for_the_era_that_is_open() {
        let seen = Seen::default();
        *seen.taken() = Taken { era: 2, ids: 5, is_counted: true };
        seen.took(1, 100);
        seen.took(2, 10);
        assert_eq!(seen.taken().ids, 15);
    }
}
