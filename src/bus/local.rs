//! Hints inside one process.

use futures_util::stream;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::domain::ports::{Bus, Hint, HintStream};

/// How many hints a slow listener may be behind before it is told to look at everything.
const CAPACITY: usize = 1024;

/// A bus for one process. Publishing never waits; whoever falls behind gets [`Hint::Everybody`]
/// instead of what was lost.
#[derive(Debug)]
pub struct LocalBus {
    sender: broadcast::Sender<Hint>,
}

impl LocalBus {
    /// A bus that nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    fn with_capacity(capacity: usize) -> Self {
        Self { sender: broadcast::Sender::new(capacity) }
    }
}

impl Default for LocalBus {
    fn default() -> Self {
        Self::new()
    }
}

impl Bus for LocalBus {
    fn publish(&self, hint: Hint) {
        // Without a listener there is nobody to tell.
        let _ = self.sender.send(hint);
    }

    fn subscribe(&self) -> HintStream {
        let receiver = self.sender.subscribe();
        Box::pin(stream::unfold(receiver, |mut receiver| async move {
            match receiver.recv().await {
                Ok(hint) => Some((hint, receiver)),
                Err(RecvError::Lagged(_)) => Some((Hint::Everybody, receiver)),
                Err(RecvError::Closed) => None,
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::StreamExt;

    use super::*;
    use crate::domain::ids::SessionNumber;

    fn wake(session: i64) -> Hint {
        Hint::Wake(Arc::new([SessionNumber(session)]))
    }

    #[tokio::test]
    async fn every_listener_hears_every_hint_from_now_on() {
        let bus = LocalBus::new();
        bus.publish(wake(1));
        let (one, other) = (bus.subscribe(), bus.subscribe());
        bus.publish(wake(2));
        bus.publish(Hint::SessionEnded(SessionNumber(3)));
        drop(bus);
        for listener in [one, other] {
            let heard: Vec<Hint> = listener.collect().await;
            assert_eq!(heard, [wake(2), Hint::SessionEnded(SessionNumber(3))]);
        }
    }

    #[tokio::test]
    async fn a_listener_that_fell_behind_is_told_to_look_at_everything() {
        let bus = LocalBus::with_capacity(2);
        let mut listener = bus.subscribe();
        for session in 0..10 {
            bus.publish(wake(session));
        }
        assert_eq!(listener.next().await, Some(Hint::Everybody));
        assert_eq!(listener.next().await, Some(wake(8)));
    }
}
