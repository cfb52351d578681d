//! From a message and a list of sessions to an item of a request.

use std::sync::Arc;

use rand_core::CryptoRng;

use crate::base64url;
use crate::checksum::{Checksum, session_checksum};
use crate::envelope::{self, MAX_SESSIONS, MessageKey, Recipient, SealError, WrapCache};
use crate::ids::{ConversationId, MessageId};
use crate::keys::KeyError;
use crate::types::{OutgoingMessage, SessionReference};

use super::bot::Core;
use super::content::Content;
use super::credential::Identity;
use super::error::RequestError;
use super::message::{Message, OnStale};
use super::outcome::SendError;
use super::schedule::Job;
use super::sessions::KnownSessions;

/// A job that is ready to be sealed.
pub(super) struct Ready {
    pub(super) job: Job,
    pub(super) sessions: Arc<KnownSessions>,
}

/// A job that is sealed, and its item of the request body.
pub(super) struct Sealed {
    pub(super) job: Job,
    pub(super) item: Vec<u8>,
    /// For the slots of sessions that turn out to be missing; kept where that is asked for.
    pub(super) key: Option<MessageKey>,
}

/// An item and its message's key.
struct Item {
    json: Vec<u8>,
    key: Option<MessageKey>,
}

/// Seals on a thread that may compute: cold keys cost a scalar multiplication each.
///
/// A job is missing from both lists when the runtime is shutting down; the caller notices.
pub(super) async fn seal(core: &Core, ready: Vec<Ready>) -> (Vec<Sealed>, Vec<(Job, SendError)>) {
    let identity = Arc::clone(&core.identity);
    let cache = Arc::clone(&core.wrap_cache);
    let mut rng = core.entropy.fork();
    let work = tokio::task::spawn_blocking(move || {
        let seal = |ready: Ready| {
            let item = seal_one(&ready, &identity, &cache, &mut rng);
            (ready.job, item)
        };
        ready.into_iter().map(seal).collect::<Vec<_>>()
    });
    let (mut sealed, mut failed) = (Vec::new(), Vec::new());
    for (job, item) in work.await.unwrap_or_default() {
        match item {
            Ok(Item { json, key }) => sealed.push(Sealed { job, item: json, key }),
            Err(error) => failed.push((job, error)),
        }
    }
    (sealed, failed)
}

/// Seals one message for a list on a thread that may compute.
pub(super) async fn seal_envelope(
    core: &Core,
    content: Content,
    sessions: Arc<KnownSessions>,
) -> Result<Vec<u8>, SendError> {
    sessions.check()?;
    let identity = Arc::clone(&core.identity);
    let cache = Arc::clone(&core.wrap_cache);
    let mut rng = core.entropy.fork();
    let work = tokio::task::spawn_blocking(move || {
        let (own, to) = (&identity.agreement, &sessions.recipients);
        envelope::seal(content.bytes(), own, to, Some(&cache), &mut rng)
            .map_err(|error| sessions.seal_error(error))
    });
    work.await.unwrap_or(Err(SendError::Interrupted))
}

fn seal_one(
    ready: &Ready,
    identity: &Identity,
    cache: &WrapCache,
    rng: &mut impl CryptoRng,
) -> Result<Item, SendError> {
    let Ready { job, sessions } = ready;
    let message = &job.message;
    sessions.check()?;
    // More than an envelope has room for get their slots afterwards.
    let covered = sessions.recipients.get(..MAX_SESSIONS).unwrap_or(&sessions.recipients);
    let content = &message.content;
    let sealed =
        envelope::seal_keeping_key(content.bytes(), &identity.agreement, covered, Some(cache), rng)
            .map_err(|error| sessions.seal_error(error))?;
    let checksum = match covered.len() == sessions.recipients.len() {
        true => sessions.checksum,
        false => session_checksum(covered.iter().map(|recipient| recipient.session)),
    };
    let item = outgoing(job.id, job.conversation, message, covered, &sealed.bytes, checksum);
    let json = serde_json::to_vec(&item)
        .map_err(|error| SendError::Request(Arc::new(RequestError::Body(error))))?;
    let keep = delivers_known(message, sessions);
    Ok(Item { json, key: keep.then_some(sealed.key) })
}

/// Whether those that are covered get the message whatever the others do.
pub(super) fn delivers_known(message: &Message, sessions: &KnownSessions) -> bool {
    message.on_stale == OnStale::DeliverKnown || sessions.recipients.len() > MAX_SESSIONS
}

/// An item as it goes over the wire.
pub(super) fn outgoing(
    id: MessageId,
    conversation: ConversationId,
    message: &Message,
    covered: &[Recipient],
    envelope: &[u8],
    checksum: Checksum,
) -> OutgoingMessage {
    OutgoingMessage {
        conversation_id: conversation,
        recipient_id: message.recipient(),
        message_id: id,
        category: message.content.category().to_owned(),
        data_base64: base64url::encode(envelope),
        checksum: checksum.to_string(),
        recipient_sessions: covered
            .iter()
            .map(|recipient| SessionReference { session_id: recipient.session })
            .collect(),
        representative_id: message.representative,
        quote_message_id: message.quote,
        silent: message.silent,
        expire_in: message.expire_in,
    }
}

impl KnownSessions {
    /// Refuses a list with a session that cannot be sealed to.
    pub(super) fn check(&self) -> Result<(), SendError> {
        match self.unusable {
            Some((recipient, session, source)) => {
                Err(SendError::UnusableKey { recipient, session, source })
            }
            None => Ok(()),
        }
    }

    /// Names the account beside the session whose key is weak.
    pub(super) fn seal_error(&self, error: SealError) -> SendError {
        let SealError::WeakKey { session } = error else { return SendError::Seal(error) };
        let place = self.recipients.iter().position(|recipient| recipient.session == session);
        let recipient = place.and_then(|place| self.owners.get(place)).copied();
        match recipient {
            Some(recipient) => {
                SendError::UnusableKey { recipient, session, source: KeyError::SmallOrder }
            }
            None => SendError::Seal(error),
        }
    }
}
