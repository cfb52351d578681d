//! Audiences: the live sessions that one message must cover, those of several accounts together.

use std::sync::Arc;

use sealpost_sdk::checksum::{Checksum, session_checksum};

use super::ids::SessionId;
use super::roster::{Difference, Roster, RosterMember};

/// The live sessions of some accounts, at one generation of each.
#[derive(Debug)]
pub struct Audience {
    rosters: Vec<Arc<Roster>>,
    left_out: Option<SessionId>,
    /// Ascending by session, so that any of hundreds is found in a few steps.
    places: Vec<Place>,
    checksum: Checksum,
}

#[derive(Debug)]
struct Place {
    session: SessionId,
    roster: usize,
    member: usize,
}

impl Audience {
    /// Everybody in `rosters`, which belong to different accounts, except `left_out`.
    #[must_use]
    pub fn new(rosters: Vec<Arc<Roster>>, left_out: Option<SessionId>) -> Self {
        let place = |(roster, one): (usize, &Arc<Roster>)| {
            let members = one.members.iter().enumerate();
            let places =
                members.map(move |(member, it)| Place { session: it.session, roster, member });
            places.collect::<Vec<_>>()
        };
        let mut places: Vec<Place> = rosters.iter().enumerate().flat_map(place).collect();
        places.retain(|place| Some(place.session) != left_out);
        places.sort_unstable_by_key(|place| place.session);
        let checksum = match &rosters[..] {
            // Most messages are for one account, whose roster knows its checksum.
            [only] if only.members.len() == places.len() => only.checksum,
            _ => session_checksum(places.iter().map(|place| place.session)),
        };
        Self { rosters, left_out, places, checksum }
    }

    /// The checksum over all sessions, each once.
    #[must_use]
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether nobody is signed in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The rosters that it is made of, those without a live session included.
    #[must_use]
    pub fn rosters(&self) -> &[Arc<Roster>] {
        &self.rosters
    }

    /// The session that is not covered although its account is.
    #[must_use]
    pub fn left_out(&self) -> Option<SessionId> {
        self.left_out
    }

    /// Every session with its account's roster, account by account.
    pub fn members(&self) -> impl Iterator<Item = (&Roster, &RosterMember)> {
        self.rosters.iter().flat_map(|roster| {
            let members = roster.members.iter();
            let members = members.filter(|member| Some(member.session) != self.left_out);
            members.map(|member| (&**roster, member))
        })
    }

    /// The session of this id and its account's roster.
    #[must_use]
    pub fn member(&self, session: SessionId) -> Option<(&Roster, &RosterMember)> {
        let found = self.places.binary_search_by_key(&session, |place| place.session).ok()?;
        let place = self.places.get(found)?;
        let roster = self.rosters.get(place.roster)?;
        Some((roster, roster.members.get(place.member)?))
    }

    /// How `claimed` differs from this audience. Takes a list that names no session twice.
    #[must_use]
    pub fn difference(&self, claimed: &[SessionId]) -> Difference {
        let mut covered = claimed.to_vec();
        covered.sort_unstable();
        let sessions = self.places.iter().map(|place| place.session);
        Difference {
            missing: sessions.filter(|session| covered.binary_search(session).is_err()).collect(),
            surplus: claimed.iter().copied().filter(|id| self.member(*id).is_none()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use sealpost_sdk::keys::AgreementKey;

    use super::*;
    use crate::domain::ids::{AccountNumber, SessionNumber, UserId};

    fn session(last: u8) -> SessionId {
        SessionId::from_bytes([last; 16])
    }

    fn roster(account: u8, ids: &BTreeSet<u8>) -> Arc<Roster> {
        let members = ids.iter().map(|id| RosterMember {
            session: session(*id),
            number: SessionNumber(i64::from(*id)),
            key: AgreementKey::from_bytes([*id; 32]),
            platform: String::new(),
        });
        let number = AccountNumber(i64::from(account));
        Arc::new(Roster::new(number, UserId::from_bytes([account; 16]), 1, members.collect()))
    }

    fn audience(accounts: &[&[u8]], left_out: Option<u8>) -> Audience {
        let rosters = accounts.iter().zip(1..);
        let rosters = rosters.map(|(ids, account)| roster(account, &ids.iter().copied().collect()));
        Audience::new(rosters.collect(), left_out.map(session))
    }

    #[test]
    fn the_audience_of_one_account_has_its_rosters_checksum() {
        let one = audience(&[&[3, 1]], None);
        assert_eq!(one.checksum(), one.rosters()[0].checksum);
        assert_ne!(audience(&[&[3, 1]], Some(1)).checksum(), one.checksum());
    }

    #[test]
    fn accounts_without_a_session_add_nothing() {
        assert_eq!(audience(&[&[], &[1]], None).checksum(), audience(&[&[1]], None).checksum());
        assert!(audience(&[&[], &[7]], Some(7)).is_empty());
    }

    #[test]
    fn a_difference_goes_across_accounts() {
        let difference = audience(&[&[1, 5], &[2], &[9]], Some(9)).difference(&[
            session(5),
            session(9),
            session(2),
        ]);
        assert_eq!((difference.missing, difference.surplus), (vec![session(1)], vec![session(9)]));
    }

    proptest! {
        #[test]
        fn it_is_the_union_of_its_rosters(
            owners in proptest::collection::btree_map(any::<u8>(), 0_u8..4, 0..40),
            claimed: BTreeSet<u8>,
            left_out: Option<u8>,
        ) {
            let of = |account| owners.iter().filter(move |it| *it.1 == account).map(|it| *it.0);
            let rosters = (0..4).map(|account| roster(account, &of(account).collect())).collect();
            let audience = Audience::new(rosters, left_out.map(session));
            let all: BTreeSet<u8> =
                owners.keys().copied().filter(|id| Some(*id) != left_out).collect();
            let ids = |set: &BTreeSet<u8>| set.iter().map(|id| session(*id)).collect::<Vec<_>>();

            prop_assert_eq!(audience.checksum(), session_checksum(ids(&all)));
            prop_assert_eq!(audience.len(), all.len());
            let members: BTreeSet<_> = audience.members().map(|(_, it)| it.session).collect();
            prop_assert_eq!(members, ids(&all).into_iter().collect());
            for id in &all {
                let (roster, member) = audience.member(session(*id)).unwrap();
                prop_assert_eq!(roster.account.0, i64::from(owners[id]));
                prop_assert_eq!(member.session, session(*id));
            }
            let difference = audience.difference(&ids(&claimed));
            prop_assert_eq!(difference.missing, ids(&all.difference(&claimed).copied().collect()));
            prop_assert_eq!(difference.surplus, ids(&claimed.difference(&all).copied().collect()));
        }
    }
}
