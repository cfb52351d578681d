//! Reading what a message may need: threads with a connection each, which take all that waits.
//!
//! Of a query of sqlx's each row crosses from the driver's thread to the request's task, with copies
//! of all its columns; here one thread reads all of it and hands over what it made of it. And after
//! each commit a connection forgets every page that it has read, so that each transaction reads the
//! way down to its rows anew. So whatever waits when a reader is free shares a transaction, and as
//! long as nothing but messages is written a reader stays in it for a while ([`STAY`]), since nobody
//! asks for messages here. Nobody waits for others to come, and what is read is never older than the
//! last change before the question.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::connect::{READER_CACHE, READER_TIMEOUT};
use super::connection::{failed, keep_plans};
use super::known::{Known, Moment};
use crate::domain::inbox::Guard;
use crate::storage::error::StoreError;
use crate::storage::open::StorageConfig;

/// So many questions are taken at once, at most.
const AT_ONCE: usize = 64;

/// How long a reader stays in a transaction, at most. While it does, the log cannot be copied beyond
/// it, and cannot begin anew.
const STAY: Duration = Duration::from_millis(250);

/// How long it stays without a question.
const IDLE: Duration = Duration::from_millis(50);

/// Threads that read.
pub(super) struct Readers {
    line: Arc<Line>,
    ends: Mutex<Vec<oneshot::Receiver<()>>>,
}

/// What waits for a reader.
#[derive(Default)]
struct Line {
    waiting: Mutex<Waiting>,
    come: Condvar,
}

#[derive(Default)]
struct Waiting {
    questions: VecDeque<Box<dyn Question>>,
    is_closed: bool,
}

/// What a question is asked.
pub(super) struct View<'c> {
    pub connection: &'c Connection,
    since: Moment,
    known: &'c Known,
}

impl View<'_> {
    /// Tells the writer of guards that hold, going by what was read.
    pub(super) fn hold(&self, guards: impl IntoIterator<Item = Guard>) {
        self.known.hold(self.since, guards);
    }
}

/// How new an answer has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AsOf {
    /// It knows of every change that was answered before the question.
    LastChange,
    /// It knows of all that was written before the question, by whomever.
    Now,
}

/// A question, and who asked.
trait Question: Send {
    /// Its turn has come; says whether anybody waits for it still.
    fn begin(&self) -> bool;

    /// How new the answer has to be.
    fn as_of(&self) -> AsOf;

    /// Asks it, and tells whoever waits.
    fn answer(self: Box<Self>, view: Result<&View<'_>, StoreError>);
}

struct Asked<T, F> {
    ask: F,
    as_of: AsOf,
    reply: oneshot::Sender<Result<T, StoreError>>,
    has_begun: Arc<AtomicBool>,
}

impl<T, F> Question for Asked<T, F>
where
    T: Send,
    F: FnOnce(&View<'_>) -> Result<T, StoreError> + Send,
{
    fn begin(&self) -> bool {
        self.has_begun.store(true, Ordering::Release);
        !self.reply.is_closed()
    }

    fn as_of(&self) -> AsOf {
        self.as_of
    }

    fn answer(self: Box<Self>, view: Result<&View<'_>, StoreError>) {
        // Whoever went away meanwhile needs no answer.
        let _ = self.reply.send(view.and_then(self.ask));
    }
}

impl Readers {
    /// Readers of a database whose writer tells `known` of changes.
    ///
    /// # Errors
    /// When the system has no thread to spare.
    pub(super) fn start(config: &StorageConfig, known: &Arc<Known>) -> io::Result<Self> {
        Self::with(config, OpenFlags::SQLITE_OPEN_READ_WRITE, known)
    }

    /// Readers that could not change anything if they tried.
    ///
    /// # Errors
    /// When the system has no thread to spare.
    pub(super) fn onlookers(config: &StorageConfig) -> io::Result<Self> {
        // Nobody tells of changes here.
        let known = Arc::new(Known::default());
        known.let_stay(false);
        Self::with(config, OpenFlags::SQLITE_OPEN_READ_ONLY, &known)
    }

    fn with(config: &StorageConfig, flags: OpenFlags, known: &Arc<Known>) -> io::Result<Self> {
        let StorageConfig { path, busy_timeout, .. } = config;
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let readers = Self { line: Arc::default(), ends: Mutex::default() };
        for _ in 0..config.readers.max(1) {
            let (over, end) = oneshot::channel();
            let reader = Reader {
                path: path.clone(),
                flags,
                busy_timeout: *busy_timeout,
                line: Arc::clone(&readers.line),
                known: Arc::clone(known),
                connection: None,
                stay: None,
            };
            let thread = thread::Builder::new().name("sealpost-reader".to_owned());
            thread.spawn(move || {
                reader.work();
                drop(over);
            })?;
            readers.ends.lock().unwrap_or_else(PoisonError::into_inner).push(end);
        }
        Ok(readers)
    }

    /// Asks a question that has nothing to do with messages: one statement, since it may be alone in
    /// its transaction.
    ///
    /// # Errors
    /// When nobody is free for long, when there is no connection, or when the question fails.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        as_of: AsOf,
        ask: impl FnOnce(&View<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, mut answer) = oneshot::channel();
        let has_begun = Arc::new(AtomicBool::new(false));
        let asked = Asked { ask, as_of, reply, has_begun: Arc::clone(&has_begun) };
        self.line.push(Box::new(asked))?;
        let answered = match timeout(READER_TIMEOUT, &mut answer).await {
            Ok(answered) => answered,
            Err(_) if has_begun.load(Ordering::Acquire) => answer.await,
            Err(_) => return Err(StoreError::NobodyFree),
        };
        // It is dropped by a panic alone.
        answered.unwrap_or(Err(StoreError::Panicked))
    }

    /// Takes no more questions, waits until those that wait are answered, and lets go of all
    /// connections.
    pub(super) async fn close(&self) {
        self.line.close();
        let ends = std::mem::take(&mut *self.ends.lock().unwrap_or_else(PoisonError::into_inner));
        for end in ends {
            // It comes by itself; nothing is ever sent.
            let _ = end.await;
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.line.close();
    }
}

impl Line {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, question: Box<dyn Question>) -> Result<(), StoreError> {
        let mut waiting = self.waiting();
        if waiting.is_closed {
            return Err(StoreError::Closed);
        }
        waiting.questions.push_back(question);
        // Whoever is told of the first takes them all. They are told under the lock, so that nobody
        // who comes later waits until this thread runs again.
        if waiting.questions.len() == 1 {
            self.come.notify_one();
        }
        Ok(())
    }

    fn close(&self) {
        self.waiting().is_closed = true;
        self.come.notify_all();
    }

    /// Waits for questions and takes all, up to a bound; none once there will be no more, or when that
    /// time is over.
    fn take(&self, longest: Option<Duration>) -> Vec<Box<dyn Question>> {
        let waiting = self.waiting();
        let idle = |waiting: &mut Waiting| waiting.questions.is_empty() && !waiting.is_closed;
        let mut waiting = match longest {
            None => self.come.wait_while(waiting, idle).unwrap_or_else(PoisonError::into_inner),
            Some(longest) => {
                let waited = self.come.wait_timeout_while(waiting, longest, idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        let count = waiting.questions.len().min(AT_ONCE);
        let taken = waiting.questions.drain(..count).collect();
        if !waiting.questions.is_empty() {
            self.come.notify_one();
        }
        taken
    }
}

/// One of the threads.
struct Reader {
    path: PathBuf,
    flags: OpenFlags,
    busy_timeout: Duration,
    line: Arc<Line>,
    known: Arc<Known>,
    /// Missing at first, and after a panic.
    connection: Option<Connection>,
    /// The transaction that the connection is in, if it is in one.
    stay: Option<Stay>,
}

/// A transaction that may serve what is asked later.
#[derive(Clone, Copy)]
struct Stay {
    since: Moment,
    until: Instant,
}

impl Stay {
    fn left(self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

impl Reader {
    fn work(mut self) {
        loop {
            let questions = self.line.take(self.stay.map(|stay| stay.left().min(IDLE)));
            match questions.is_empty() {
                false => self.answer(questions),
                true if self.stay.is_some() => self.leave(),
                true => return,
            }
        }
    }

    /// Answers questions in one transaction.
    fn answer(&mut self, mut questions: Vec<Box<dyn Question>>) {
        questions.retain(|question| question.begin());
        if self.stay.is_some_and(|stay| !self.is_new_enough(stay, &questions)) {
            self.leave();
        }
        let mut connection = None;
        while connection.is_none() && !questions.is_empty() {
            match self.connection.take().map_or_else(|| self.open(), Ok) {
                Ok(open) => connection = Some(open),
                // Each of the others is told by an attempt of its own.
                Err(error) => questions.remove(0).answer(Err(error)),
            }
        }
        let Some(connection) = connection else { return };
        let since = self.stay.map_or_else(|| self.begin(&connection), |stay| stay.since);
        let view = View { connection: &connection, since, known: &self.known };
        let mut is_sound = true;
        for question in questions {
            let answered = catch_unwind(AssertUnwindSafe(|| question.answer(Ok(&view))));
            is_sound &= answered.is_ok();
        }
        self.connection = Some(connection).filter(|_| is_sound);
        if !is_sound || !self.known.may_stay() {
            self.leave();
        }
    }

    /// Whether a transaction that began earlier serves all of these.
    fn is_new_enough(&self, stay: Stay, questions: &[Box<dyn Question>]) -> bool {
        !stay.left().is_zero()
            && stay.since == self.known.now()
            && questions.iter().all(|question| question.as_of() == AsOf::LastChange)
    }

    /// Begins a transaction, without which each question is asked in one of its own; gives since when
    /// what they read holds.
    fn begin(&mut self, connection: &Connection) -> Moment {
        let since = self.known.now();
        if connection.execute_batch("BEGIN").is_ok() {
            self.stay = Some(Stay { since, until: Instant::now() + STAY });
        }
        since
    }

    /// Ends the transaction, if there is one and still a connection; one that cannot end it goes.
    fn leave(&mut self) {
        if self.stay.take().is_some() {
            let has_left = |connection: &Connection| connection.execute_batch("COMMIT").is_ok();
            self.connection = self.connection.take().filter(has_left);
        }
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let open = || {
            let connection = Connection::open_with_flags(&self.path, self.flags)?;
            connection.busy_timeout(self.busy_timeout)?;
            connection.pragma_update(None, "query_only", "ON")?;
            connection.pragma_update(None, "cache_size", READER_CACHE)?;
            keep_plans(&connection)?;
            Ok(connection)
        };
        open().map_err(failed("opening a connection that reads"))
    }
}

#[cfg(test)]
mod tests;
