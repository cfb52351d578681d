//! The long poll: what waits now, or what comes while the caller waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::held::Window;
use super::hub::Hub;
use super::pump::{Event, Manner, Pump};
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;
use crate::domain::inbox::Waiting;
use crate::domain::reader::Reader;

/// About how long a poll trusts in hints before it looks by itself.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What a reader asks for.
#[derive(Clone, Copy, Debug)]
pub struct Poll {
    /// Who reads.
    pub reader: Reader,
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
    let _present = gateway.measures.polls.enter();
    let deadline = Instant::now() + request.wait;
    let page = Window { items: request.limit, bytes: u64::MAX };
    let manner = Manner { window: page, page, max_age: request.max_age, idle: LOOK_AGAIN };
    let listener = hub.listen(request.reader.inbox.session);
    let mut pump = Pump::new(gateway.clone(), listener, request.reader, manner);
    pump.start();
    loop {
        // A look that has begun is waited for: what it finds is held already.
        let until = (!pump.is_busy()).then(|| deadline.min(pump.due()));
        let event = match until {
            None => pump.next(true).await,
            Some(until) => match timeout_at(until, pump.next(true)).await {
                Ok(event) => event,
                Err(_) => Ok(Event::Nothing),
            },
        };
        match event? {
            Event::Messages(messages) => {
                pump.keep();
                return Ok(messages);
            }
            Event::Nothing | Event::Notices(_) if Instant::now() < deadline => {}
            Event::Dismissed => return Err(Fault::unauthorized("the session was revoked")),
            Event::Nothing | Event::Notices(_) | Event::Closing => return Ok(Vec::new()),
        }
    }
}
