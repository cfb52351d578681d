//! Everything that is logged on the thread of a test.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing::subscriber::{DefaultGuard, NoSubscriber, set_default};
use tracing::{Dispatch, Level};

/// A log that is being written.
pub struct Log {
    text: Text,
    _listening: DefaultGuard,
    _second: Dispatch,
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Listens to this thread, at every level.
    pub fn listen() -> Self {
        // As long as there is a single listener, a line of code that another test comes past first
        // is asked on that test's thread whether anybody listens: nobody does there, and that is
        // remembered for all threads. With two of them all are asked.
        let second = Dispatch::new(NoSubscriber::new());
        let text = Text::default();
        let writer = text.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let listening = set_default(subscriber);
        tracing::callsite::rebuild_interest_cache();
        Self { text, _listening: listening, _second: second }
    }

    /// What was logged.
    pub fn end(self) -> String {
        String::from_utf8(self.text.0.lock().unwrap().clone()).unwrap()
    }
}
