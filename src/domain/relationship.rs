//! What accounts are to each other: friends, or blocked.

use super::account::Account;
use super::error::Fault;
use super::gateway::Gateway;
use super::ids::{AccountNumber, UserId};

/// What an account is to another one, if it is anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// Added as a friend.
    Friend,
    /// Its messages are not wanted.
    Blocked,
}

impl Relation {
    /// The name under which the store keeps it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Friend => "friend",
            Self::Blocked => "blocked",
        }
    }

    /// The relation of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Friend, Self::Blocked].into_iter().find(|relation| relation.as_str() == name)
    }
}

/// How a relation changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationChange {
    /// The account is this from now on, whatever it was.
    Set(Relation),
    /// It is nothing in particular from now on, if it was this.
    Clear(Relation),
}

/// How many friends or blocked accounts a list holds, at most.
const LISTED: u32 = 1000;

impl Gateway {
    /// Changes what `other` is to `owner`; returns the other account, and what it is now.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when both are the same account, [`Fault::NotFound`] when `other` is unknown.
    pub async fn change_relation(
        &self,
        owner: &Account,
        other: UserId,
        change: RelationChange,
    ) -> Result<Account, Fault> {
        if other == owner.id {
            return Err(Fault::invalid("user_id", "is the caller"));
        }
        let other = self.account(other).await?;
        let now = self.clock.now();
        self.store.change_relation(owner.number, other.number, change, now).await?;
        Ok(other)
    }

    /// The accounts that are `relation` to `owner`, the latest first, a thousand at most.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn related(
        &self,
        owner: AccountNumber,
        relation: Relation,
    ) -> Result<Vec<Account>, Fault> {
        self.store.related(owner, relation, LISTED).await
    }

    /// Those of `among` that have blocked `account`: they get nothing from it that is for them
    /// alone, and it may not add them to a group.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn blockers(
        &self,
        account: AccountNumber,
        among: &[AccountNumber],
    ) -> Result<Vec<AccountNumber>, Fault> {
        if among.is_empty() {
            return Ok(Vec::new());
        }
        self.store.blockers(account, among).await
    }
}
