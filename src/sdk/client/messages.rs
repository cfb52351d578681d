//! Receiving: one message after the other, each acknowledged once its handler is through.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::Value;

use crate::category;
use crate::ids::{MessageId, UserId};
use crate::types::InboxMessage;

use super::acknowledge::Acknowledger;
use super::bot::Bot;
use super::error::RequestError;
use super::gateway::Call;
use super::incoming::{self, Incoming, OpenFailure, UnreadableReason};
use super::recent::RecentMap;

/// How many messages one poll may bring.
const POLL_LIMIT: usize = 100;
/// How many handled ids are remembered, to know a message that comes again.
const HANDLED_LIMIT: usize = 20_000;
/// A gateway that answers an empty poll sooner than this is not asked again at once.
const SHORTEST_EMPTY_POLL: Duration = Duration::from_secs(1);

/// The messages of a bot, from a long poll of its inbox.
///
/// Asking for the next message says that the one before is handled; only then is it acknowledged,
/// so that a program that dies in the middle of its work gets the message again. A message that
/// comes again although it was handled is acknowledged again and not handed out.
///
/// Failures that may pass are waited out. [`next`](Self::next) may be dropped at any time, in
/// `select!` for example, without losing a message.
///
/// ```no_run
/// # async fn example(bot: sealpost_sdk::client::Bot) -> Result<(), Box<dyn std::error::Error>> {
/// use sealpost_sdk::client::Text;
///
/// let mut messages = bot.messages();
/// while let Some(message) = messages.next().await {
///     let message = message?;
///     if let Some(text) = message.text() {
///         bot.reply(&message, Text::new(text)).await?;
///     }
/// }
/// messages.close().await?;
/// # Ok(())
/// # }
/// ```
pub struct Messages {
    bot: Bot,
    waiting: VecDeque<Result<InboxMessage, Malformed>>,
    /// The message that the caller is working on.
    current: Option<MessageId>,
    handled: RecentMap<MessageId, ()>,
    acknowledger: Option<Acknowledger>,
    /// Failed requests in a row.
    failures: u32,
    ended: bool,
}

/// Why a message could not be handed out.
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
    /// The gateway refuses to hand out messages, and trying again will not help. No message
    /// follows.
    #[error("failed to read the inbox")]
    Refused(#[source] RequestError),
}

/// An inbox item that is no message of this protocol.
struct Malformed {
    message_id: String,
    error: serde_json::Error,
}

/// What the message at the head of the queue turned out to be.
enum Head {
    HandledBefore(MessageId),
    Ready(Option<MessageId>, Result<Incoming, ReceiveError>),
    Failed(RequestError),
}

impl Messages {
    pub(super) fn new(bot: Bot) -> Self {
        Self {
            bot,
            waiting: VecDeque::new(),
            current: None,
            handled: RecentMap::with_capacity(HANDLED_LIMIT),
            acknowledger: None,
            failures: 0,
            ended: false,
        }
    }

    /// Waits for the next message; the one before counts as handled. `None` after the gateway has
    /// refused.
    ///
    /// # Errors
    /// [`ReceiveError::Unreadable`] and [`ReceiveError::Unconfirmed`] for one message, after which
    /// others follow; [`ReceiveError::Refused`] at the end.
    pub async fn next(&mut self) -> Option<Result<Incoming, ReceiveError>> {
        self.finish_current().await;
        while !self.ended {
            let error = match self.head().await {
                None => match self.poll().await {
                    Ok(()) => continue,
                    Err(error) => error,
                },
                Some(Head::HandledBefore(message)) => {
                    self.acknowledge(message).await;
                    self.waiting.pop_front();
                    continue;
                }
                Some(Head::Ready(message, result)) => {
                    self.waiting.pop_front();
                    self.current = message;
                    return Some(result);
                }
                Some(Head::Failed(error)) => error,
            };
            if !error.is_temporary() {
                self.ended = true;
                return Some(Err(ReceiveError::Refused(error)));
            }
            self.wait_out(&error).await;
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
        match self.acknowledger.take() {
            Some(acknowledger) => acknowledger.finish().await,
            None => Ok(()),
        }
    }

    async fn finish_current(&mut self) {
        let Some(message) = self.current else { return };
        self.acknowledge(message).await;
        self.handled.insert(message, (), self.bot.core.clock.now());
        self.current = None;
    }

    async fn acknowledge(&mut self, message: MessageId) {
        let gateway = &self.bot.core.gateway;
        let acknowledger =
            self.acknowledger.get_or_insert_with(|| Acknowledger::start(Arc::clone(gateway)));
        acknowledger.acknowledge(message).await;
    }

    /// Looks at the first waiting message without taking it, so that nothing is lost when the
    /// caller drops this half-way.
    async fn head(&self) -> Option<Head> {
        let message = match self.waiting.front()? {
            Ok(message) => message,
            Err(malformed) => return Some(malformed.head()),
        };
        let id = message.message_id;
        if self.handled.contains(&id) {
            return Some(Head::HandledBefore(id));
        }
        Some(match incoming::open(&self.bot.core, message).await {
            Ok(incoming) if incoming.is_unconfirmed() => {
                Head::Ready(Some(id), Err(ReceiveError::Unconfirmed(Box::new(incoming))))
            }
            Ok(incoming) => Head::Ready(Some(id), Ok(incoming)),
            Err(OpenFailure::Request(error)) => Head::Failed(error),
            Err(OpenFailure::Unreadable(reason)) => {
                let message_id = id.to_string();
                Head::Ready(Some(id), Err(ReceiveError::Unreadable { message_id, reason }))
            }
        })
    }

    async fn poll(&mut self) -> Result<(), RequestError> {
        let core = Arc::clone(&self.bot.core);
        let wait = core.poll_wait;
        let path = format!("/inbox?wait={}&limit={POLL_LIMIT}", wait.as_secs());
        let call = Call::get(path).with_timeout(wait + core.gateway.timeout).once();
        let asked_at = core.clock.now();
        let items: Vec<Value> = core.gateway.call(call).await?;
        self.failures = 0;
        if items.is_empty() {
            let took = core.clock.now().duration_since(asked_at).unwrap_or_default();
            core.clock.sleep(SHORTEST_EMPTY_POLL.saturating_sub(took)).await;
            return Ok(());
        }
        self.waiting.extend(items.into_iter().map(read));
        self.warm_up().await;
        Ok(())
    }

    /// Fetches the senders' sessions in one request. A failure shows again when one is opened.
    async fn warm_up(&self) {
        let messages = self.waiting.iter().flatten();
        let senders: Vec<UserId> = messages
            .filter(|message| category::is_encrypted(&message.category))
            .filter_map(|message| message.user_id)
            .collect();
        let _shown_when_opened = self.bot.core.directory.load(&senders).await;
    }

    async fn wait_out(&mut self, error: &RequestError) {
        let core = &self.bot.core;
        self.failures = self.failures.saturating_add(1);
        let own = core.gateway.retry.backoff(self.failures, &core.entropy);
        let longest = core.gateway.retry.longest_retry_after;
        let asked = error.retry_after().unwrap_or_default().min(longest);
        core.clock.sleep(asked.max(own)).await;
    }
}

impl Malformed {
    fn head(&self) -> Head {
        let reason = UnreadableReason::Shape(serde::de::Error::custom(&self.error));
        let message_id = self.message_id.clone();
        let id = MessageId::parse(&message_id).ok();
        Head::Ready(id, Err(ReceiveError::Unreadable { message_id, reason }))
    }
}

fn read(item: Value) -> Result<InboxMessage, Malformed> {
    let id = item.get("message_id").and_then(Value::as_str).unwrap_or_default();
    let message_id = id.chars().take(64).collect();
    serde_json::from_value(item).map_err(|error| Malformed { message_id, error })
}
