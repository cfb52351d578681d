//! Who is listening on this node.
//!
//! The hub turns hints into wake-ups. A hint says only "look again": readers look at the store
//! before they wait and from time to time, so a lost or doubled hint costs time, never a message.
//! Notices for senders are the one thing that a hint itself carries; they may get lost.

mod door;
mod members;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::domain::acknowledge::Notice;
use crate::domain::ids::{AccountNumber, MessageId, SessionNumber};
use crate::domain::measures::Histogram;
use crate::domain::ports::{Hint, HintStream};

use door::Door;
use members::MemberLines;

pub use members::{MemberListener, Told};

/// How many notices wait for a listener at most; further ones are dropped.
pub const NOTICES: usize = 64;

/// How many acknowledged messages a listener hears of late at most; what it misses frees its place
/// in the reader's window when the lease ends.
const TAKEN: usize = 1024;

/// The listeners of this node.
#[derive(Debug, Default)]
pub struct Hub {
    lines: Mutex<Lines>,
    members: MemberLines,
    /// Told whenever anybody's roster rises.
    rosters: watch::Sender<()>,
    /// Whether nobody may wait here.
    closed: watch::Sender<bool>,
    /// How long it took until readers that were woken looked.
    wakes: Histogram,
}

#[derive(Debug, Default)]
struct Lines {
    by_session: HashMap<SessionNumber, Vec<Arc<Line>>>,
    /// Only those that want notices.
    by_account: HashMap<AccountNumber, Vec<Arc<Line>>>,
    door: Door,
}

/// From the hub to one listener.
#[derive(Debug, Default)]
struct Line {
    ring: Notify,
    news: Mutex<News>,
}

/// What a listener has not heard yet.
#[derive(Debug, Default)]
struct News {
    /// Since when there may be something to look for.
    look: Option<Instant>,
    look_soon: bool,
    ended: bool,
    closing: bool,
    taken: Vec<MessageId>,
    notices: Vec<Notice>,
}

/// One reader's line to the hub; dropping it hangs up.
#[derive(Debug)]
pub struct Listener {
    hub: Arc<Hub>,
    session: SessionNumber,
    account: Option<AccountNumber>,
    line: Arc<Line>,
}

/// Why a listener woke up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Something may wait.
    Look,
    /// Something may wait for anybody; not everybody should look in the same moment.
    LookSoon,
    /// The session has taken care of these, perhaps by other means.
    Taken(Vec<MessageId>),
    /// Readers have taken care of messages of this account.
    Notices(Vec<Notice>),
    /// The session was revoked.
    SessionEnded,
    /// This node is shutting down, or sends its readers away.
    Closing,
}

impl Hub {
    /// Opens a line for `session`. Hints that come after this call will be heard.
    #[must_use]
    pub fn listen(self: &Arc<Self>, session: SessionNumber) -> Listener {
        self.open(session, None)
    }

    /// The same, and the notices for `account`.
    #[must_use]
    pub fn listen_with_notices(
        self: &Arc<Self>,
        session: SessionNumber,
        account: AccountNumber,
    ) -> Listener {
        self.open(session, Some(account))
    }

    /// Changes whenever anybody's roster rises.
    #[must_use]
    pub fn rosters(&self) -> watch::Receiver<()> {
        self.rosters.subscribe()
    }

    /// Passes hints on until the stream ends.
    pub async fn run(self: Arc<Self>, mut hints: HintStream) {
        while let Some(hint) = hints.next().await {
            self.pass_on(&hint);
        }
    }

    /// Ends all waiting, so that the node can stop.
    pub fn close(&self) {
        self.change_door(|door| door.closed = true);
    }

    /// Ends all waiting as [`Self::close`] does, until [`Self::let_in`].
    pub fn send_away(&self) {
        self.change_door(|door| door.away = true);
    }

    /// Lets listeners in again, unless the node is shutting down.
    pub fn let_in(&self) {
        self.change_door(|door| door.away = false);
    }

    fn change_door(&self, change: impl FnOnce(&mut Door)) {
        let mut lines = self.lines();
        change(&mut lines.door);
        let is_shut = lines.door.is_shut();
        if is_shut {
            tell(lines.by_session.values().flatten(), |news| news.closing = true);
        }
        self.members.shut(is_shut);
        self.closed.send_replace(is_shut);
    }

    /// Over when nobody may wait here any more; for whoever does so without a session.
    pub async fn closed(&self) {
        // The sender lives in the hub.
        drop(self.closed.subscribe().wait_for(|closed| *closed).await);
    }

    /// How long it took from a hint about new messages until each of those who read here looked.
    #[must_use]
    pub fn wakes(&self) -> &Histogram {
        &self.wakes
    }

    /// How many sessions somebody listens for.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.lines().by_session.len()
    }

    /// Whether somebody listens for a session here.
    #[must_use]
    pub fn is_listened_to(&self, session: SessionNumber) -> bool {
        self.lines().by_session.contains_key(&session)
    }

    fn open(self: &Arc<Self>, session: SessionNumber, account: Option<AccountNumber>) -> Listener {
        let mut lines = self.lines();
        let line = Arc::new(Line::default());
        line.news().closing = lines.door.is_shut();
        lines.by_session.entry(session).or_default().push(line.clone());
        if let Some(account) = account {
            lines.by_account.entry(account).or_default().push(line.clone());
        }
        Listener { hub: self.clone(), session, account, line }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass_on(&self, hint: &Hint) {
        let lines = self.lines();
        match hint {
            Hint::Wake(sessions) => {
                let woken = sessions.iter().filter_map(|it| lines.by_session.get(it)).flatten();
                let now = Instant::now();
                tell(woken, |news| news.look = news.look.or(Some(now)));
            }
            Hint::SessionEnded(session) => {
                let ended = lines.by_session.get(session).into_iter().flatten();
                tell(ended, |news| news.ended = true);
                self.members.end(*session);
            }
            Hint::Taken { session, ids } => {
                let readers = lines.by_session.get(session).into_iter().flatten();
                tell(readers, |news| news.take_ids(ids));
            }
            Hint::Acknowledged(notices) => {
                for notice in notices.iter() {
                    let told = lines.by_account.get(&notice.sender).into_iter().flatten();
                    tell(told, |news| news.take(*notice));
                }
            }
            Hint::RosterChanged(_) => self.rosters.send_modify(|()| ()),
            Hint::Member { account, event } => self.members.tell(*account, event),
            Hint::Everybody => {
                self.rosters.send_modify(|()| ());
                self.members.tell_of_loss();
                tell(lines.by_session.values().flatten(), |news| news.look_soon = true);
            }
        }
    }
}

fn tell<'a>(lines: impl Iterator<Item = &'a Arc<Line>>, mut what: impl FnMut(&mut News)) {
    for line in lines {
        what(&mut line.news());
        line.ring.notify_one();
    }
}

impl Line {
    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News {
    fn take(&mut self, notice: Notice) {
        if self.notices.len() < NOTICES {
            self.notices.push(notice);
        }
    }

    fn take_ids(&mut self, ids: &[MessageId]) {
        let room = TAKEN.saturating_sub(self.taken.len());
        self.taken.extend(ids.iter().take(room));
    }

    /// The most important piece of news; the others stay.
    fn next(&mut self) -> Option<Wake> {
        if self.closing {
            return Some(Wake::Closing);
        }
        if self.ended {
            return Some(Wake::SessionEnded);
        }
        if !self.taken.is_empty() {
            return Some(Wake::Taken(std::mem::take(&mut self.taken)));
        }
        if self.look.take().is_some() {
            self.look_soon = false;
            return Some(Wake::Look);
        }
        if std::mem::take(&mut self.look_soon) {
            return Some(Wake::LookSoon);
        }
        (!self.notices.is_empty()).then(|| Wake::Notices(std::mem::take(&mut self.notices)))
    }
}

impl Listener {
    /// Waits for the next hint that came after the last call. A call that is given up loses
    /// nothing.
    pub async fn wake(&mut self) -> Wake {
        loop {
            // Not held while waiting.
            let (since, next) = {
                let mut news = self.line.news();
                (news.look, news.next())
            };
            if let (Some(Wake::Look), Some(since)) = (&next, since) {
                self.hub.wakes.observe(since.elapsed());
            }
            if let Some(wake) = next {
                return wake;
            }
            self.line.ring.notified().await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut lines = self.hub.lines();
        hang_up(&mut lines.by_session, self.session, &self.line);
        if let Some(account) = self.account {
            hang_up(&mut lines.by_account, account, &self.line);
        }
    }
}

fn hang_up<Key: Eq + Hash, Any>(
    lines: &mut HashMap<Key, Vec<Arc<Any>>>,
    key: Key,
    line: &Arc<Any>,
) {
    if let Entry::Occupied(mut entry) = lines.entry(key) {
        entry.get_mut().retain(|one| !Arc::ptr_eq(one, line));
        if entry.get().is_empty() {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use sealpost_sdk::types::AcknowledgementStatus;

    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::ids::{AccountNumber, SessionId, UserId};

    const ANNA: SessionNumber = SessionNumber(1);
    const BERT: SessionNumber = SessionNumber(2);

    fn notice(sender: i64) -> Notice {
        Notice {
            sender: AccountNumber(sender),
            message_id: MessageId::from_uuid(uuid::Uuid::nil()),
            reader: UserId::from_uuid(uuid::Uuid::nil()),
            session: SessionId::from_uuid(uuid::Uuid::nil()),
            status: AcknowledgementStatus::Read,
            at: Timestamp::from_micros(0),
        }
    }

    #[tokio::test]
    async fn a_hint_before_the_wait_is_not_lost() {
        let hub = Arc::new(Hub::default());
        let mut listener = hub.listen(ANNA);
        hub.pass_on(&Hint::Wake([ANNA].into()));
        assert_eq!(listener.wake().await, Wake::Look);
    }

    #[tokio::test]
    async fn others_are_left_alone() {
        let hub = Arc::new(Hub::default());
        let (mut anna, mut bert) = (hub.listen(ANNA), hub.listen(BERT));
        hub.pass_on(&Hint::Wake([BERT].into()));
        assert_eq!(bert.wake().await, Wake::Look);
        let quiet = futures_util::poll!(std::pin::pin!(anna.wake()));
        assert!(quiet.is_pending());
    }

    #[test]
    fn whoever_follows_rosters_hears_of_each_that_rises_and_of_hints_that_were_lost() {
        let hub = Arc::new(Hub::default());
        let mut rosters = hub.rosters();
        for (hint, heard) in [
            (Hint::RosterChanged(AccountNumber(7)), true),
            (Hint::Everybody, true),
            (Hint::Wake([ANNA].into()), false),
        ] {
            rosters.mark_unchanged();
            hub.pass_on(&hint);
            assert_eq!(rosters.has_changed().ok(), Some(heard), "{hint:?}");
        }
    }

    #[tokio::test]
    async fn all_listeners_of_a_session_hear_the_same_hint() {
        let hub = Arc::new(Hub::default());
        let (mut one, mut other) = (hub.listen(ANNA), hub.listen(ANNA));
        hub.pass_on(&Hint::Wake([ANNA].into()));
        assert_eq!((one.wake().await, other.wake().await), (Wake::Look, Wake::Look));
    }

    #[tokio::test]
    async fn revocation_and_shutdown_are_told_apart() {
        let hub = Arc::new(Hub::default());
        let mut listener = hub.listen(ANNA);
        hub.pass_on(&Hint::SessionEnded(ANNA));
        assert_eq!(listener.wake().await, Wake::SessionEnded);
        hub.close();
        assert_eq!(listener.wake().await, Wake::Closing);
        assert_eq!(hub.listen(BERT).wake().await, Wake::Closing);
        hub.closed().await;
    }

    #[tokio::test]
    async fn whoever_is_sent_away_goes_and_others_may_come_once_they_are_let_in() {
        let hub = Arc::new(Hub::default());
        let (mut anna, mut member) =
            (hub.listen(ANNA), hub.listen_to_member(AccountNumber(7), ANNA));
        hub.send_away();
        assert_eq!(anna.wake().await, Wake::Closing);
        assert_eq!(member.told(true).await, Told::Closing);
        assert_eq!(hub.listen(BERT).wake().await, Wake::Closing);
        hub.closed().await;
        hub.let_in();
        let mut bert = hub.listen(BERT);
        assert!(futures_util::poll!(std::pin::pin!(bert.wake())).is_pending());
        assert!(futures_util::poll!(std::pin::pin!(hub.closed())).is_pending());
        hub.close();
        hub.let_in();
        assert_eq!(bert.wake().await, Wake::Closing, "a node that stops lets nobody in");
    }

    #[tokio::test]
    async fn when_hints_were_lost_everybody_looks_but_not_at_once() {
        let hub = Arc::new(Hub::default());
        let mut listener = hub.listen(ANNA);
        hub.pass_on(&Hint::Everybody);
        assert_eq!(listener.wake().await, Wake::LookSoon);
    }

    #[tokio::test]
    async fn notices_go_to_their_account_and_never_pile_up() {
        let hub = Arc::new(Hub::default());
        let mut anna = hub.listen_with_notices(ANNA, AccountNumber(7));
        let _poll = hub.listen(ANNA);
        for sender in [8, 7].repeat(NOTICES + 1) {
            hub.pass_on(&Hint::Acknowledged([notice(sender)].into()));
        }
        assert_eq!(anna.wake().await, Wake::Notices(vec![notice(7); NOTICES]));
    }

    #[test]
    fn the_last_listener_takes_its_line_away() {
        let hub = Arc::new(Hub::default());
        let first = hub.listen_with_notices(ANNA, AccountNumber(7));
        let second = hub.listen(ANNA);
        drop(first);
        assert_eq!((hub.sessions(), hub.lines().by_account.len()), (1, 0));
        drop(second);
        assert_eq!(hub.sessions(), 0);
    }
}
