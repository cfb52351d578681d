//! Tells the gateway which messages were handled, beside the handler's own work.

use std::sync::Arc;

use serde::de::IgnoredAny;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::ids::MessageId;
use crate::types::{Acknowledgement, AcknowledgementStatus};

use super::error::RequestError;
use super::gateway::{Call, Gateway};

/// How many acknowledgements one request may hold.
pub(super) const BATCH_LIMIT: usize = 100;
/// How many may wait before the handler has to.
const QUEUE_LENGTH: usize = 1000;

/// A task that posts acknowledgements as they come, many at once when they come fast.
///
/// It ends by itself when this is dropped, after it has posted what is waiting.
pub(super) struct Acknowledger {
    queue: mpsc::Sender<Acknowledgement>,
    task: JoinHandle<Result<(), RequestError>>,
}

impl Acknowledger {
    /// Starts the task on the current runtime.
    pub(super) fn start(gateway: Arc<Gateway>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_LENGTH);
        Self { queue, task: tokio::spawn(post_all(gateway, waiting)) }
    }

    /// Puts `message` into the queue once there is room; until then the call may be dropped
    /// without effect.
    pub(super) async fn acknowledge(&self, message_id: MessageId) {
        let status = AcknowledgementStatus::Read;
        // Fails only when the runtime is shutting down; the message comes again then.
        let _ended = self.queue.send(Acknowledgement { message_id, status }).await;
    }

    /// Waits until everything is posted.
    pub(super) async fn finish(self) -> Result<(), RequestError> {
        drop(self.queue);
        self.task.await.unwrap_or(Ok(()))
    }
}

/// Posts until the queue is closed and empty. Gives the failure of the last post: an earlier one
/// does no harm, since those messages come again and are acknowledged again.
async fn post_all(
    gateway: Arc<Gateway>,
    mut waiting: mpsc::Receiver<Acknowledgement>,
) -> Result<(), RequestError> {
    let mut batch = Vec::with_capacity(BATCH_LIMIT);
    let mut last = Ok(());
    while waiting.recv_many(&mut batch, BATCH_LIMIT).await > 0 {
        last = post(&gateway, &batch).await;
        batch.clear();
    }
    last
}

/// Posts a batch, again where that may help.
pub(super) async fn post(gateway: &Gateway, batch: &[Acknowledgement]) -> Result<(), RequestError> {
    let call = Call::post("/acknowledgements", batch)?;
    gateway.call::<IgnoredAny>(call).await.map(|_| ())
}
