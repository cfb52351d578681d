//! The rules of drop boxes.
//!
//! | step of a file | row | bytes |
//! | --- | --- | --- |
//! | coming in | ends when an upload of its size must be over | being written |
//! | kept | ends with its message or letter | whole |
//! | over | to be forgotten | being removed |
//!
//! A crash between two steps leaves what the next sweep goes on with.

mod files;
mod letters;
mod upkeep;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::message::{FULL_OF_BYTES, FULL_OF_MESSAGES, NewDropMessage};
use super::notifying::Notices;
use super::stock::{self, Stock};
use super::tries::{Lock, Tries};
use super::{
    AfterReading, BoxToken, CreatedBox, DropBox, DropBoxPolicy, DropId, DropMessage, DropPage,
    Ending, Form, NewDropBox, Put, PutOutcome, ReadDrop, StoredFile, Taking, Version,
};
use crate::domain::account::Dialect;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;
use crate::domain::measures::Outcome;
use crate::domain::ports::Blobs;

pub use letters::NewLetter;

/// How long bytes of files are kept for whoever took their messages out, and a box that goes after
/// it was read.
const GRACE: Duration = Duration::from_secs(60 * 60);

/// Drop boxes and letters, whatever their version.
pub struct Depot {
    gateway: Arc<Gateway>,
    blobs: Arc<dyn Blobs>,
    policy: DropBoxPolicy,
    tries: Arc<Tries>,
    stock: Arc<Stock>,
    notices: Notices,
    /// Files that could not be removed in the last sweep.
    stuck: AtomicU32,
}

/// What is left in a box, before it has an id and times.
#[derive(Clone, PartialEq, Eq)]
pub struct Drop {
    /// What it is made of.
    pub form: Form,
    /// The encrypted key, as its version writes it.
    pub encryption_key: Vec<u8>,
    /// The encrypted message; empty for a file.
    pub data: Vec<u8>,
    /// Version 1: the hash of what the gateway encrypted.
    pub hash: Option<String>,
    /// Version 2: the encrypted name of a file.
    pub name: Vec<u8>,
    /// The bytes of a file.
    pub file: Option<StoredFile>,
}

/// When a box opens, locks and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Before that nobody may read.
    pub release_at: Option<Timestamp>,
    /// From then on nothing can be left.
    pub lock_at: Timestamp,
    /// From then on it is over.
    pub ends_at: Timestamp,
}

/// Which part of a box is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Messages after that number alone; 0 for all.
    pub after: i64,
    /// At most so many.
    pub limit: u32,
    /// About so many bytes.
    pub bytes: u64,
}

impl Depot {
    /// Drop boxes whose rows are in the gateway's store and whose files are in `blobs`.
    #[must_use]
    pub fn new(
        gateway: Arc<Gateway>,
        blobs: Arc<dyn Blobs>,
        policy: DropBoxPolicy,
        notices: Notices,
    ) -> Self {
        let tries = Arc::new(Tries::new(gateway.clock.clone(), &policy));
        let stock = Arc::new(Stock::new(policy.total_bytes));
        Self { gateway, blobs, policy, tries, stock, notices, stuck: AtomicU32::default() }
    }

    /// How much is kept, and for how long.
    #[must_use]
    pub fn policy(&self) -> &DropBoxPolicy {
        &self.policy
    }

    /// What the rules stand on.
    #[must_use]
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Who is told what by mail.
    #[must_use]
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.gateway.clock.now()
    }

    /// When a box of this moment opens, locks and ends, as far as its maker said so. It lasts for a
    /// while after it was locked and after it may be read, whichever is later.
    ///
    /// # Errors
    /// [`Fault::Invalid`]: `lockdate` in the past; `lockdate`, `releasedate` further from now than
    /// [`DropBoxPolicy::longest_open`].
    pub fn times(
        &self,
        release_at: Option<Timestamp>,
        lock_at: Option<Timestamp>,
    ) -> Result<Times, Fault> {
        let now = self.now();
        let furthest = now.plus(self.policy.longest_open);
        if lock_at.is_some_and(|lock_at| lock_at <= now) {
            return Err(Fault::invalid("lockdate", "is in the past"));
        }
        for (field, at) in [("releasedate", release_at), ("lockdate", lock_at)] {
            if at.is_some_and(|at| at > furthest) {
                let days = self.policy.longest_open.as_secs() / (24 * 60 * 60);
                return Err(Fault::invalid(field, format!("is more than {days} days from now")));
            }
        }
        let later = release_at.map_or(now, |release_at| release_at.max(now));
        let lock_at = lock_at.unwrap_or_else(|| later.plus(self.policy.open_for));
        let ends_at = lock_at.max(later).plus(self.policy.kept_after_lock);
        Ok(Times { release_at, lock_at, ends_at })
    }

    /// Counts somebody who makes a box or a letter.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn may_make(&self, from: Option<IpAddr>) -> Result<(), Fault> {
        self.tries.made(from)
    }

    /// Makes a box.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] when all boxes hold as much as they may.
    pub async fn create(&self, new: NewDropBox) -> Result<CreatedBox, Fault> {
        self.stock.require(stock::FOR_ONE)?;
        let created = self.gateway.store.create_drop_box(new).await?;
        if let CreatedBox::New(_) = created {
            self.stock.add(stock::FOR_ONE);
        }
        Ok(created)
    }

    /// The box with this token, for whoever may write to it.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when there is none, or no longer.
    pub async fn drop_box(&self, token: &BoxToken) -> Result<DropBox, Fault> {
        let found = self.gateway.store.drop_box(token).await?;
        found.filter(|found| found.is_live(self.now())).ok_or_else(no_box)
    }

    /// Refuses who was wrong too often, and counts nothing. For whoever has much to do before the
    /// secret can be shown, which counts the try.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn may_try(&self, lock: Lock, from: Option<IpAddr>) -> Result<(), Fault> {
        self.tries.may_try(lock, from)
    }

    /// The box with this token, for its owner. `proves` is asked once, with the box or without one,
    /// and has to take as long for either; what it says without one does not matter.
    ///
    /// # Errors
    /// [`Fault::RateLimited`] for who was wrong too often, or tries too much at the same time; [`Fault::NotFound`], the same for a token
    /// that nobody has and for a secret that is wrong.
    pub async fn owned<T>(
        &self,
        token: &BoxToken,
        from: Option<IpAddr>,
        proves: impl FnOnce(Option<&DropBox>) -> Option<T>,
    ) -> Result<(DropBox, T), Fault> {
        // Who hangs up before the end is counted as wrong.
        let counted = self.tries.begin(Lock::Box(*token), from)?;
        let found = match self.gateway.store.drop_box(token).await {
            Ok(found) => found.filter(|found| found.is_live(self.now())),
            Err(fault) => {
                counted.was_not_wrong();
                return Err(fault);
            }
        };
        let proof = proves(found.as_ref());
        let (Some(found), Some(proof)) = (found, proof) else { return Err(no_box()) };
        counted.was_not_wrong();
        Ok((found, proof))
    }

    /// Leaves messages in a box, all of them or none, and returns their ids.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when the box is gone, [`Fault::Forbidden`] (`token`) when it takes
    /// nothing any more, [`Fault::TooLarge`] when it, or all boxes, are full or a message is too
    /// large, [`Fault::RateLimited`].
    pub async fn put(
        &self,
        to: &DropBox,
        from: Option<IpAddr>,
        drops: Vec<Drop>,
    ) -> Result<Vec<NewDropMessage>, Fault> {
        let count = drops.len() as u64;
        let put = self.put_uncounted(to, from, drops).await;
        let outcome = match &put {
            Ok(_) => Some(Outcome::Accepted),
            Err(fault) => Outcome::of_refusal(fault),
        };
        if let Some(outcome) = outcome {
            self.gateway.measures.messages(Dialect::KeyService, outcome).add(count);
        }
        put
    }

    async fn put_uncounted(
        &self,
        to: &DropBox,
        from: Option<IpAddr>,
        drops: Vec<Drop>,
    ) -> Result<Vec<NewDropMessage>, Fault> {
        let token = to.content.token;
        self.tries.messages(token, from, drops.len() as u64)?;
        let messages: Vec<_> = drops.into_iter().map(|drop| self.dated(to, drop)).collect();
        messages.iter().try_for_each(|message| self.require_size(message))?;
        // Those of files were counted when they came in.
        let bytes = messages.iter().map(NewDropMessage::small_bytes).sum();
        self.stock.require(bytes)?;
        self.tries.bytes(from, bytes)?;
        let (now, room) = (self.now(), self.policy.room);
        let put = Put { to: to.number, messages: messages.clone(), now, room };
        match self.gateway.store.put_drop_messages(put).await? {
            PutOutcome::Stored(_) => {
                self.stock.add(bytes);
                self.notices.message_came(to, from, now);
                Ok(messages)
            }
            PutOutcome::Gone => Err(no_box()),
            PutOutcome::Locked => Err(locked()),
            PutOutcome::FullOfMessages => Err(full(FULL_OF_MESSAGES, room.messages)),
            PutOutcome::FullOfBytes => Err(full(FULL_OF_BYTES, room.bytes)),
        }
    }

    fn dated(&self, to: &DropBox, drop: Drop) -> NewDropMessage {
        let created_at = self.now();
        let ends_at = created_at.plus(self.policy.message_life);
        // What cannot be read yet waits from when it can.
        let released = to.content.release_at.map(|at| at.plus(self.policy.message_life));
        let ends_at = ends_at.max(released.unwrap_or(ends_at)).min(to.content.ends_at);
        NewDropMessage {
            id: self.random_id(),
            form: drop.form,
            encryption_key: drop.encryption_key,
            data: drop.data,
            hash: drop.hash,
            name: drop.name,
            file: drop.file,
            created_at,
            ends_at,
        }
    }

    fn require_size(&self, message: &NewDropMessage) -> Result<(), Fault> {
        let limit = self.policy.message_bytes;
        let actual = message.data.len() as u64;
        if actual > limit {
            return Err(Fault::TooLarge {
                what: "the number of bytes in the message",
                actual,
                limit,
            });
        }
        Ok(())
    }

    /// Reads a box for its owner, who has proved to be that, and does what is to happen after it
    /// was read, all in one transaction.
    ///
    /// | | messages that go | a box that goes |
    /// | --- | --- | --- |
    /// | version 1 | all at once; bytes of files last for another hour | as well, and it is gone at once |
    /// | version 2 | texts; files an hour after [`Self::file_was_read`] | nothing; it is over an hour later |
    ///
    /// A box goes when all of it was read and that was something: not an empty one.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] (`releasedate`) when nobody may read it yet.
    pub async fn read(&self, owned: &DropBox, stretch: Stretch) -> Result<DropPage, Fault> {
        let now = self.now();
        if !owned.is_released(now) {
            return Err(Fault::forbidden_field("releasedate", "has not come yet"));
        }
        let (token, until) = (&owned.content.token, now.plus(GRACE));
        let AfterReading { messages_go, box_goes } = owned.content.after_reading;
        let (taking, ending) = match token.version() {
            Version::One => (Taking::All { files_until: until }, Ending::Now),
            Version::Two => (Taking::Texts, Ending::At(until)),
        };
        // What is gone for everybody at once may have one reader only.
        let is_taken = messages_go || (box_goes && ending == Ending::Now);
        let Stretch { after, limit, bytes } = stretch;
        let read = ReadDrop {
            from: owned.number,
            after,
            now,
            limit,
            bytes,
            taking: if is_taken { taking } else { Taking::Nothing },
            ending: box_goes.then_some(ending),
        };
        let page = self.gateway.store.drop_messages(read).await?;
        self.notices.box_was_read(token);
        Ok(page)
    }

    /// A message of a box, for its owner.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when there is none, [`Fault::Forbidden`] (`releasedate`) when nobody may
    /// read it yet.
    pub async fn message(&self, owned: &DropBox, id: DropId) -> Result<DropMessage, Fault> {
        let now = self.now();
        if !owned.is_released(now) {
            return Err(Fault::forbidden_field("releasedate", "has not come yet"));
        }
        let found = self.gateway.store.drop_message(owned.number, id).await?;
        found.filter(|found| found.content.ends_at > now).ok_or_else(no_message)
    }

    /// Notes that an owner has got all bytes of a file. Where messages go after reading, this one does
    /// in an hour at the latest: whoever lost the answer may fetch it again until then.
    ///
    /// # Errors
    /// When the store cannot do it.
    pub async fn file_was_read(&self, owned: &DropBox, read: &DropMessage) -> Result<(), Fault> {
        if owned.content.after_reading.messages_go {
            let until = self.now().plus(GRACE);
            self.gateway.store.end_drop_message(owned.number, read.number, until).await?;
        }
        Ok(())
    }

    /// Deletes a message for the box's owner; in version 1 it is named by its number.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when there is none.
    pub async fn delete_message(&self, owned: &DropBox, number: i64) -> Result<(), Fault> {
        let deleted =
            self.gateway.store.delete_drop_message(owned.number, number, self.now()).await?;
        if deleted { Ok(()) } else { Err(no_message()) }
    }

    /// Deletes a box and all that is in it for its owner: it is over for everybody at once, and what
    /// is in it goes with the next sweeps.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when it is gone by now.
    pub async fn delete_box(&self, owned: &DropBox) -> Result<(), Fault> {
        let deleted = self.gateway.store.delete_drop_box(owned.number, self.now()).await?;
        if deleted { Ok(()) } else { Err(no_box()) }
    }

    /// A fresh id.
    fn random_id(&self) -> DropId {
        let mut bytes = [0; 16];
        self.gateway.entropy.fill(&mut bytes);
        DropId(bytes)
    }
}

fn no_box() -> Fault {
    Fault::NotFound { what: "drop box" }
}

fn locked() -> Fault {
    Fault::forbidden_field("token", "this drop box takes no messages any more")
}

fn no_message() -> Fault {
    Fault::NotFound { what: "message" }
}

/// How full it is, its owner alone should know: the first size that is too large will do.
fn full(what: &'static str, limit: u64) -> Fault {
    Fault::TooLarge { what, actual: limit.saturating_add(1), limit }
}
