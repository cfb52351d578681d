//! Receiving over a socket: a task that connects, connects again, and tells what comes in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::ids::{Id, MessageId};
use crate::types::blaze::{
    ACKNOWLEDGE_MESSAGE_RECEIPT, ACKNOWLEDGE_MESSAGE_RECEIPTS, CREATE_MESSAGE,
    LIST_PENDING_MESSAGES,
};
use crate::types::{AcknowledgeMessages, Acknowledgement, AcknowledgementStatus, BlazeReceipt};

use super::super::acknowledge;
use super::super::bot::Core;
use super::super::error::RequestError;
use super::super::inbox::{self, Item};
use super::super::patience::Patience;
use super::error::SocketError;
use super::frame::{self, Frame};
use super::upgrade;
use super::wire::Wire;

/// How many events may wait for the handler's side before nothing more is read.
const EVENTS: usize = 64;
/// How many acknowledgements may wait before the handler's side has to.
const ACKNOWLEDGEMENTS: usize = 2048;
/// How many acknowledgements one frame holds.
const BATCH_LIMIT: usize = 100;
/// How many such frames may be unanswered; more acknowledgements gather meanwhile.
const UNANSWERED_LIMIT: usize = 4;
/// A connection that lived this long was a good one, and the next failure is the first again.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// What a link tells.
pub(in crate::client) enum Event {
    /// A connection is open, and what waits and what comes will be told.
    Open,
    /// Something from the inbox.
    Item(Item),
    /// How far a message of ours got.
    Receipt(BlazeReceipt),
    /// Something went wrong, and the link goes on.
    Trouble(RequestError),
    /// The link has given up.
    Ended(RequestError),
}

/// The near end of a link. Dropping it ends the task; what is not acknowledged comes again.
pub(in crate::client) struct Link {
    events: mpsc::Receiver<Event>,
    acknowledgements: mpsc::Sender<MessageId>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), RequestError>>,
}

impl Link {
    /// Starts the task on the current runtime.
    pub(in crate::client) fn start(core: Arc<Core>) -> Self {
        let (told, events) = mpsc::channel(EVENTS);
        let (acknowledgements, handled) = mpsc::channel(ACKNOWLEDGEMENTS);
        let (stop, stopped) = oneshot::channel();
        let far = FarEnd {
            core,
            told,
            handled,
            stopped,
            patience: Patience::default(),
            unsent: VecDeque::new(),
            unanswered: VecDeque::new(),
            stopping: false,
        };
        Self { events, acknowledgements, stop: Some(stop), task: tokio::spawn(far.run()) }
    }

    /// The next event; `None` after the end. May be dropped at any time without loss.
    pub(in crate::client) async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Puts an acknowledgement into the queue once there is room.
    pub(in crate::client) async fn acknowledge(&self, message: MessageId) {
        // Fails only when the task is gone; the message comes again then.
        let _ended = self.acknowledgements.send(message).await;
    }

    /// Waits until everything is acknowledged and the connection is closed.
    pub(in crate::client) async fn close(mut self) -> Result<(), RequestError> {
        drop(self.stop.take());
        // Whatever comes in from now on is not handled, and so it comes again.
        self.events.close();
        (&mut self.task).await.unwrap_or(Ok(()))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the task owns.
struct FarEnd {
    core: Arc<Core>,
    told: mpsc::Sender<Event>,
    handled: mpsc::Receiver<MessageId>,
    stopped: oneshot::Receiver<()>,
    patience: Patience,
    /// Acknowledgements that wait for a connection.
    unsent: VecDeque<MessageId>,
    /// Acknowledgements that were sent, by the id of their frame, oldest first.
    unanswered: VecDeque<(Id<()>, Vec<MessageId>)>,
    /// Told to stop; `stopped` must not be asked again.
    stopping: bool,
}

/// Why a connection is over.
enum End {
    Stopped,
    Lost(RequestError),
}

impl FarEnd {
    async fn run(mut self) -> Result<(), RequestError> {
        loop {
            let opened = tokio::select! {
                biased;
                _ = &mut self.stopped => return self.acknowledge_by_post().await,
                opened = upgrade::connect(&self.core) => opened,
            };
            let pause = match opened {
                Err(error) => match self.patience.pause_after(&error, &self.core) {
                    Some(pause) => {
                        self.tell(Event::Trouble(error)).await;
                        pause
                    }
                    None => {
                        self.tell(Event::Ended(error)).await;
                        return self.acknowledge_by_post().await;
                    }
                },
                Ok(wire) => {
                    self.patience.reached();
                    let opened_at = self.core.clock.now();
                    let error = match self.serve(wire).await {
                        End::Stopped => return self.acknowledge_by_post().await,
                        End::Lost(error) => error,
                    };
                    self.put_back();
                    let lived = self.core.clock.now().duration_since(opened_at);
                    if lived.unwrap_or_default() >= HEALTHY_AFTER {
                        self.patience.renew();
                    }
                    let pause = self.patience.pause(&error, &self.core);
                    self.tell(Event::Trouble(error)).await;
                    pause
                }
            };
            tokio::select! {
                biased;
                _ = &mut self.stopped => return self.acknowledge_by_post().await,
                () = self.core.clock.sleep(pause) => {}
            }
        }
    }

    /// Gives an event away, unless told to stop meanwhile.
    async fn tell(&mut self, event: Event) {
        tokio::select! {
            biased;
            // The handler's side has stopped listening; it has not gone.
            () = self.told.closed() => {}
            _told = self.told.send(event) => {}
        }
    }

    /// What was sent over a lost connection may never have arrived.
    fn put_back(&mut self) {
        while let Some((_, messages)) = self.unanswered.pop_back() {
            messages.into_iter().rev().for_each(|message| self.unsent.push_front(message));
        }
    }

    /// Goes on until the connection is lost or the handler's side wants to stop.
    async fn serve(&mut self, mut wire: Wire) -> End {
        let served = match self.begin(&mut wire).await {
            Ok(()) => self.pass_on(&mut wire).await,
            Err(error) => Err(error),
        };
        match served {
            Ok(()) => {
                wire.close().await;
                End::Stopped
            }
            // What is left goes by ordinary requests.
            Err(_) if self.stopping => End::Stopped,
            Err(error) => End::Lost(error),
        }
    }

    /// Acknowledges first, so that what was handled does not come again.
    async fn begin(&mut self, wire: &mut Wire) -> Result<(), RequestError> {
        self.send_unsent(wire).await?;
        let packed = frame::pack(self.core.entropy.random_id(), LIST_PENDING_MESSAGES, None::<()>)?;
        Ok(wire.send(packed).await?)
    }

    async fn pass_on(&mut self, wire: &mut Wire) -> Result<(), RequestError> {
        let answer_within = self.core.keep_alive.answer_within;
        let mut batch = Vec::with_capacity(BATCH_LIMIT);
        let mut held = Some(Event::Open);
        let mut all_handled = false;
        let told = self.told.clone();
        // When the oldest unanswered frame was sent, or reading went on, or an answer came.
        let mut since = Instant::now();
        loop {
            if all_handled && self.unanswered.is_empty() {
                return Ok(());
            }
            let reading = held.is_none();
            let waiting = !self.unanswered.is_empty();
            let may_send = !all_handled && self.unanswered.len() < UNANSWERED_LIMIT;
            tokio::select! {
                biased;
                _ = &mut self.stopped, if !self.stopping => {
                    self.stopping = true;
                    held = None;
                    self.handled.close();
                }
                count = self.handled.recv_many(&mut batch, BATCH_LIMIT), if may_send => {
                    if !waiting {
                        since = Instant::now();
                    }
                    all_handled = count == 0;
                    self.unsent.extend(batch.drain(..));
                    self.send_unsent(wire).await?;
                }
                permit = told.reserve(), if !reading => {
                    if let (Ok(permit), Some(event)) = (permit, held.take()) {
                        permit.send(event);
                    }
                    since = Instant::now();
                }
                frame = wire.turn(reading) => {
                    let event = match frame {
                        Ok(frame) => {
                            let settled = self.settle(&frame);
                            if settled {
                                since = Instant::now();
                            }
                            self.read(frame, settled)?
                        }
                        Err(error @ SocketError::Frame { .. }) => Some(Event::Trouble(error.into())),
                        Err(error) => return Err(error.into()),
                    };
                    held = event.filter(|_| !self.stopping);
                }
                () = sleep_until(since + answer_within), if reading && waiting => {
                    return Err(SocketError::Silent.into());
                }
            }
        }
    }

    /// Sends what waits, in frames of at most a hundred.
    async fn send_unsent(&mut self, wire: &mut Wire) -> Result<(), RequestError> {
        while !self.unsent.is_empty() {
            let count = self.unsent.len().min(BATCH_LIMIT);
            let messages: Vec<MessageId> = self.unsent.drain(..count).collect();
            let id = self.core.entropy.random_id();
            let params = AcknowledgeMessages { messages: acknowledged(&messages) };
            let packed = frame::pack(id, ACKNOWLEDGE_MESSAGE_RECEIPTS, Some(params))?;
            self.unanswered.push_back((id, messages));
            wire.send(packed).await?;
        }
        Ok(())
    }

    /// Strikes off what this frame answers.
    fn settle(&mut self, frame: &Frame) -> bool {
        let place = self.unanswered.iter().position(|(id, _)| frame.answers(*id));
        place.is_some_and(|place| self.unanswered.remove(place).is_some())
    }

    /// What a frame means for the handler's side.
    fn read(&self, frame: Frame, answered: bool) -> Result<Option<Event>, RequestError> {
        if let Some(error) = frame.request_error() {
            // A connection without delivery, or without a valid token, is of no use.
            let useless = frame.action == LIST_PENDING_MESSAGES || error.status() == Some(401);
            return if useless { Err(error) } else { Ok(Some(Event::Trouble(error))) };
        }
        let Some(data) = frame.data.filter(|_| !answered) else { return Ok(None) };
        Ok(match frame.action.as_str() {
            CREATE_MESSAGE => Some(Event::Item(inbox::read_text(data.get()))),
            ACKNOWLEDGE_MESSAGE_RECEIPT => {
                serde_json::from_str(data.get()).ok().map(Event::Receipt)
            }
            _ => None,
        })
    }

    /// At the end, by ordinary requests: what could not be said, or was not answered, over a socket.
    async fn acknowledge_by_post(mut self) -> Result<(), RequestError> {
        self.put_back();
        self.handled.close();
        while let Some(message) = self.handled.recv().await {
            self.unsent.push_back(message);
        }
        let mut last = Ok(());
        for messages in Vec::from(self.unsent).chunks(BATCH_LIMIT) {
            last = acknowledge::post(&self.core.gateway, &acknowledged(messages)).await;
        }
        last
    }
}

fn acknowledged(messages: &[MessageId]) -> Vec<Acknowledgement> {
    let status = AcknowledgementStatus::Read;
    messages.iter().map(|message| Acknowledgement { message_id: *message, status }).collect()
}
