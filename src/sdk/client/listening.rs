//! A bot's main loop: every message that comes over the socket, given to a handler.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;

use crate::types::BlazeReceipt;

use super::backlog::{Backlog, Waiting};
use super::bot::{Bot, Core};
use super::error::RequestError;
use super::incoming::Incoming;
use super::messages::{self, Handed, ReceiveError};
use super::patience::Patience;
use super::socket::{Event, Link};

/// How a bot listens; made by [`Bot::listening`].
#[must_use = "nothing is listened for until it runs"]
pub struct Listening {
    bot: Bot,
    concurrency: usize,
    on_ready: Option<Arc<dyn Fn() + Send + Sync>>,
    on_receipt: Option<Arc<Hook<BlazeReceipt>>>,
    on_trouble: Option<Arc<Hook<Trouble>>>,
}

type Hook<T> = dyn Fn(&T) + Send + Sync;

/// Something went wrong, and the bot goes on listening. For logs and counters.
#[derive(Debug)]
#[non_exhaustive]
pub enum Trouble {
    /// The gateway is out of reach, closed the connection, or said something that is none of this
    /// protocol. What was not handled comes again.
    Connection(RequestError),
    /// The handler gave an error. The message is not acknowledged and comes again.
    HandlerFailed {
        /// The message, in the gateway's words.
        message_id: String,
    },
    /// The handler panicked. The message is not acknowledged and comes again.
    HandlerPanicked {
        /// The message, in the gateway's words.
        message_id: String,
    },
}

/// What a handler gives back: whether it is through with its message.
///
/// Nothing (`()`) means yes, and so does `Ok`. After an `Err` the message is not acknowledged: the
/// gateway hands it out again, later or over the next connection, and sets it aside when that never
/// helps.
pub trait Handled {
    /// Whether the message may be acknowledged.
    fn is_handled(&self) -> bool;
}

impl Handled for () {
    fn is_handled(&self) -> bool {
        true
    }
}

impl<E> Handled for Result<(), E> {
    fn is_handled(&self) -> bool {
        self.is_ok()
    }
}

/// How the work on one message ended.
enum Done {
    Handled(Waiting),
    /// It comes again.
    Left(Waiting, Option<Trouble>),
    /// Not even asking the gateway about its sender helps.
    Ended(RequestError),
}

impl Bot {
    /// Listening with settings of your own; [`run`](Self::run) is the same without.
    ///
    /// ```no_run
    /// # async fn example(bot: sealpost_sdk::client::Bot) -> Result<(), Box<dyn std::error::Error>> {
    /// bot.listening()
    ///     .concurrency(8) // messages of one conversation stay in order
    ///     .on_trouble(|trouble| eprintln!("{trouble:?}"))
    ///     .run(async |message| println!("{message:?}"))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn listening(&self) -> Listening {
        Listening {
            bot: self.clone(),
            concurrency: 1,
            on_ready: None,
            on_receipt: None,
            on_trouble: None,
        }
    }
}

impl Listening {
    /// How many handlers may work at once; 1 by default, so that messages are handled one after the
    /// other. With more, those of one conversation still are.
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.concurrency = handlers.clamp(1, 1024);
        self
    }

    /// Calls `listener` when the socket is open and messages come: at the beginning, and again each
    /// time after the connection was lost.
    pub fn on_ready(mut self, listener: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_ready = Some(Arc::new(listener));
        self
    }

    /// Calls `listener` when a reader has taken care of a message that this account sent. Such
    /// notices may get lost.
    pub fn on_receipt(mut self, listener: impl Fn(&BlazeReceipt) + Send + Sync + 'static) -> Self {
        self.on_receipt = Some(Arc::new(listener));
        self
    }

    /// Calls `listener` when something went wrong that does not end the listening.
    pub fn on_trouble(mut self, listener: impl Fn(&Trouble) + Send + Sync + 'static) -> Self {
        self.on_trouble = Some(Arc::new(listener));
        self
    }

    /// As [`Bot::run_until`], with these settings.
    ///
    /// # Errors
    /// As [`Bot::run`].
    pub async fn run_until<F: Future<Output: Handled>>(
        self,
        stop: impl Future<Output = ()>,
        handler: impl FnMut(Result<Incoming, ReceiveError>) -> F,
    ) -> Result<(), RequestError> {
        let core = &*self.bot.core;
        // The lock is held while a handler's future is made, never while it runs.
        let handler = Mutex::new(handler);
        let (stopping, stopped) = watch::channel(false);
        let mut link = Link::start(Arc::clone(&self.bot.core));
        let mut backlog = Backlog::default();
        let mut working = FuturesUnordered::new();
        let mut stop = pin!(stop);
        let ended = loop {
            while working.len() < self.concurrency {
                let Some(waiting) = backlog.next() else { break };
                working.push(work(core, &handler, stopped.clone(), waiting));
            }
            tokio::select! {
                biased;
                () = &mut stop => break None,
                Some(done) = working.next() => {
                    if let Some(error) = self.settle(done, &mut backlog, &link).await {
                        break Some(error);
                    }
                }
                event = link.next(), if !backlog.is_full() => match event {
                    None => break None,
                    Some(Event::Ended(error)) => break Some(error),
                    Some(Event::Open) => self.on_ready.iter().for_each(|listener| listener()),
                    Some(Event::Trouble(error)) => self.tell(&Trouble::Connection(error)),
                    Some(Event::Receipt(receipt)) => {
                        self.on_receipt.iter().for_each(|listener| listener(&receipt));
                    }
                    Some(Event::Item(item)) => {
                        if let Some(handled) = backlog.add(item) {
                            link.acknowledge(handled).await;
                        }
                    }
                },
            }
        };
        // What has begun is let finish; what has not comes again.
        let _nobody_waits = stopping.send(true);
        let mut first = ended;
        while let Some(done) = working.next().await {
            let error = self.settle(done, &mut backlog, &link).await;
            first = first.or(error);
        }
        let closed = link.close().await;
        first.map_or(closed, Err)
    }

    /// Acknowledges what is handled. Gives the error that ends the listening.
    async fn settle(&self, done: Done, backlog: &mut Backlog, link: &Link) -> Option<RequestError> {
        match done {
            Done::Handled(waiting) => {
                if let Some(message) = backlog.handled(&waiting, self.bot.core.clock.now()) {
                    link.acknowledge(message).await;
                }
            }
            Done::Left(waiting, trouble) => {
                backlog.left(&waiting);
                trouble.iter().for_each(|trouble| self.tell(trouble));
            }
            Done::Ended(error) => return Some(error),
        }
        None
    }

    fn tell(&self, trouble: &Trouble) {
        self.on_trouble.iter().for_each(|listener| listener(trouble));
    }
}

/// Opens one message and gives it to the handler.
async fn work<H, F>(
    core: &Core,
    handler: &Mutex<H>,
    mut stopped: watch::Receiver<bool>,
    waiting: Waiting,
) -> Done
where
    H: FnMut(Handed) -> F,
    F: Future<Output: Handled>,
{
    let opened = tokio::select! {
        biased;
        opened = open(core, &waiting) => opened,
        _ = stopped.wait_for(|stopped| *stopped) => return Done::Left(waiting, None),
    };
    let handed = match opened {
        Ok(handed) => handed,
        Err(error) => return Done::Ended(error),
    };
    // Whatever a handler leaves half done is its own; nothing here is touched while it runs.
    let handling = AssertUnwindSafe(async {
        let future = (handler.lock().unwrap_or_else(PoisonError::into_inner))(handed);
        future.await.is_handled()
    });
    match handling.catch_unwind().await {
        Ok(true) => Done::Handled(waiting),
        Ok(false) => {
            let message_id = waiting.message_id();
            Done::Left(waiting, Some(Trouble::HandlerFailed { message_id }))
        }
        Err(_) => {
            let message_id = waiting.message_id();
            Done::Left(waiting, Some(Trouble::HandlerPanicked { message_id }))
        }
    }
}

/// Opens a message, as often as it takes to ask the gateway about its sender.
async fn open(core: &Core, waiting: &Waiting) -> Result<Handed, RequestError> {
    let message = match &waiting.item {
        Ok(message) => message,
        Err(malformed) => return Ok(Err(malformed.to_error())),
    };
    let mut patience = Patience::default();
    patience.reached();
    loop {
        let error = match messages::open(core, message).await {
            Ok(handed) => return Ok(handed),
            Err(error) => error,
        };
        match patience.pause_after(&error, core) {
            Some(pause) => core.clock.sleep(pause).await,
            None => return Err(error),
        }
    }
}
