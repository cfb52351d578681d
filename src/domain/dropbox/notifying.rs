//! Who is told by mail that something came.
//!
//! Nothing here waits for a mail: what is to be written goes into a queue of bounded length, and
//! what does not fit into it, or would be too much for one recipient, is not written at all. A mail
//! says that something came, never what.
//!
//! Whoever knows a token makes the gateway write, to an address that nobody has confirmed. So much
//! is written, as far as this process knows:
//!
//! | to | |
//! | --- | --- |
//! | an owner, about one box | once until it was read, or a day has passed |
//! | an owner, about all boxes | one mail in an hour |
//! | a letter's reader | five in an hour |
//! | anybody, because of one network | ten in a minute |
//! | everybody | 120 in a minute |

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use zeroize::Zeroizing;

use super::guests::Guests;
use super::hourly::Hourly;
use super::mail::{EmailAddress, Mail};
use super::{BoxToken, DropBox};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::error::Fault;
use crate::domain::limits::Buckets;
use crate::domain::ports::Mailer;

/// Mails that may wait.
const WAITING: usize = 1000;

/// Mails in an hour to one owner of boxes.
const FOR_OWNER: u64 = 1;

/// Letters in an hour to one reader.
const FOR_READER: u64 = 5;

/// Mails in a minute, and at once, that one network is the reason for.
const FOR_SENDER: u64 = 10;

/// About a box that nobody reads its owner is told again after so long.
const AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// Boxes of which it is remembered that their owners were told.
const REMEMBERED: u64 = 100_000;

const TO_ONE: &str = "the number of mails to one recipient";

/// Mails to everybody in a minute, and at once.
const FOR_ALL: u64 = 120;

/// Makes the text of what owners of boxes are told, from the link to a box.
pub type Links = Arc<dyn Fn(&BoxToken) -> String + Send + Sync>;

/// Mail that waits to be sent, if any is sent at all.
pub struct Notices {
    post: Option<Post>,
}

struct Post {
    clock: Arc<dyn Clock>,
    links: Links,
    owners: Hourly<String>,
    readers: Hourly<String>,
    senders: Guests<()>,
    for_all: Buckets<()>,
    /// Until when their owners know that something came, unless they read it before.
    told: Cache<BoxToken, Timestamp>,
    waiting: Mutex<Vec<Mail>>,
}

impl Notices {
    /// No mail at all.
    #[must_use]
    pub fn none() -> Self {
        Self { post: None }
    }

    /// Mail, with links to boxes as `links` makes them.
    #[must_use]
    pub fn by_mail(clock: Arc<dyn Clock>, links: Links) -> Self {
        let post = Post {
            clock,
            links,
            owners: Hourly::new(FOR_OWNER, TO_ONE),
            readers: Hourly::new(FOR_READER, TO_ONE),
            senders: Guests::new(FOR_SENDER, "the number of mails for one sender"),
            for_all: Buckets::new(FOR_ALL, "the number of mails"),
            told: Cache::builder().max_capacity(REMEMBERED).time_to_idle(2 * AGAIN).build(),
            waiting: Mutex::new(Vec::new()),
        };
        Self { post: Some(post) }
    }

    /// Whether there is any mail.
    #[must_use]
    pub fn are_sent(&self) -> bool {
        self.post.is_some()
    }

    /// Tells the owner of a box that something came into it from somewhere.
    pub(super) fn message_came(&self, to: &DropBox, from: Option<IpAddr>, now: Timestamp) {
        let (Some(post), Some(owner)) = (&self.post, &to.content.notify) else { return };
        let token = to.content.token;
        if post.told.get(&token).is_some_and(|until| now < until) {
            return;
        }
        let link = (post.links)(&to.content.token);
        let when = match to.is_released(now) {
            true => "You can read it now.".to_owned(),
            false => match to.content.release_at {
                Some(release_at) => format!("It can be read from {release_at} on."),
                None => String::new(),
            },
        };
        let text = format!(
            "A message was left in your drop box.\n\n{link}\n\n{when}\n\nNo other mail comes about \
             this box until it was read, or a day has passed.\n"
        );
        let mail = Mail {
            to: owner.clone(),
            subject: "A message in your drop box",
            text: Zeroizing::new(text),
        };
        // Who wants to be told often is told seldom; what waits is in the box anyway.
        if post.put(mail, from, &post.owners).is_ok() {
            post.told.insert(token, now.plus(AGAIN));
        }
    }

    /// Notes that an owner has seen what there is; the next message is news again.
    pub(super) fn box_was_read(&self, token: &BoxToken) {
        if let Some(post) = &self.post {
            post.told.invalidate(token);
        }
    }

    /// Sends a letter's link to its reader, with `text` around it, for somebody who left it.
    ///
    /// # Errors
    /// [`Fault::RateLimited`] when too much was written to this recipient, for this sender or to
    /// everybody, [`Fault::Unavailable`] when no mail is sent here or too much of it waits.
    pub fn letter(
        &self,
        to: EmailAddress,
        from: Option<IpAddr>,
        text: Zeroizing<String>,
    ) -> Result<(), Fault> {
        let post =
            self.post.as_ref().ok_or_else(|| Fault::unavailable("mail is not sent", None))?;
        let mail = Mail { to, subject: "A message for you, to be read once", text };
        post.put(mail, from, &post.readers)
    }

    /// Sends what waits, one mail after the other; returns what could not be sent, once each.
    pub async fn deliver(&self, mailer: &dyn Mailer) -> Vec<Fault> {
        let Some(post) = &self.post else { return Vec::new() };
        let waiting = std::mem::take(&mut *post.queue());
        let mut faults = Vec::new();
        for mail in waiting {
            if let Err(fault) = mailer.send(&mail).await {
                faults.push(fault);
            }
        }
        faults
    }
}

impl Post {
    fn put(
        &self,
        mail: Mail,
        from: Option<IpAddr>,
        recipients: &Hourly<String>,
    ) -> Result<(), Fault> {
        let now = self.clock.now();
        let mut waiting = self.queue();
        if waiting.len() >= WAITING {
            return Err(Fault::unavailable("too much mail waits", None));
        }
        self.senders.require((), from, 1, now)?;
        self.for_all.require((), 1, now)?;
        // Nobody else takes from the others meanwhile: whoever does has the queue.
        recipients.take(mail.to.mailbox(), now)?;
        self.senders.take((), from, 1, now)?;
        self.for_all.take((), 1, now)?;
        waiting.push(mail);
        Ok(())
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Vec<Mail>> {
        // A list is in order whatever panicked beside it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::TestClock;
    use crate::domain::dropbox::{AfterReading, BoxNumber, NewDropBox};

    const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn notices() -> (Notices, Arc<TestClock>) {
        let clock = Arc::new(TestClock::at(START));
        (Notices::by_mail(clock.clone(), Arc::new(|_| "link".to_owned())), clock)
    }

    fn drop_box(n: u8, notify: &str) -> DropBox {
        let content = NewDropBox {
            token: BoxToken::two([n; 16]),
            public_key: Vec::new(),
            private_key: None,
            kdf: None,
            secret: None,
            created_at: START,
            release_at: None,
            lock_at: START.plus(AGAIN),
            ends_at: START.plus(AGAIN),
            after_reading: AfterReading::default(),
            notify: EmailAddress::parse(notify),
        };
        DropBox { number: BoxNumber(n.into()), content }
    }

    fn from(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([203, 0, 113, last]))
    }

    /// How many mails wait; then they do no longer.
    fn waiting(notices: &Notices) -> usize {
        std::mem::take(&mut *notices.post.as_ref().unwrap().queue()).len()
    }

    #[test]
    fn an_owner_is_told_once_until_the_box_was_read() {
        let (notices, clock) = notices();
        let to = drop_box(1, "anna@example.org");
        let told = || {
            notices.message_came(&to, from(1), clock.now());
            waiting(&notices)
        };
        assert_eq!((told(), told()), (1, 0));
        clock.advance(Duration::from_secs(2 * 60 * 60));
        assert_eq!(told(), 0, "it was not read");
        notices.box_was_read(&to.content.token);
        assert_eq!((told(), told()), (1, 0));
        clock.advance(AGAIN);
        assert_eq!(told(), 1, "nor will it be lost for ever");
    }

    #[test]
    fn an_owner_of_many_boxes_gets_one_mail_in_an_hour() {
        let (notices, clock) = notices();
        let ways = ["anna@example.org", "Anna@example.org", "anna+x@EXAMPLE.org"];
        for (n, way) in (1..).zip(ways) {
            notices.message_came(&drop_box(n, way), from(n), clock.now());
        }
        assert_eq!(waiting(&notices), 1);
        clock.advance(Duration::from_secs(60 * 60));
        notices.message_came(&drop_box(2, ways[1]), from(2), clock.now());
        assert_eq!(waiting(&notices), 1);
    }

    #[test]
    fn a_reader_gets_few_letters_and_one_sender_does_not_use_up_the_mail() {
        let (notices, _) = notices();
        let letter = |to: &str, last| {
            let to = EmailAddress::parse(to).unwrap();
            notices.letter(to, from(last), Zeroizing::new(String::new()))
        };
        assert!((0..5).all(|_| letter("anna@example.org", 1).is_ok()));
        assert!(letter("ANNA@example.org", 2).is_err());
        for n in 0..5 {
            letter(&format!("{n}@example.org"), 1).unwrap();
        }
        assert!(letter("next@example.org", 1).is_err(), "ten for one sender");
        letter("next@example.org", 2).unwrap();
        assert_eq!(waiting(&notices), 11);
    }
}
