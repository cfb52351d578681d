//! A person's device: it speaks in conversations and keeps their lists of sessions.
//!
//! A bot speaks to accounts. A person's client speaks into a conversation: its messages cover every
//! session in it but the one that speaks, the person's own other devices included, and carry the
//! checksum of exactly that list. When the gateway answers that the list is old (error 20140), the
//! conversation is fetched again, and the message sealed and sent again under its id.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::checksum::Checksum;
use crate::conversation::contact_conversation_id;
use crate::ids::{ConversationId, MessageId, SessionId, UserId};
use crate::keystore::Keystore;
use crate::types::blaze::{CHECKSUM_INVALID, CREATE_MESSAGE};
use crate::types::{ApiError, DEFERRED, MESSAGE_ID_USED};

use super::bot::{Bot, Core};
use super::build_error::BuildError;
use super::content::Content;
use super::error::RequestError;
use super::incoming::Incoming;
use super::listening::Listening;
use super::message::{Address, Message};
use super::messages::Messages;
use super::outcome::{Outcome, SendError, Sent};
use super::refreshed::Refreshed;
use super::rosters::Without;
use super::seal;
use super::sessions::KnownSessions;

/// A person's device that is signed in to a gateway. Cloning it is cheap; clones share everything.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use sealpost_sdk::client::{Device, Text};
///
/// let phone = Device::from_keystore("phone.json")?;
/// let group = phone.account().create_group("Hikers", &[]).await?;
/// phone.send(&group.conversation_id, Text::new("who is in?")).await?;
/// phone.listening().run(async |message| println!("{message:?}")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Device {
    account: Bot,
}

/// The gateway's answer to one post.
enum Answer {
    Decided(Outcome),
    /// The list of sessions is old.
    Stale,
}

impl From<Bot> for Device {
    /// The same session, with the same settings and memory.
    fn from(account: Bot) -> Self {
        Self { account }
    }
}

impl Device {
    /// A device from a keystore file.
    ///
    /// # Errors
    /// As [`Bot::from_keystore`].
    pub fn from_keystore(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        Bot::builder(Keystore::from_file(path.as_ref())?).build().map(Self::from)
    }

    /// Everything that an account can do beside speaking: conversations, sessions, attachments.
    ///
    /// What is sent through it goes to others alone, not to the own other devices.
    #[must_use]
    pub fn account(&self) -> &Bot {
        &self.account
    }

    /// The person's account.
    #[must_use]
    pub fn user_id(&self) -> UserId {
        self.account.user_id()
    }

    /// The session that this device is.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.account.session_id()
    }

    /// Seals `content` for every other device in `conversation`, one's own included, and sends it.
    ///
    /// Does the whole loop: fetches the conversation, seals, posts over a socket, and after error
    /// 20140 fetches the conversation again and seals again, with pauses once that did not help.
    /// The message has one id through all of it and is delivered once.
    ///
    /// # Errors
    /// When a request fails for good, a session in the conversation has no usable key, or there are
    /// more sessions than an envelope has room for (510). What the gateway decides about the
    /// message is no error but an [`Outcome`].
    pub async fn send(
        &self,
        conversation: &ConversationId,
        content: impl Into<Content>,
    ) -> Result<Sent, SendError> {
        self.send_message(Message::to_conversation(conversation, content)).await
    }

    /// As [`send`](Self::send), in the conversation with one account, which is made when there is
    /// none yet.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_to(
        &self,
        user: &UserId,
        content: impl Into<Content>,
    ) -> Result<Sent, SendError> {
        self.send_message(Message::to(user, content)).await
    }

    /// As [`send`](Self::send), with everything that a [`Message`] can say. One for a single account
    /// in a group goes to that account's devices alone, as a bot would send it.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_message(&self, mut message: Message) -> Result<Sent, SendError> {
        let core = &*self.account.core;
        let message_id = message.id.unwrap_or_else(|| core.entropy.random_id());
        let conversation = message.conversation(self.user_id());
        if let Address::Account(user, _) = message.to {
            if conversation != contact_conversation_id(self.user_id(), user) {
                // A word to one person in a group is not for everybody in it.
                return self.account.send_message(message).await;
            }
            self.ensure_known(user, conversation).await.map_err(failed)?;
        }
        // The list is the conversation's, whoever the message was addressed to.
        message.to = Address::Conversation(conversation);
        let mut round = 0;
        loop {
            let sessions = core.rosters.load(core, conversation, Without::OwnSession).await;
            let sessions = sessions.map_err(failed)?;
            if !sessions.is_somebody() {
                return Ok(Sent { message_id, outcome: Outcome::Deferred { retry_after: None } });
            }
            let item = sealed(core, message_id, conversation, &message, &sessions).await?;
            let outcome = match post(core, &item, &sessions).await? {
                Answer::Decided(outcome) => outcome,
                Answer::Stale => {
                    core.rosters.forget(conversation);
                    round += 1;
                    if round < core.rounds {
                        self.refresh(message_id, conversation, &sessions, round).await?;
                        continue;
                    }
                    Outcome::StillStale
                }
            };
            return Ok(Sent { message_id, outcome });
        }
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

    /// The messages that wait for this device, and then those that come, by long poll.
    #[must_use]
    pub fn messages(&self) -> Messages {
        self.account.messages()
    }

    /// Listening over a socket, as [`Bot::run`] does it. What the person said on another device
    /// comes here too, with the own account as its sender.
    pub fn listening(&self) -> Listening {
        self.account.listening()
    }

    /// Makes the conversation with `user` unless it is known.
    async fn ensure_known(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<(), RequestError> {
        let core = &self.account.core;
        match core.rosters.load(core, conversation, Without::OwnSession).await {
            Err(error) if error.status() == Some(404) => {
                let made = self.account.ensure_contact(&user).await?;
                core.rosters.learn(core, &made);
                Ok(())
            }
            found => found.map(|_| ()),
        }
    }

    /// Fetches the list again, with a pause when that did not help before.
    async fn refresh(
        &self,
        message_id: MessageId,
        conversation: ConversationId,
        old: &KnownSessions,
        round: u32,
    ) -> Result<(), SendError> {
        let core = &*self.account.core;
        if round >= 2 {
            core.clock.sleep(core.gateway.retry.backoff(round - 1, &core.entropy)).await;
        }
        let fresh = core.rosters.load(core, conversation, Without::OwnSession).await;
        let (old, sessions) = (old.ids(), fresh.map_err(failed)?.ids());
        let missing = sessions.iter().filter(|session| !old.contains(session)).copied().collect();
        let deleted = old.iter().filter(|session| !sessions.contains(session)).copied().collect();
        core.on_refresh.tell_as_is(&Refreshed {
            message_id,
            recipient: None,
            conversation_id: conversation,
            round,
            sessions,
            missing,
            redundant: Vec::new(),
            deleted,
        });
        Ok(())
    }
}

fn failed(error: RequestError) -> SendError {
    SendError::Request(Arc::new(error))
}

/// The item for the socket: as over HTTP, with the checksum under the name that it has there for a
/// whole conversation.
async fn sealed(
    core: &Core,
    id: MessageId,
    conversation: ConversationId,
    message: &Message,
    sessions: &Arc<KnownSessions>,
) -> Result<Value, SendError> {
    let content = message.content.clone();
    let envelope = seal::seal_envelope(core, content, Arc::clone(sessions)).await?;
    let none = Checksum::default();
    let item = seal::outgoing(id, conversation, message, &sessions.recipients, &envelope, none);
    let mut item = serde_json::to_value(item).map_err(|error| failed(RequestError::Body(error)))?;
    if let Some(members) = item.as_object_mut() {
        let checksum = sessions.checksum.to_string();
        members.insert("conversation_checksum".to_owned(), Value::String(checksum));
    }
    Ok(item)
}

/// Posts the same bytes until there is an answer.
async fn post(core: &Core, item: &Value, sessions: &KnownSessions) -> Result<Answer, SendError> {
    let mut waited = Duration::ZERO;
    let mut attempt = 1;
    loop {
        let error = match core.caller.ask(core, CREATE_MESSAGE, item).await {
            Ok(_) => return Ok(Answer::Decided(Outcome::Delivered { sessions: sessions.ids() })),
            Err(RequestError::Api { error, retry_after, .. }) if is_about_the_message(&error) => {
                return Ok(decided(error, retry_after));
            }
            Err(error) => error,
        };
        let asked = error.retry_after();
        let pause = core.gateway.retry.pause(attempt, waited, asked, &core.entropy);
        let Some(pause) = pause.filter(|_| error.is_temporary()) else {
            return Err(failed(error));
        };
        core.clock.sleep(pause).await;
        waited = waited.saturating_add(pause);
        attempt += 1;
    }
}

/// Whether the gateway has looked at the message and found something wrong with it.
fn is_about_the_message(error: &ApiError) -> bool {
    error.code == CHECKSUM_INVALID
        || has_reason(error, DEFERRED)
        || !(matches!(error.status, 401 | 408 | 429) || error.status >= 500)
}

fn has_reason(error: &ApiError, reason: &str) -> bool {
    error.extra.as_ref().is_some_and(|extra| extra.reason == reason)
}

fn decided(error: ApiError, retry_after: Option<Duration>) -> Answer {
    match error.code {
        CHECKSUM_INVALID => Answer::Stale,
        _ if has_reason(&error, DEFERRED) => Answer::Decided(Outcome::Deferred { retry_after }),
        _ if has_reason(&error, MESSAGE_ID_USED) => Answer::Decided(Outcome::AlreadyDelivered),
        _ => Answer::Decided(Outcome::Rejected { error }),
    }
}
