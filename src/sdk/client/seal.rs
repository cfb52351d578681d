//! From a message and a list of sessions to an item of a request.

use std::sync::Arc;

use rand_core::CryptoRng;

use crate::base64url;
use crate::envelope::{self, SealError, WrapCache};
use crate::keys::KeyError;
use crate::types::{OutgoingMessage, SessionReference};

use super::bot::Core;
use super::credential::Identity;
use super::error::RequestError;
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
            Ok(item) => sealed.push(Sealed { job, item }),
            Err(error) => failed.push((job, error)),
        }
    }
    (sealed, failed)
}

fn seal_one(
    ready: &Ready,
    identity: &Identity,
    cache: &WrapCache,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, SendError> {
    let Ready { job, sessions } = ready;
    let message = &job.message;
    let recipient = message.recipient;
    if let Some((session, source)) = sessions.unusable {
        return Err(SendError::UnusableKey { recipient, session, source });
    }
    let content = &message.content;
    let envelope = envelope::seal(
        content.bytes(),
        &identity.agreement,
        &sessions.recipients,
        Some(cache),
        rng,
    )
    .map_err(|error| match error {
        SealError::WeakKey { session } => {
            SendError::UnusableKey { recipient, session, source: KeyError::SmallOrder }
        }
        error => SendError::Seal(error),
    })?;
    let item = OutgoingMessage {
        conversation_id: job.conversation,
        recipient_id: Some(recipient),
        message_id: job.id,
        category: content.category().to_owned(),
        data_base64: base64url::encode(&envelope),
        checksum: sessions.checksum.to_string(),
        recipient_sessions: sessions
            .recipients
            .iter()
            .map(|recipient| SessionReference { session_id: recipient.session })
            .collect(),
        representative_id: message.representative,
        quote_message_id: message.quote,
        silent: message.silent,
        expire_in: message.expire_in,
    };
    serde_json::to_vec(&item)
        .map_err(|error| SendError::Request(Arc::new(RequestError::Body(error))))
}
