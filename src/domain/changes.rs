//! Which of an account's contacts have other devices than a moment ago.
//!
//! Every change to a roster gets a number in its own transaction, and the account keeps that of its
//! latest change. A reader's cursor is the highest number that it has looked at. Numbers come from
//! one row that is locked until the end of the transaction, so a number that can be read has no
//! lower one still to come: a cursor never passes a change that is not visible yet, whether one
//! connection writes or many do.
//!
//! Nothing is kept of earlier changes, so nothing has to be dropped, and an account that changed
//! often is told once.

use std::sync::Arc;

use super::error::Fault;
use super::gateway::Gateway;
use super::ids::{AccountNumber, UserId};
use super::roster::Roster;

/// A place in the one order of all changes to rosters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Cursor(pub i64);

/// How many changes, of whomever, a reader may be behind. Farther back, looking everybody up anew
/// is cheaper than walking through all that has happened.
pub const FARTHEST_BEHIND: i64 = 100_000;

/// How many changes, of whomever, one look goes through.
pub const LOOK: u32 = 1000;

/// What a store found in one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedContacts {
    /// The account itself and those that share a conversation with it, of all that changed; in the
    /// order of their changes.
    pub users: Vec<UserId>,
    /// How far the look went.
    pub cursor: Cursor,
    /// Whether there was more to look at.
    pub more: bool,
}

/// What a reader is told.
#[derive(Clone, Debug, Default)]
pub struct RosterChanges {
    /// The rosters that changed, as they are now.
    pub rosters: Vec<Arc<Roster>>,
    /// Where to go on.
    pub cursor: Cursor,
    /// Whether there may be more to read at once.
    pub more: bool,
}

impl Cursor {
    /// Refuses a cursor that is of no use, given the newest one.
    ///
    /// # Errors
    /// [`Fault::Outdated`] when it is too far behind, and when it is ahead: then it comes from
    /// another database, or from one that was put back from a backup.
    pub fn check(self, newest: Self) -> Result<(), Fault> {
        if self > newest {
            return Err(Fault::Outdated { what: "cursor", reason: "is none of this gateway's" });
        }
        if newest.0 - self.0 > FARTHEST_BEHIND {
            return Err(Fault::Outdated { what: "cursor", reason: "is too far behind" });
        }
        Ok(())
    }
}

impl Gateway {
    /// One look at what has changed since `after` among the contacts of `account`, at most `limit`
    /// of them.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn roster_changes(
        &self,
        account: AccountNumber,
        after: Cursor,
        limit: u32,
    ) -> Result<RosterChanges, Fault> {
        let found = self.store.changed_contacts(account, after, limit).await?;
        let (cursor, more) = (found.cursor, found.more);
        // Read after the changes, so none of them is older than what is said about it.
        let rosters = self.store.fresh_rosters(&found.users).await?;
        Ok(RosterChanges { rosters, cursor, more })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_neither_ahead_nor_far_behind() {
        let newest = Cursor(FARTHEST_BEHIND + 5);
        for (cursor, good) in
            [(newest, true), (Cursor(5), true), (Cursor(4), false), (Cursor(newest.0 + 1), false)]
        {
            assert_eq!(cursor.check(newest).is_ok(), good, "{cursor:?}");
        }
    }
}
