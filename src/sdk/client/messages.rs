//! Receiving: one message after the other, each acknowledged once its handler is through.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};

use crate::types::InboxMessage;

use super::acknowledge::Acknowledger;
use super::bot::{Bot, Core};
use super::error::RequestError;
use super::inbox::{self, Item, Key, Malformed};
use super::incoming::{self, Incoming, OpenFailure, UnreadableReason};
use super::patience::Patience;
use super::recent::RecentMap;
use super::socket::{Event, Link};

/// How many handled ids are remembered, to know a message that comes again.
pub(super) const HANDLED_LIMIT: usize = 20_000;

/// The messages of a bot, from a long poll of its inbox ([`Bot::messages`]) or over a socket
/// ([`Bot::live_messages`]).
///
/// Asking for the next message says that the one before is handled; only then is it acknowledged,
/// so that a program that dies in the middle of its work gets the message again. A message that
/// comes again although it was handled is acknowledged again and not handed out.
///
/// Failures that may pass are waited out, as long as it takes, once the gateway has answered at
/// all: a bot outlives the gateway's restart, and one with a wrong address says so soon.
/// [`next`](Self::next) may be dropped at any time, in `select!` for example: the poll that is
/// under way stays under way, and nothing is lost, late or out of order.
///
/// One of these at a time is enough: two of them share what comes in, each knows only what it has
/// handled itself, and neither sees all messages of a conversation.
///
/// An error mostly concerns one message and must not end the program: it would find the same
/// message again when it is started again.
///
/// ```no_run
/// # async fn example(bot: sealpost_sdk::client::Bot) -> Result<(), Box<dyn std::error::Error>> {
/// use sealpost_sdk::client::{ReceiveError, Text};
///
/// let mut messages = bot.messages();
/// while let Some(message) = messages.next().await {
///     match message {
///         Ok(message) => {
///             if let Some(text) = message.text() {
///                 bot.reply(&message, Text::new(text)).await?;
///             }
///         }
///         Err(ReceiveError::Ended(error)) => return Err(error.into()),
///         Err(error) => eprintln!("{error}"),
///     }
/// }
/// messages.close().await?;
/// # Ok(())
/// # }
/// ```
pub struct Messages {
    bot: Bot,
    waiting: VecDeque<Item>,
    /// The message that the caller is working on.
    current: Option<Key>,
    handled: RecentMap<Key, ()>,
    feed: Feed,
    /// What is left of the pause after a failure.
    pause: Option<BoxFuture<'static, ()>>,
    patience: Patience,
    ended: bool,
}

/// Where the messages come from.
enum Feed {
    Poll {
        acknowledger: Option<Acknowledger>,
        /// The poll that is under way, kept here so that it outlives a dropped `next`.
        polling: Option<BoxFuture<'static, Result<Vec<Item>, RequestError>>>,
    },
    /// Opened when the first message is asked for.
    Socket(Option<Link>),
}

/// Why a message could not be handed out, or no more follow.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// One message cannot be read. It is acknowledged like any other when the next one is asked
    /// for, so that it does not stand in the way of the rest.
    #[error("message {message_id} is unreadable")]
    Unreadable {
        /// The message, in the gateway's words.
        message_id: String,
        /// Why.
        #[source]
        reason: UnreadableReason,
    },
    /// One message opened, but the key that sealed it is on no list of its sender's sessions that
    /// this bot has seen, so nothing but the gateway's word says whom it is from.
    ///
    /// It happens without any harm: the sender signed out after sending, while this program was not
    /// running. The gateway takes messages only from live sessions; whether that is good enough is
    /// for the caller to decide. The text is in [`Incoming::bytes`]. The message is acknowledged
    /// like any other when the next one is asked for.
    #[error("message {} was sealed by no session that is known of {}", .0.message_id, .0.sender)]
    Unconfirmed(Box<Incoming>),
    /// The gateway refuses to hand out messages, and trying again will not help; or it has not
    /// answered even once. No message follows.
    #[error("failed to receive messages")]
    Ended(#[source] RequestError),
}

/// What the caller gets.
pub(super) type Handed = Result<Incoming, ReceiveError>;

impl Messages {
    /// By long poll.
    pub(super) fn polled(bot: Bot) -> Self {
        Self::new(bot, Feed::Poll { acknowledger: None, polling: None })
    }

    /// Over a socket.
    pub(super) fn live(bot: Bot) -> Self {
        Self::new(bot, Feed::Socket(None))
    }

    fn new(bot: Bot, feed: Feed) -> Self {
        Self {
            bot,
            waiting: VecDeque::new(),
            current: None,
            handled: RecentMap::with_capacity(HANDLED_LIMIT),
            feed,
            pause: None,
            patience: Patience::default(),
            ended: false,
        }
    }

    /// Waits for the next message; the one before counts as handled. `None` after the end.
    ///
    /// # Errors
    /// [`ReceiveError::Unreadable`] and [`ReceiveError::Unconfirmed`] for one message, after which
    /// others follow; [`ReceiveError::Ended`] at the end.
    pub async fn next(&mut self) -> Option<Handed> {
        self.finish_current().await;
        while !self.ended {
            if let Some(pause) = &mut self.pause {
                pause.await;
                self.pause = None;
            }
            let step = match self.waiting.is_empty() {
                true => self.wait().await.map(|()| None),
                false => self.open_first().await,
            };
            match step {
                Ok(None) => {}
                Ok(Some(handed)) => return Some(handed),
                Err(error) => match self.patience.pause_after(&error, &self.bot.core) {
                    Some(pause) if !self.ended => self.pause = Some(self.sleep(pause)),
                    _ => {
                        self.ended = true;
                        return Some(Err(ReceiveError::Ended(error)));
                    }
                },
            }
        }
        None
    }

    /// The same messages as a stream: polling it for the next item is what
    /// [`next`](Self::next) is here.
    pub fn into_stream(self) -> BoxStream<'static, Result<Incoming, ReceiveError>> {
        stream::unfold(self, |mut messages| async {
            let item = messages.next().await?;
            Some((item, messages))
        })
        .boxed()
    }

    /// Acknowledges what was handled, the last message included, and waits until the gateway knows.
    ///
    /// Dropping without closing leaves the last message unacknowledged: it comes again.
    ///
    /// # Errors
    /// When the last acknowledgement could not be posted. The messages concerned come again.
    pub async fn close(mut self) -> Result<(), RequestError> {
        self.finish_current().await;
        match self.feed {
            Feed::Poll { acknowledger: Some(acknowledger), .. } => acknowledger.finish().await,
            Feed::Socket(Some(link)) => link.close().await,
            Feed::Poll { .. } | Feed::Socket(None) => Ok(()),
        }
    }

    async fn finish_current(&mut self) {
        let Some(key) = self.current else { return };
        self.acknowledge(key).await;
        self.handled.insert(key, (), self.bot.core.clock.now());
        self.current = None;
    }

    async fn acknowledge(&mut self, (_, message): Key) {
        let gateway = &self.bot.core.gateway;
        match &mut self.feed {
            Feed::Poll { acknowledger, .. } => {
                let acknowledger =
                    acknowledger.get_or_insert_with(|| Acknowledger::start(Arc::clone(gateway)));
                acknowledger.acknowledge(message).await;
            }
            Feed::Socket(Some(link)) => link.acknowledge(message).await,
            Feed::Socket(None) => {}
        }
    }

    /// Waits until something has come in, or has gone wrong.
    async fn wait(&mut self) -> Result<(), RequestError> {
        let core = &self.bot.core;
        match &mut self.feed {
            Feed::Poll { polling, .. } => {
                let under_way =
                    polling.get_or_insert_with(|| inbox::poll(Arc::clone(core)).boxed());
                let result = under_way.await;
                *polling = None;
                self.waiting.extend(result?);
                self.patience.renew();
            }
            Feed::Socket(link) => {
                let link = link.get_or_insert_with(|| Link::start(Arc::clone(core)));
                match link.next().await {
                    Some(Event::Item(item)) => self.waiting.push_back(item),
                    // It connects again by itself, and the others have their hooks elsewhere.
                    Some(Event::Open | Event::Trouble(_) | Event::Receipt(_)) => {}
                    Some(Event::Ended(error)) => {
                        self.ended = true;
                        return Err(error);
                    }
                    None => self.ended = true,
                }
                self.patience.reached();
            }
        }
        Ok(())
    }

    /// Opens the first waiting message, and takes it only then: nothing is lost when the caller
    /// drops this half-way. `None` when it was handled before.
    async fn open_first(&mut self) -> Result<Option<Handed>, RequestError> {
        let (key, handed) = match self.waiting.front() {
            None => return Ok(None),
            Some(Err(malformed)) => (malformed.key(), Err(malformed.to_error())),
            Some(Ok(message)) => {
                let key = (message.user_id, message.message_id);
                if self.handled.contains(&key) {
                    self.acknowledge(key).await;
                    self.waiting.pop_front();
                    return Ok(None);
                }
                (Some(key), open(&self.bot.core, message).await?)
            }
        };
        self.waiting.pop_front();
        self.current = key;
        Ok(Some(handed))
    }

    fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()> {
        let core = Arc::clone(&self.bot.core);
        async move { core.clock.sleep(pause).await }.boxed()
    }
}

/// Opens a message as far as it can be opened. The error is a question to the gateway that failed.
pub(super) async fn open(core: &Core, message: &InboxMessage) -> Result<Handed, RequestError> {
    match incoming::open(core, message).await {
        Ok(incoming) if incoming.is_unconfirmed() => {
            Ok(Err(ReceiveError::Unconfirmed(Box::new(incoming))))
        }
        Ok(incoming) => Ok(Ok(incoming)),
        Err(OpenFailure::Unreadable(reason)) => {
            let message_id = message.message_id.to_string();
            Ok(Err(ReceiveError::Unreadable { message_id, reason }))
        }
        Err(OpenFailure::Request(error)) => Err(error),
    }
}

impl Malformed {
    pub(super) fn to_error(&self) -> ReceiveError {
        let reason = UnreadableReason::Shape(serde::de::Error::custom(&self.error));
        ReceiveError::Unreadable { message_id: self.message_id.clone(), reason }
    }
}
