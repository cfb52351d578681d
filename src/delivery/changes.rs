//! The long poll for changes of contacts' sessions.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::hub::{Hub, Listener, Wake};
use crate::domain::changes::{Cursor, RosterChanges};
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber};

/// How long a poll trusts in hints before it looks by itself.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// Every change of anybody's wakes every poll, so a poll waits a little for more of them before it
/// looks: many changes at once cost each poll one look, not many.
const GATHER: Duration = Duration::from_millis(50);

/// How many looks one request may take that find nothing: a reader far behind comes again.
const LOOKS: u32 = 4;

/// What a reader asks for.
#[derive(Clone, Copy, Debug)]
pub struct ChangesPoll {
    /// Whose contacts.
    pub account: AccountNumber,
    /// The session that asks.
    pub session: SessionId,
    /// The same session's number.
    pub number: SessionNumber,
    /// Where it has got to.
    pub after: Cursor,
    /// At most so many accounts.
    pub limit: u32,
    /// How long to wait when nothing has changed.
    pub wait: Duration,
}

/// Tells what has changed, or waits for it. An answer without changes means that the time is over,
/// that the node is shutting down, or that there is more to look through.
///
/// # Errors
/// [`Fault::Outdated`] when the cursor is of no use, [`Fault::Unauthorized`] when the session is
/// revoked meanwhile; others when the store fails.
pub async fn poll(
    gateway: &Gateway,
    hub: &Arc<Hub>,
    request: ChangesPoll,
) -> Result<RosterChanges, Fault> {
    request.after.check(gateway.store.newest_change().await?)?;
    let _present = gateway.measures.polls.enter();
    let mut listener = hub.listen(request.number);
    let mut rosters = hub.rosters();
    let deadline = Instant::now() + request.wait;
    let mut after = request.after;
    let mut looks = 0;
    loop {
        rosters.mark_unchanged();
        let found = gateway.roster_changes(request.account, after, request.limit).await?;
        // Its own end is a change too, and is seen here before any hint of it comes.
        let mut own = found.rosters.iter().filter(|roster| roster.account == request.account);
        if own.any(|roster| roster.member(request.session).is_none()) {
            return Err(revoked());
        }
        looks += 1;
        if !found.rosters.is_empty() || found.more && looks >= LOOKS {
            return Ok(found);
        }
        after = found.cursor;
        if found.more {
            continue;
        }
        looks = 0;
        if gateway.live_session(request.session).await?.is_none() {
            return Err(revoked());
        }
        let now = Instant::now();
        if now >= deadline {
            return Ok(found);
        }
        match wait(&mut listener, &mut rosters, deadline.min(now + LOOK_AGAIN)).await {
            Wake::Look | Wake::LookSoon | Wake::Taken(_) | Wake::Notices(_) => {}
            Wake::SessionEnded => return Err(revoked()),
            Wake::Closing => return Ok(found),
        }
        if rosters.has_changed().unwrap_or(false) {
            sleep_until(deadline.min(Instant::now() + GATHER)).await;
        }
    }
}

/// Waits for a change of somebody's, or until `next_look`. That messages come is of no interest.
async fn wait(
    listener: &mut Listener,
    rosters: &mut watch::Receiver<()>,
    next_look: Instant,
) -> Wake {
    let mut others = rosters.clone();
    loop {
        tokio::select! {
            // That the session has ended comes before what its end changed.
            biased;
            wake = listener.wake() => match wake {
                Wake::Look | Wake::LookSoon | Wake::Taken(_) | Wake::Notices(_) => {}
                wake => return wake,
            },
            // The sender lives in the hub.
            _ = others.changed() => return Wake::Look,
            () = sleep_until(next_look) => return Wake::Look,
        }
    }
}

fn revoked() -> Fault {
    Fault::unauthorized("the session was revoked")
}
