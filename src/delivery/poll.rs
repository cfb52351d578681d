//! The long poll: what waits now, or what comes while the caller waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::hub::{Hub, Wake};
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;
use crate::domain::ids::SessionId;
use crate::domain::inbox::{InboxKey, Release, Waiting};

/// How long a poll trusts in hints before it looks by itself.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What a reader asks for.
#[derive(Clone, Copy, Debug)]
pub struct Poll {
    /// Whose inbox.
    pub inbox: InboxKey,
    /// The session that reads.
    pub session: SessionId,
    /// At most so many messages.
    pub limit: u32,
    /// Leaves messages that are older where they are.
    pub max_age: Option<Duration>,
    /// How long to wait when nothing is there.
    pub wait: Duration,
}

/// Hands out what waits, or waits for it. An empty answer means that the time is over or that the
/// node is shutting down.
///
/// # Errors
/// [`Fault::Unauthorized`] when the session is revoked meanwhile; others when the store fails.
pub async fn poll(
    gateway: &Arc<Gateway>,
    hub: &Arc<Hub>,
    request: Poll,
) -> Result<Vec<Waiting>, Fault> {
    let mut listener = hub.listen(request.inbox.session);
    let deadline = Instant::now() + request.wait;
    loop {
        let messages = lease_or_release(gateway.clone(), request).await?;
        if !messages.is_empty() {
            return Ok(messages);
        }
        // Nothing waits for a session that has ended, and nothing ever will. The hint about its end
        // may have come before we listened, or not at all.
        if gateway.live_session(request.session).await?.is_none() {
            return Err(revoked());
        }
        let now = Instant::now();
        if now >= deadline {
            return Ok(messages);
        }
        let next_look = deadline.min(now + LOOK_AGAIN);
        tokio::select! {
            wake = listener.wake() => match wake {
                Wake::Look => {}
                Wake::SessionEnded => return Err(revoked()),
                Wake::Closing => return Ok(messages),
            },
            () = sleep_until(next_look) => {}
        }
    }
}

fn revoked() -> Fault {
    Fault::unauthorized("the session was revoked")
}

/// Leases in a task of its own: if the caller goes away meanwhile, what was leased is free again
/// at once instead of when the lease ends.
async fn lease_or_release(gateway: Arc<Gateway>, request: Poll) -> Result<Vec<Waiting>, Fault> {
    let (answer, leased) = oneshot::channel();
    tokio::spawn(async move {
        let result = gateway.lease(request.inbox, request.limit, request.max_age).await;
        let Err(Ok(unread)) = answer.send(result) else {
            return;
        };
        let orders: Vec<_> = unread.iter().map(|message| message.order).collect();
        if orders.is_empty() {
            return;
        }
        if let Err(fault) = gateway.store.release(request.inbox, orders, Release::Unsent).await {
            // The lease ends by itself.
            tracing::warn!(%fault, "could not free the leases of a reader that went away");
        }
    });
    leased.await.map_err(|gone| Fault::internal("waiting for a lease", gone))?
}
