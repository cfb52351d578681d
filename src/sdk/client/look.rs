//! Looking into the inbox once, for tools that show what is there and do not listen.

use std::time::Duration;

use crate::ids::MessageId;
use crate::types::{Acknowledgement, AcknowledgementStatus};

use super::acknowledge::{self, BATCH_LIMIT};
use super::bot::Bot;
use super::error::RequestError;
use super::inbox;
use super::incoming::Incoming;
use super::messages::{self, ReceiveError};

impl Bot {
    /// Hands out what waits at this moment, oldest first and opened, up to a hundred messages; empty
    /// when nothing waits.
    ///
    /// Nothing is acknowledged. What was handed out is held for this reader for a while (a minute
    /// unless the operator chose otherwise), so the next look shows what follows; then it comes again,
    /// to whoever reads. Each time counts as a delivery, and after too many of them without an
    /// [acknowledgement](Self::acknowledge) a message is set aside.
    ///
    /// # Errors
    /// When a request fails; it is not repeated, because a lost answer may have handed messages out.
    /// What cannot be read is an error in its place in the list.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use sealpost_sdk::client::Bot;
    ///
    /// let bot = Bot::from_keystore("echo.json")?;
    /// let waiting = bot.look().await?;
    /// let read: Vec<_> = waiting.iter().flatten().map(|message| message.message_id).collect();
    /// bot.acknowledge(&read).await?;
    /// assert!(read.len() <= 100);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn look(&self) -> Result<Vec<Result<Incoming, ReceiveError>>, RequestError> {
        let items = inbox::fetch(&self.core, Duration::ZERO).await?;
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            found.push(match item {
                Ok(message) => messages::open(&self.core, &message).await?,
                Err(malformed) => Err(malformed.to_error()),
            });
        }
        Ok(found)
    }

    /// Tells the gateway that these messages are taken care of: they do not come again.
    ///
    /// # Errors
    /// When a request fails for good. Some of them may be acknowledged nevertheless.
    pub async fn acknowledge(&self, messages: &[MessageId]) -> Result<(), RequestError> {
        let status = AcknowledgementStatus::Read;
        for batch in messages.chunks(BATCH_LIMIT) {
            let batch: Vec<_> = batch
                .iter()
                .map(|message| Acknowledgement { message_id: *message, status })
                .collect();
            acknowledge::post(&self.core.gateway, &batch).await?;
        }
        Ok(())
    }
}
