//! Who wants to hear what happens to a member.
//!
//! Events are hints: they tell somebody to look. So many wait for one listener; when there are more,
//! or hints were lost on the way to the hub, the listener is told that it missed some, and finds out
//! from the store what there is to look for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Hub, hang_up};
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::messenger::MemberEvent;

/// How many events wait for a listener at most.
const EVENTS: usize = 256;

/// From so many on, an event that waits already is not kept a second time.
const MANY: usize = 16;

/// The lines of all who listen to members on this node.
#[derive(Debug, Default)]
pub(super) struct MemberLines(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    by_account: HashMap<AccountNumber, Vec<Arc<Line>>>,
    by_session: HashMap<SessionNumber, Vec<Arc<Line>>>,
    closing: bool,
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
    events: VecDeque<Arc<MemberEvent>>,
    missed: bool,
    ended: bool,
    closing: bool,
}

/// One listener's line to the hub; dropping it hangs up.
#[derive(Debug)]
pub struct MemberListener {
    hub: Arc<Hub>,
    account: AccountNumber,
    session: SessionNumber,
    line: Arc<Line>,
}

/// What a listener is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Something happened.
    Event(Arc<MemberEvent>),
    /// More happened than could be kept.
    Missed,
    /// The device that listens may not go on.
    Ended,
    /// This node is shutting down, or sends its readers away.
    Closing,
}

impl Hub {
    /// Opens a line for what happens to a member, on behalf of one of its devices. What comes after
    /// this call will be heard.
    #[must_use]
    pub fn listen_to_member(
        self: &Arc<Self>,
        account: AccountNumber,
        session: SessionNumber,
    ) -> MemberListener {
        let mut lines = self.members.lines();
        let line = Arc::new(Line::default());
        line.news().closing = lines.closing;
        lines.by_account.entry(account).or_default().push(line.clone());
        lines.by_session.entry(session).or_default().push(line.clone());
        MemberListener { hub: self.clone(), account, session, line }
    }

    /// How many members somebody listens to.
    #[must_use]
    pub fn members(&self) -> usize {
        self.members.lines().by_account.len()
    }
}

impl MemberLines {
    pub(super) fn tell(&self, account: AccountNumber, event: &Arc<MemberEvent>) {
        self.change_all(|lines| lines.by_account.get(&account), |news| news.take(event));
    }

    pub(super) fn end(&self, session: SessionNumber) {
        self.change_all(|lines| lines.by_session.get(&session), |news| news.ended = true);
    }

    pub(super) fn tell_of_loss(&self) {
        let lines = self.lines();
        lines.by_account.values().flatten().for_each(|line| line.change(|news| news.missed = true));
    }

    /// Whether nobody may listen, which those who do are told.
    pub(super) fn shut(&self, is_shut: bool) {
        let mut lines = self.lines();
        lines.closing = is_shut;
        if is_shut {
            let all = lines.by_account.values().flatten();
            all.for_each(|line| line.change(|news| news.closing = true));
        }
    }

    fn change_all(
        &self,
        which: impl for<'a> FnOnce(&'a Lines) -> Option<&'a Vec<Arc<Line>>>,
        what: impl Fn(&mut News),
    ) {
        which(&self.lines()).into_iter().flatten().for_each(|line| line.change(&what));
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn change(&self, what: impl FnOnce(&mut News)) {
        what(&mut self.news());
        self.ring.notify_one();
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News {
    fn take(&mut self, event: &Arc<MemberEvent>) {
        // Whoever looks at everything sees this as well.
        if self.missed || self.events.len() >= MANY && self.events.contains(event) {
            return;
        }
        if self.events.len() >= EVENTS {
            self.missed = true;
            return;
        }
        self.events.push_back(event.clone());
    }

    fn next(&mut self, hungry: bool) -> Option<Told> {
        if self.closing {
            return Some(Told::Closing);
        }
        if self.ended {
            return Some(Told::Ended);
        }
        if !hungry {
            return None;
        }
        let Some(event) = self.events.pop_front() else {
            return std::mem::take(&mut self.missed).then_some(Told::Missed);
        };
        if self.events.is_empty() {
            // Thousands listen, and most have nothing waiting.
            self.events = VecDeque::new();
        }
        Some(Told::Event(event))
    }
}

impl MemberListener {
    /// Waits for the next piece of news; of events only if the caller is `hungry` for them. A call
    /// that is given up loses nothing.
    pub async fn told(&mut self, hungry: bool) -> Told {
        loop {
            // Not held while waiting.
            let next = self.line.news().next(hungry);
            if let Some(told) = next {
                return told;
            }
            self.line.ring.notified().await;
        }
    }
}

impl Drop for MemberListener {
    fn drop(&mut self) {
        let mut lines = self.hub.members.lines();
        hang_up(&mut lines.by_account, self.account, &self.line);
        hang_up(&mut lines.by_session, self.session, &self.line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ConversationId, UserId};
    use crate::domain::ports::Hint;

    const ANNA: AccountNumber = AccountNumber(1);
    const BERT: AccountNumber = AccountNumber(2);
    const PHONE: SessionNumber = SessionNumber(10);

    fn message(chat: usize) -> Arc<MemberEvent> {
        let (chat, user) = (uuid::Uuid::from_u128(chat as u128), uuid::Uuid::nil());
        let (chat, user) = (ConversationId::from_uuid(chat), UserId::from_uuid(user));
        Arc::new(MemberEvent::Message { chat, user })
    }

    fn tell(hub: &Hub, account: AccountNumber, event: Arc<MemberEvent>) {
        hub.pass_on(&Hint::Member { account, event });
    }

    async fn all(listener: &mut MemberListener) -> Vec<Told> {
        let mut heard = Vec::new();
        while let std::task::Poll::Ready(told) =
            futures_util::poll!(std::pin::pin!(listener.told(true)))
        {
            heard.push(told);
        }
        heard
    }

    #[tokio::test]
    async fn each_event_is_told_in_its_order_to_all_who_listen_to_its_member() {
        let hub = Arc::new(Hub::default());
        let (mut one, mut other) =
            (hub.listen_to_member(ANNA, PHONE), hub.listen_to_member(ANNA, SessionNumber(11)));
        tell(&hub, BERT, message(9));
        for chat in [1, 2, 1] {
            tell(&hub, ANNA, message(chat));
        }
        let expected = [1, 2, 1].map(|chat| Told::Event(message(chat)));
        assert_eq!(all(&mut one).await, expected);
        assert_eq!(all(&mut other).await, expected);
    }

    #[tokio::test]
    async fn when_many_wait_the_same_waits_once() {
        let hub = Arc::new(Hub::default());
        let mut listener = hub.listen_to_member(ANNA, PHONE);
        for _ in 0..1_000 {
            tell(&hub, ANNA, message(1));
            tell(&hub, ANNA, message(2));
        }
        assert_eq!(all(&mut listener).await.len(), MANY);
    }

    #[tokio::test]
    async fn when_too_many_wait_or_hints_were_lost_it_says_so_once_and_goes_on() {
        let hub = Arc::new(Hub::default());
        let mut listener = hub.listen_to_member(ANNA, PHONE);
        for chat in 0..EVENTS * 2 {
            tell(&hub, ANNA, message(chat));
        }
        let heard = all(&mut listener).await;
        assert_eq!(heard.len(), EVENTS + 1);
        assert_eq!(heard.last(), Some(&Told::Missed));
        hub.pass_on(&Hint::Everybody);
        assert_eq!(all(&mut listener).await, [Told::Missed]);
        tell(&hub, ANNA, message(1));
        assert_eq!(all(&mut listener).await, [Told::Event(message(1))]);
    }

    #[tokio::test]
    async fn the_end_of_a_device_and_of_the_node_come_before_all_else() {
        let hub = Arc::new(Hub::default());
        let (mut phone, mut other) =
            (hub.listen_to_member(ANNA, PHONE), hub.listen_to_member(ANNA, SessionNumber(11)));
        tell(&hub, ANNA, message(1));
        hub.pass_on(&Hint::SessionEnded(PHONE));
        assert_eq!(phone.told(true).await, Told::Ended);
        assert_eq!(other.told(true).await, Told::Event(message(1)));
        hub.close();
        assert_eq!(other.told(true).await, Told::Closing);
        assert_eq!(hub.listen_to_member(BERT, PHONE).told(true).await, Told::Closing);
    }

    #[test]
    fn the_last_listener_takes_its_line_away() {
        let hub = Arc::new(Hub::default());
        let (first, second) =
            (hub.listen_to_member(ANNA, PHONE), hub.listen_to_member(ANNA, PHONE));
        drop(first);
        assert_eq!(hub.members(), 1);
        drop(second);
        assert_eq!(hub.members(), 0);
        assert!(hub.members.lines().by_session.is_empty());
    }
}
