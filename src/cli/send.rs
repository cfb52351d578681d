//! `sealpost bot send`.

use std::io::{self, IsTerminal, Read};

use clap::Args;
use serde_json::{Value, json};

use super::error::CommandError;
use super::keystore::Identity;
use super::output::{Output, on_one_line};
use crate::sdk::client::{Message, Outcome, Text};
use crate::sdk::ids::{MessageId, SessionId, UserId};

/// No gateway takes a message that is larger.
const LARGEST_TEXT: u64 = 8 * 1024 * 1024;

/// Send a text to every device of somebody
///
/// Seals it for each device, and again when the list of devices turns out to be old. Prints the
/// message's id, how many devices it was stored for, and whether the list was fetched anew. Ends
/// with status 1 when the gateway did not take it.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    identity: Identity,
    /// The account that it is for
    #[arg(long, value_name = "USER_ID")]
    to: UserId,
    /// The id of the message [default: a random one]. What is sent again under its id is stored once
    #[arg(long, value_name = "MESSAGE_ID")]
    id: Option<MessageId>,
    /// The text; `-`, or none, reads it from standard input, without the line break at its end
    #[arg(value_name = "TEXT")]
    text: Option<String>,
}

pub(super) async fn run(arguments: Arguments, out: Output) -> Result<(), CommandError> {
    let client = arguments.identity.client(1)?;
    let text = match arguments.text {
        Some(text) if text != "-" => text,
        _ => read(out)?,
    };
    if text.is_empty() {
        return Err(CommandError::NoText);
    }
    let message = Message::to(&arguments.to, Text::new(text));
    let message = match arguments.id {
        Some(id) => message.with_id(id),
        None => message,
    };
    let sent = client.bot.send_message(message).await;
    let sent = sent.map_err(|source| client.not_sent(source))?;
    let (id, outcome) = (sent.message_id, &sent.outcome);
    if let Some(refusal) = Refusal::of(outcome) {
        let Refusal { why, later, .. } = refusal;
        return Err(CommandError::Undelivered { message: id, why, later });
    }
    let refreshed = client.refreshed() > 0;
    let anew = if refreshed { ", after their list was fetched anew" } else { "" };
    let text = format!("{id}  {}{anew}", in_words(outcome));
    out.print(&text, &receipt(id, outcome, refreshed))
}

/// The text on standard input, of which one line break at the end is the pipe's and not the text's.
fn read(out: Output) -> Result<String, CommandError> {
    let input = io::stdin().lock();
    if input.is_terminal() {
        out.remark("reading the text from this terminal; ctrl-d ends it");
    }
    let mut text = String::new();
    input.take(LARGEST_TEXT).read_to_string(&mut text).map_err(CommandError::Input)?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered { sessions } => format!("stored for {}", devices(sessions)),
        Outcome::DeliveredInPart { sessions, missing } => {
            format!("stored for {}, but not for {}", devices(sessions), devices(missing))
        }
        _ => "was stored before".to_owned(),
    }
}

fn devices(sessions: &[SessionId]) -> String {
    match sessions.len() {
        1 => "1 device".to_owned(),
        count => format!("{count} devices"),
    }
}

fn receipt(message: MessageId, outcome: &Outcome, refreshed: bool) -> Value {
    let (word, sessions, missing): (_, &[SessionId], &[SessionId]) = match outcome {
        Outcome::Delivered { sessions } => ("delivered", sessions.as_slice(), &[]),
        Outcome::DeliveredInPart { sessions, missing } => {
            ("delivered_in_part", sessions.as_slice(), missing.as_slice())
        }
        _ => ("already_delivered", &[], &[]),
    };
    json!({
        "message_id": message,
        "outcome": word,
        "sessions": sessions,
        "missing": missing,
        "refreshed": refreshed,
    })
}

/// Why the gateway did not take a message.
pub(super) struct Refusal {
    /// One word, for programs.
    pub(super) word: &'static str,
    /// For people.
    pub(super) why: String,
    /// Whether the same may succeed later.
    pub(super) later: bool,
}

impl Refusal {
    /// None when the gateway has the message.
    pub(super) fn of(outcome: &Outcome) -> Option<Self> {
        let (word, why, later) = match outcome {
            outcome if outcome.is_delivered() => return None,
            Outcome::RecipientGone => ("recipient_gone", "there is no such account".into(), false),
            Outcome::Rejected { error } => {
                let extra = error.extra.as_ref();
                let detail = extra.map(|extra| format!(" ({}: {})", extra.field, extra.reason));
                let detail = detail.unwrap_or_default();
                ("rejected", format!("refused: {}{detail}", error.description), false)
            }
            Outcome::Deferred { retry_after: Some(wait) } => {
                let wait = wait.as_secs();
                ("deferred", format!("no device can take it now, try in {wait} seconds"), true)
            }
            Outcome::StillStale => {
                ("still_stale", "the list of devices keeps changing".into(), true)
            }
            _ => {
                let why = "nobody is signed in there, or the inbox is full";
                ("deferred", why.into(), true)
            }
        };
        // The gateway's own words may be in it, and they end up on a terminal.
        Some(Self { word, why: on_one_line(&why), later })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_gateway_has_is_no_refusal() {
        let sessions = vec![SessionId::from_bytes([1; 16])];
        let in_part = Outcome::DeliveredInPart { missing: sessions.clone(), sessions };
        for outcome in [in_part, Outcome::AlreadyDelivered] {
            assert!(Refusal::of(&outcome).is_none(), "{outcome:?}");
        }
    }

    #[test]
    fn a_refusal_says_whether_trying_again_makes_sense() {
        let later = |outcome| Refusal::of(&outcome).map(|refusal| refusal.later);
        assert_eq!(later(Outcome::RecipientGone), Some(false));
        assert_eq!(later(Outcome::Deferred { retry_after: None }), Some(true));
        assert_eq!(later(Outcome::StillStale), Some(true));
    }
}
