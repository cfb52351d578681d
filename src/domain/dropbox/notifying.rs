//! Who is told by mail that something came.
//!
//! Nothing here waits for a mail: what is to be written goes into a queue of bounded length, and
//! what does not fit into it, or would be too much for one recipient, is not written at all. A mail
//! says that something came, never what.

use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::mail::{EmailAddress, Mail};
use super::{BoxToken, DropBox};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::error::Fault;
use crate::domain::limits::Buckets;
use crate::domain::ports::Mailer;

/// Mails that may wait.
const WAITING: usize = 1000;

/// Mails to one recipient in a minute, and at once: whoever knows a token makes the gateway write.
const FOR_ONE: u64 = 2;

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
    for_one: Buckets<EmailAddress>,
    for_all: Buckets<()>,
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
            for_one: Buckets::new(FOR_ONE, "the number of mails to one recipient"),
            for_all: Buckets::new(FOR_ALL, "the number of mails"),
            waiting: Mutex::new(Vec::new()),
        };
        Self { post: Some(post) }
    }

    /// Whether there is any mail.
    #[must_use]
    pub fn are_sent(&self) -> bool {
        self.post.is_some()
    }

    /// Tells the owner of a box that something came into it.
    pub(super) fn message_came(&self, to: &DropBox, now: Timestamp) {
        let (Some(post), Some(owner)) = (&self.post, &to.content.notify) else { return };
        let link = (post.links)(&to.content.token);
        let when = match to.is_released(now) {
            true => "You can read it now.".to_owned(),
            false => match to.content.release_at {
                Some(release_at) => format!("It can be read from {release_at} on."),
                None => String::new(),
            },
        };
        let text = format!("A message was left in your drop box.\n\n{link}\n\n{when}\n");
        let mail = Mail {
            to: owner.clone(),
            subject: "A message in your drop box",
            text: Zeroizing::new(text),
        };
        // Who wants to be told often is told seldom; what waits is in the box anyway.
        let _ = post.put(mail);
    }

    /// Sends a letter's link to its reader, with `text` around it.
    ///
    /// # Errors
    /// [`Fault::RateLimited`] when too much was written to this recipient or to all of them,
    /// [`Fault::Unavailable`] when no mail is sent here or too much of it waits.
    pub fn letter(&self, to: EmailAddress, text: Zeroizing<String>) -> Result<(), Fault> {
        let post =
            self.post.as_ref().ok_or_else(|| Fault::unavailable("mail is not sent", None))?;
        post.put(Mail { to, subject: "A message for you, to be read once", text })
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
    fn put(&self, mail: Mail) -> Result<(), Fault> {
        let now = self.clock.now();
        self.for_one.require(mail.to.clone(), 1, now)?;
        self.for_all.take((), 1, now)?;
        self.for_one.take(mail.to.clone(), 1, now)?;
        let mut waiting = self.queue();
        if waiting.len() >= WAITING {
            return Err(Fault::unavailable("too much mail waits", None));
        }
        waiting.push(mail);
        Ok(())
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Vec<Mail>> {
        // A list is in order whatever panicked beside it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
