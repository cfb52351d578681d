//! Rosters: the live sessions of one account; [`super::audience`] joins those of several.

use sealpost_sdk::checksum::{Checksum, session_checksum};
use sealpost_sdk::keys::AgreementKey;

use super::ids::{AccountNumber, SessionId, SessionNumber, UserId};
use super::inbox::Guard;

/// One signed-in device, as a sender needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterMember {
    /// Its public id.
    pub session: SessionId,
    /// Its number inside the store.
    pub number: SessionNumber,
    /// The key to seal for.
    pub key: AgreementKey,
    /// What kind of device it says it is.
    pub platform: String,
}

/// The live sessions of one account at one generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    /// Whose sessions these are.
    pub account: AccountNumber,
    /// The same account's public id.
    pub user: UserId,
    /// Raised by every change to the account's sessions, in the transaction that makes the change.
    pub generation: i64,
    /// The live sessions, in ascending order of their ids.
    pub members: Vec<RosterMember>,
    /// The checksum over `members`, computed once.
    pub checksum: Checksum,
}

impl Roster {
    /// A roster of `members`, which may come in any order.
    #[must_use]
    pub fn new(
        account: AccountNumber,
        user: UserId,
        generation: i64,
        mut members: Vec<RosterMember>,
    ) -> Self {
        members.sort_unstable_by_key(|member| member.session);
        let checksum = session_checksum(members.iter().map(|member| member.session));
        Self { account, user, generation, members, checksum }
    }

    /// What holds as long as this is the roster.
    #[must_use]
    pub const fn guard(&self) -> Guard {
        Guard::Roster { account: self.account, generation: self.generation }
    }

    /// The member with this session id.
    #[must_use]
    pub fn member(&self, session: SessionId) -> Option<&RosterMember> {
        let place = self.members.binary_search_by_key(&session, |member| member.session).ok()?;
        self.members.get(place)
    }

    /// Whether one of the live sessions uses this key.
    #[must_use]
    pub fn has_key(&self, key: &AgreementKey) -> bool {
        self.members.iter().any(|member| member.key == *key)
    }
}

/// What separates a sender's list from whom it has to reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Live sessions that the sender did not seal for.
    pub missing: Vec<SessionId>,
    /// Sessions that the sender sealed for and that are not live.
    pub surplus: Vec<SessionId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(last: u8) -> SessionId {
        let mut bytes = [0; 16];
        bytes[15] = last;
        SessionId::from_bytes(bytes)
    }

    fn roster(ids: &[u8]) -> Roster {
        let members = ids.iter().map(|id| RosterMember {
            session: session(*id),
            number: SessionNumber(i64::from(*id)),
            key: AgreementKey::from_bytes([*id; 32]),
            platform: String::new(),
        });
        Roster::new(AccountNumber(1), UserId::from_bytes([1; 16]), 1, members.collect())
    }

    #[test]
    fn the_order_of_the_members_does_not_matter() {
        assert_eq!(roster(&[3, 1, 2]), roster(&[1, 2, 3]));
    }

    #[test]
    fn a_member_is_found_by_its_session() {
        assert_eq!(roster(&[3, 1]).member(session(3)).unwrap().number, SessionNumber(3));
        assert_eq!(roster(&[3, 1]).member(session(2)), None);
    }
}
