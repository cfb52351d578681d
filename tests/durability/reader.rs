//! A device that fetches and acknowledges while the gateway's database comes and goes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use sealpost::sdk::ids::MessageId;
use sealpost::sdk::keystore::Keystore;
use sealpost::sdk::types::InboxMessage;

use super::actors::{Actor, PAGE};

/// How many seconds a device waits for messages at a time.
const WAIT: u64 = 1;

/// What a device has read so far.
#[derive(Default)]
pub struct Reader {
    /// When the gateway took each message, as it came with it: one that was stored twice has two.
    taken_at: BTreeMap<MessageId, String>,
    /// Fetched, and not acknowledged with success.
    owed: BTreeSet<MessageId>,
    /// Acknowledged with success.
    pub acknowledged: BTreeSet<MessageId>,
    /// Messages in all pages.
    pub fetched: usize,
    /// Those of them that came again, since no acknowledgement had been answered with success.
    pub again: usize,
}

impl Reader {
    /// Fetches a page, or acknowledges all that is owed; `None` when that was refused. So some of it
    /// is held whenever the server dies, and is acknowledged then, or comes again before.
    pub fn turn(&mut self, device: &mut Actor, sender: &Keystore) -> io::Result<Option<()>> {
        if self.owed.is_empty() || device.below(2) == 0 {
            let page = device.try_fetch(sender, WAIT)?;
            return Ok(page.map(|page| self.note(&page)));
        }
        while !self.owed.is_empty() {
            let page: Vec<_> = self.owed.iter().copied().take(PAGE).collect();
            let Some(()) = device.try_acknowledge(&page)? else {
                return Ok(None);
            };
            self.owed.retain(|message| !page.contains(message));
            self.acknowledged.extend(page);
        }
        Ok(Some(()))
    }

    /// Whether nothing is left to acknowledge.
    pub fn is_even(&self) -> bool {
        self.owed.is_empty()
    }

    fn note(&mut self, page: &[InboxMessage]) {
        let before = self.owed.clone();
        for InboxMessage { message_id, created_at, .. } in page {
            let taken_at = self.taken_at.entry(*message_id).or_insert_with(|| created_at.clone());
            assert_eq!(taken_at, created_at, "stored twice: {message_id}");
            let is_gone = self.acknowledged.contains(message_id);
            assert!(!is_gone, "acknowledged and delivered again: {message_id}");
            self.again += usize::from(before.contains(message_id));
            let is_once = self.owed.insert(*message_id) || before.contains(message_id);
            assert!(is_once, "twice in one answer: {message_id}");
        }
        self.fetched += page.len();
    }
}
