//! The bot: what a program holds to send and receive.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::envelope::WrapCache;
use crate::ids::{SessionId, UserId};
use crate::keys::VerifyingKey;

use super::clock::Clock;
use super::content::Content;
use super::credential::Identity;
use super::entropy::Entropy;
use super::gateway::Gateway;
use super::incoming::Incoming;
use super::message::Message;
use super::messages::Messages;
use super::outcome::{ItemOutcome, SendError, Sent};
use super::refreshed::Listener;
use super::rosters::Rosters;
use super::send;
use super::sessions::SessionDirectory;
use super::socket::{Caller, KeepAlive};

/// A bot that is signed in to a gateway. Cloning it is cheap; clones share everything.
#[derive(Clone)]
pub struct Bot {
    pub(super) core: Arc<Core>,
}

/// What all clones of a bot share.
pub(super) struct Core {
    pub(super) identity: Arc<Identity>,
    pub(super) gateway: Arc<Gateway>,
    pub(super) directory: SessionDirectory,
    pub(super) rosters: Rosters,
    pub(super) caller: Caller,
    pub(super) wrap_cache: Arc<WrapCache>,
    pub(super) entropy: Arc<Entropy>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) concurrency: usize,
    pub(super) rounds: u32,
    pub(super) on_refresh: Listener,
    pub(super) poll_wait: Duration,
    pub(super) keep_alive: KeepAlive,
    pub(super) base_url: String,
    pub(super) server_public_key: Option<VerifyingKey>,
}

impl Bot {
    pub(super) fn from_core(core: Core) -> Self {
        Self { core: Arc::new(core) }
    }

    /// The bot's account.
    #[must_use]
    pub fn user_id(&self) -> UserId {
        self.core.identity.user
    }

    /// The session that this program is.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.core.identity.session
    }

    /// Seals `content` for every device of `recipient` and sends it.
    ///
    /// Does the whole loop: fetches the recipient's sessions, seals, posts, seals again when the
    /// gateway says that the sessions have changed, repeats requests that got no answer. The
    /// message has one id through all of it and is delivered once.
    ///
    /// # Errors
    /// When a request fails for good, or a session of the recipient has no usable key. What the
    /// gateway decides about the message is no error but an [`Outcome`](super::Outcome).
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use sealpost_sdk::client::{Bot, Text};
    /// use sealpost_sdk::ids::UserId;
    ///
    /// let bot = Bot::from_keystore("echo.json")?;
    /// let alice = UserId::parse("6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10")?;
    /// let sent = bot.send(&alice, Text::new("good morning")).await?;
    /// assert!(sent.outcome.is_delivered());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(
        &self,
        recipient: &UserId,
        content: impl Into<Content>,
    ) -> Result<Sent, SendError> {
        self.send_message(Message::to(recipient, content)).await
    }

    /// As [`send`](Self::send), with everything that a [`Message`] can say.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_message(&self, message: Message) -> Result<Sent, SendError> {
        let items = send::send_all(&self.core, vec![message]).await;
        let item = items.into_iter().next().ok_or(SendError::Interrupted)?;
        Ok(Sent { message_id: item.message_id, outcome: item.result? })
    }

    /// Sends many messages, in batches of a hundred with several batches under way at once, and
    /// answers in the order of the input. No message's failure fails another.
    ///
    /// Messages of one conversation are sent in their order. One that has to be sealed again, since
    /// the recipient's sessions have changed, may arrive after the next one of its batch.
    ///
    /// All of it happens in the returned future. Dropping that leaves open which messages were sent;
    /// those with an id of your own ([`Message::with_id`]) can simply be sent again.
    pub async fn send_all(
        &self,
        messages: impl IntoIterator<Item = impl Into<Message>>,
    ) -> Vec<ItemOutcome> {
        let messages = messages.into_iter().map(Into::into).collect();
        send::send_all(&self.core, messages).await
    }

    /// Answers a message, in its conversation.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn reply(
        &self,
        incoming: &Incoming,
        content: impl Into<Content>,
    ) -> Result<Sent, SendError> {
        self.send_message(incoming.reply(content)).await
    }

    /// The messages that wait for this bot, and then those that come, by long poll; see
    /// [`Messages`].
    #[must_use]
    pub fn messages(&self) -> Messages {
        Messages::polled(self.clone())
    }

    /// As [`messages`](Self::messages), over a socket: what comes is here at once, and nothing is
    /// asked while nothing comes. [`run`](Self::run) is this with a handler.
    #[must_use]
    pub fn live_messages(&self) -> Messages {
        Messages::live(self.clone())
    }
}

impl fmt::Debug for Bot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Bot")
            .field("user_id", &self.user_id())
            .field("session_id", &self.session_id())
            .field("base_url", &self.core.base_url)
            .finish_non_exhaustive()
    }
}
