//! Listening until the program is told to stop, for programs that do nothing else.

use std::future::Future;

use super::bot::Bot;
use super::error::RequestError;
use super::incoming::Incoming;
use super::listening::{Handled, Listening};
use super::messages::ReceiveError;

impl Bot {
    /// Gives every message to `handler`, one after the other, until the program is told to stop
    /// (Ctrl-C, on Unix also SIGTERM).
    ///
    /// Messages come over a socket that is kept alive and opened again whenever it breaks, with
    /// pauses that grow and are drawn at random. Each is acknowledged after its handler has given
    /// back nothing or `Ok` (see [`Handled`]): after an `Err`, a panic or a program that died it
    /// comes again. One that comes again although it was handled is acknowledged and not handed
    /// out.
    ///
    /// The handler also gets messages that cannot be read or are of an unconfirmed sender, as
    /// [`ReceiveError`]. They count as handled like any other, so that one broken envelope does not
    /// come again and again; give back an error to leave one with the gateway.
    ///
    /// A handler that has begun is let finish, and what was handled is acknowledged before this
    /// returns; told a second time, it stops where it stands, and what is not acknowledged comes
    /// again. [`listening`](Self::listening) has settings: handlers side by side, hooks for
    /// being ready, trouble and receipts.
    ///
    /// # Errors
    /// When the gateway refuses to hand out messages, most likely since the session was revoked
    /// ([`RequestError::SessionEnded`]), or was never reached.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use sealpost_sdk::client::{Bot, Text};
    ///
    /// let bot = Bot::from_keystore("echo.json")?;
    /// bot.run(async |message| {
    ///     let message = match message {
    ///         Ok(message) => message,
    ///         Err(error) => return eprintln!("{error}"),
    ///     };
    ///     if let Some(gap) = message.gap() {
    ///         eprintln!("{} messages were dropped unread", gap.count);
    ///     }
    ///     if let Some(text) = message.text() {
    ///         let sent = bot.reply(&message, Text::new(text)).await;
    ///         println!("{sent:?}");
    ///     }
    /// })
    /// .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run<F: Future<Output: Handled>>(
        &self,
        handler: impl FnMut(Result<Incoming, ReceiveError>) -> F,
    ) -> Result<(), RequestError> {
        self.listening().run(handler).await
    }

    /// As [`run`](Self::run), until `stop` resolves.
    ///
    /// To be spawned, the handler must own what it uses: a closure that clones the bot and gives an
    /// `async move` block, in place of an `async` closure that borrows it.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_until<F: Future<Output: Handled>>(
        &self,
        stop: impl Future<Output = ()>,
        handler: impl FnMut(Result<Incoming, ReceiveError>) -> F,
    ) -> Result<(), RequestError> {
        self.listening().run_until(stop, handler).await
    }
}

impl Listening {
    /// As [`Bot::run`], with these settings.
    ///
    /// # Errors
    /// As [`Bot::run`].
    pub async fn run<F: Future<Output: Handled>>(
        self,
        handler: impl FnMut(Result<Incoming, ReceiveError>) -> F,
    ) -> Result<(), RequestError> {
        self.run_until_told_twice(told_to_stop, handler).await
    }

    /// Without the second half, a handler that hangs could be ended by force alone: whoever listens
    /// for Ctrl-C takes its usual meaning away.
    pub(super) async fn run_until_told_twice<S, F>(
        self,
        told: impl Fn() -> S,
        handler: impl FnMut(Result<Incoming, ReceiveError>) -> F,
    ) -> Result<(), RequestError>
    where
        S: Future<Output = ()>,
        F: Future<Output: Handled>,
    {
        let told_twice = async {
            told().await;
            told().await;
        };
        tokio::select! {
            result = self.run_until(told(), handler) => result,
            () = told_twice => Ok(()),
        }
    }
}

async fn told_to_stop() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupted => {}
        () = terminated() => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};

    match signal(SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
