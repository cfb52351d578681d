//! Asking over a socket of its own, on which nothing is delivered.
//!
//! A socket that delivers may have to wait for a slow handler, and a handler that asks over it
//! would wait for itself.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::super::bot::Core;
use super::super::error::RequestError;
use super::error::SocketError;
use super::frame;
use super::upgrade;
use super::wire::Wire;

/// A gateway gives up a connection that is silent for this long, so a new one is opened.
const STALE_AFTER: Duration = Duration::from_secs(20);

/// Opens a socket when there is something to ask, and keeps it for the next question.
#[derive(Default)]
pub(in crate::client) struct Caller {
    open: Mutex<Option<Open>>,
}

struct Open {
    wire: Wire,
    used: SystemTime,
}

impl Caller {
    /// Asks once and gives the answer: `data`, or the gateway's error. One question at a time.
    pub(in crate::client) async fn ask(
        &self,
        core: &Core,
        action: &'static str,
        params: &impl Serialize,
    ) -> Result<Option<Box<RawValue>>, RequestError> {
        let mut place = self.open.lock().await;
        // Taken out, so that a question that is dropped half-way takes its connection along.
        let fresh = place.take().filter(|open| is_fresh(open, core));
        let mut wire = match fresh {
            Some(open) => open.wire,
            None => upgrade::connect(core).await?,
        };
        let answer_within = core.keep_alive.answer_within;
        let asked = timeout(answer_within, ask(&mut wire, core, action, params)).await;
        let frame = asked.unwrap_or(Err(SocketError::Silent.into()))?;
        *place = Some(Open { wire, used: core.clock.now() });
        match frame.request_error() {
            Some(error) => Err(error),
            None => Ok(frame.data),
        }
    }
}

fn is_fresh(open: &Open, core: &Core) -> bool {
    core.clock.now().duration_since(open.used).is_ok_and(|age| age < STALE_AFTER)
}

async fn ask(
    wire: &mut Wire,
    core: &Core,
    action: &'static str,
    params: &impl Serialize,
) -> Result<frame::Frame, RequestError> {
    let id = core.entropy.random_id();
    wire.send(frame::pack(id, action, Some(params))?).await?;
    loop {
        match wire.turn(true).await {
            Ok(frame) if frame.answers(id) => return Ok(frame),
            // News of other things, or the end of the token.
            Ok(frame) => match frame.request_error() {
                Some(error) if error.status() == Some(401) => {
                    return Err(SocketError::Closed.into());
                }
                _ => {}
            },
            Err(SocketError::Frame { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
