//! How codes get to their owners: through the operator, a program of the operator's, mail or
//! Twilio. No code and no number is ever logged.

mod mail;
mod twilio;
mod webhook;

use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::client::{Answer, AskError, Client};
use super::mail::MailError;
use crate::config::dialects::textsecure::Codes;
use crate::config::dialects::textsecure::codes::{Fallback, Sender};
use crate::domain::Fault;
use crate::domain::clock::Clock;
use crate::domain::phone::PhoneNumber;
use crate::domain::ports::{CodeDelivery, CodeMessage, CodeSender};
use mail::Mail;
use twilio::Twilio;
use webhook::Webhook;

/// Hands codes over as the operator set it up.
pub struct Carriers {
    fixed: Vec<(PhoneNumber, Zeroizing<String>)>,
    first: Carrier,
    fallback: Option<Carrier>,
}

/// One way for a code.
enum Carrier {
    /// It waits for the operator.
    Outbox,
    /// A program of the operator's is told.
    Webhook(Webhook),
    /// It goes by mail.
    Mail(Box<Mail>),
    /// It goes by text message or call.
    Twilio(Twilio),
}

/// Why a code was not taken. Not a word of it is about whose it was.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// Nobody answered.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The answer was no.
    #[error("the answer was {0}")]
    Refused(u16),
    /// The mail did not leave.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// Nobody is written to about that number.
    #[error("that number has no mail address")]
    Nobody,
    /// This way does not lead to that number.
    #[error("that number is not served")]
    NotServed,
}

impl Carriers {
    /// The senders that the settings name, which ask through `client`.
    ///
    /// # Errors
    /// When the settings of mail cannot be used.
    pub fn open(codes: &Codes, client: &Client, clock: &Arc<dyn Clock>) -> Result<Self, MailError> {
        let first = match codes.sender {
            Sender::Outbox => Carrier::Outbox,
            Sender::Webhook => Carrier::webhook(codes, client, clock),
            Sender::Smtp => Carrier::mail(codes, client, clock)?,
            Sender::Twilio => Carrier::twilio(codes, client),
        };
        let fallback = match codes.fallback {
            Fallback::None => None,
            Fallback::Outbox => Some(Carrier::Outbox),
            Fallback::Webhook => Some(Carrier::webhook(codes, client, clock)),
            Fallback::Smtp => Some(Carrier::mail(codes, client, clock)?),
            Fallback::Twilio => Some(Carrier::twilio(codes, client)),
        };
        Ok(Self { fixed: fixed(codes), first, fallback })
    }
}

fn fixed(codes: &Codes) -> Vec<(PhoneNumber, Zeroizing<String>)> {
    codes.fixed().into_iter().map(|(number, code)| (number, code.into())).collect()
}

impl Carrier {
    fn webhook(codes: &Codes, client: &Client, clock: &Arc<dyn Clock>) -> Self {
        Self::Webhook(Webhook::new(&codes.webhook, client.clone(), clock.clone()))
    }

    fn mail(codes: &Codes, client: &Client, clock: &Arc<dyn Clock>) -> Result<Self, MailError> {
        let reach = client.reach();
        let mail = Mail::open(&codes.smtp, reach, client.patience(), clock.clone())?;
        Ok(Self::Mail(Box::new(mail)))
    }

    fn twilio(codes: &Codes, client: &Client) -> Self {
        Self::Twilio(Twilio::new(&codes.twilio, client.clone()))
    }

    async fn carry(&self, message: &CodeMessage) -> Result<CodeDelivery, CarryError> {
        match self {
            Self::Outbox => return Ok(CodeDelivery::Outbox),
            Self::Webhook(webhook) => webhook.send(message).await?,
            Self::Mail(mail) => mail.send(message).await.ok_or(CarryError::Nobody)??,
            Self::Twilio(twilio) => twilio.send(message).await?,
        }
        Ok(CodeDelivery::Sent)
    }
}

#[async_trait]
impl CodeSender for Carriers {
    async fn deliver(&self, message: &CodeMessage) -> Result<CodeDelivery, Fault> {
        let failed = match self.first.carry(message).await {
            Ok(delivery) => return Ok(delivery),
            Err(error) => error,
        };
        let Some(fallback) = &self.fallback else { return Err(unavailable(failed)) };
        if !matches!(failed, CarryError::NotServed) {
            tracing::warn!("a code goes by the fallback: {failed}");
        }
        fallback.carry(message).await.map_err(unavailable)
    }

    fn fixed(&self, number: &PhoneNumber) -> Option<Zeroizing<String>> {
        self.fixed.iter().find(|(fixed, _)| fixed == number).map(|(_, code)| code.clone())
    }
}

fn unavailable(error: CarryError) -> Fault {
    Fault::unavailable("a code could not be handed over", Some(error.into()))
}

/// An answer that says yes.
fn accepted(answer: &Answer) -> Result<(), CarryError> {
    if answer.is_success() { Ok(()) } else { Err(CarryError::Refused(answer.status)) }
}
