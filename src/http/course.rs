//! What becomes known of a request on its way, for the layers around its handler.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::http::Extensions;

use crate::domain::ids::AccountNumber;

/// The course of one request; among the request's extensions.
#[derive(Debug, Default)]
pub struct Course {
    account: OnceLock<AccountNumber>,
    at_work: AtomicBool,
    sent_away: AtomicBool,
}

impl Course {
    /// The course of the request with these extensions, which begins here if it has not yet.
    #[must_use]
    pub fn of(extensions: &mut Extensions) -> Arc<Self> {
        extensions.get_or_insert_default::<Arc<Self>>().clone()
    }

    /// Notes whose request it is.
    pub fn is_of(&self, account: AccountNumber) {
        // A request has one caller; the first word stands.
        let _ = self.account.set(account);
    }

    /// Whose request it is, once that is known.
    #[must_use]
    pub fn account(&self) -> Option<AccountNumber> {
        self.account.get().copied()
    }

    /// Notes that all of the request has come and that it may change something from now on: it is
    /// brought to its end, whether or not its client waits for the answer.
    pub fn begin_work(&self) {
        self.at_work.store(true, Ordering::Relaxed);
    }

    /// Whether it may have changed something.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        self.at_work.load(Ordering::Relaxed)
    }

    /// Notes that whoever asked is to go on at another gateway.
    pub fn send_away(&self) {
        self.sent_away.store(true, Ordering::Relaxed);
    }

    /// Whether whoever asked is to go on at another gateway.
    #[must_use]
    pub fn is_sent_away(&self) -> bool {
        self.sent_away.load(Ordering::Relaxed)
    }

    /// Does what [`Self::begin_work`] says for a request with these extensions, if a layer waits to
    /// hear of it.
    pub fn begin_work_of(extensions: &Extensions) {
        if let Some(course) = extensions.get::<Arc<Self>>() {
            course.begin_work();
        }
    }
}
