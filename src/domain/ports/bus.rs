//! Hints between the parts of the gateway.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;

use crate::domain::acknowledge::Notice;
use crate::domain::ids::{AccountNumber, MessageId, SessionNumber};
use crate::domain::messenger::MemberEvent;

/// A hint from one part of the gateway to the others. Hints may be lost, doubled or late; the
/// store is the truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Something waits for these sessions.
    Wake(Arc<[SessionNumber]>),
    /// This session was revoked.
    SessionEnded(SessionNumber),
    /// A session has taken care of messages; for its other readers, which need not hold them.
    Taken {
        /// The session.
        session: SessionNumber,
        /// What it has taken care of.
        ids: Arc<[MessageId]>,
    },
    /// Readers have taken care of messages; for their senders.
    Acknowledged(Arc<[Notice]>),
    /// The roster of this account rose.
    RosterChanged(AccountNumber),
    /// Something happened to a member; for whoever of its devices listens.
    Member {
        /// The member's account.
        account: AccountNumber,
        /// What happened.
        event: Arc<MemberEvent>,
    },
    /// So many hints were lost that everybody should look.
    Everybody,
}

/// The hints that come in.
pub type HintStream = Pin<Box<dyn Stream<Item = Hint> + Send>>;

/// Carries hints.
pub trait Bus: Send + Sync {
    /// Tells everybody; never waits.
    fn publish(&self, hint: Hint);

    /// All hints from now on.
    fn subscribe(&self) -> HintStream;
}
