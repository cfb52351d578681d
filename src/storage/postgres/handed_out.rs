//! How far this process has handed out its inboxes, whatever the server remembers.
//!
//! A lease does not wait for the disk ([`super::lease`]), so a server that crashes may forget one
//! whose messages were sent. Their reader may acknowledge them before they come again, and their rows
//! look as if nobody had been given them. Since nothing is handed out before what came earlier, one
//! number for each inbox tells the two apart: what is not above it counts as handed out. That may be
//! said of a row that came late with a lower number, too; only whoever reads the inbox can name it.
//!
//! That is a help for as long as the process lives. What another one handed out, or one before,
//! comes again after such a crash even if it was acknowledged in between.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::ids::Order;
use crate::domain::inbox::{InboxKey, Waiting};

/// How many inboxes are remembered, at most.
const INBOXES: usize = 100_000;

/// The last of what each reader was given.
#[derive(Default)]
pub(super) struct HandedOut(Mutex<HashMap<InboxKey, Order>>);

impl HandedOut {
    /// Notes what a reader is about to get.
    pub(super) fn note(&self, inbox: InboxKey, messages: &[Waiting]) {
        let Some(last) = messages.iter().map(|message| message.order).max() else { return };
        let mut inboxes = self.lock();
        if inboxes.len() >= INBOXES && !inboxes.contains_key(&inbox) {
            inboxes.clear();
        }
        let known = inboxes.entry(inbox).or_insert(last);
        *known = last.max(*known);
    }

    /// The last of what a reader was given, if anything.
    pub(super) fn last(&self, inbox: InboxKey) -> Option<Order> {
        self.lock().get(&inbox).copied()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InboxKey, Order>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
