//! What one account is to another.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::UserId;

/// The body of `POST /relationships`. Mixin's clients may send `full_name` and `phone` too, which
/// are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangeRelationship {
    /// The other account.
    pub user_id: UserId,
    /// What becomes of it.
    pub action: RelationshipAction,
}

/// How a relationship changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum RelationshipAction {
    /// The account becomes a friend.
    Add,
    /// It is a stranger again.
    Remove,
    /// Its messages to the caller are rejected from now on.
    Block,
    /// It is a stranger again, and may write.
    Unblock,
}

/// What an account is to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relationship {
    /// The caller itself.
    Me,
    /// Somebody the caller added.
    Friend,
    /// Nobody in particular.
    Stranger,
    /// Somebody whose messages the caller does not want.
    Blocking,
}

impl Relationship {
    /// The word in `User.relationship`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Me => "ME",
            Self::Friend => "FRIEND",
            Self::Stranger => "STRANGER",
            Self::Blocking => "BLOCKING",
        }
    }
}

impl fmt::Display for Relationship {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
