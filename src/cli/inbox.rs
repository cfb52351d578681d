//! `sealpost inbox …`.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::error::CommandError;
use super::keystore::{Client, Identity};
use super::output::{Output, on_one_line};
use super::serve::Signals;
use crate::app::chain;
use crate::sdk::base64url;
use crate::sdk::client::{Incoming, ReceiveError, SenderProof, Trouble};
use crate::sdk::ids::MessageId;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Tail(Tail),
}

/// Show what waits in an inbox, opened with the keystore's key
///
/// One line for each message, the oldest first: when the gateway took it, who sent it, its category,
/// its id, and its text. Nothing is acknowledged unless --ack is given. What was shown is held for
/// this reader for a minute (`limits.lease_seconds`), then it comes again, to whoever reads; each
/// look counts as a delivery, and after too many of them (`limits.set_aside_after`) without an
/// acknowledgement a message is set aside.
#[derive(Debug, Args)]
pub(super) struct Tail {
    #[command(flatten)]
    identity: Identity,
    /// Show what waits and end, which is what happens without --follow
    #[arg(long, conflicts_with = "follow")]
    once: bool,
    /// Go on with what comes, until ctrl-c
    #[arg(long, requires = "ack")]
    follow: bool,
    /// Acknowledge what was shown: it does not come again, neither here nor to the bot itself
    #[arg(long, conflicts_with = "peek")]
    ack: bool,
    /// Acknowledge nothing, which is what happens without --ack
    #[arg(long, conflicts_with = "follow")]
    peek: bool,
}

pub(super) async fn run(command: Command, out: Output) -> Result<(), CommandError> {
    let Command::Tail(arguments) = command;
    let client = arguments.identity.client(1)?;
    match arguments.follow {
        true => follow(&client, out).await,
        false => once(&client, arguments.ack, out).await,
    }
}

async fn once(client: &Client, acknowledge: bool, out: Output) -> Result<(), CommandError> {
    let mut shown: u64 = 0;
    let mut seen = HashSet::new();
    loop {
        let found = client.bot.look().await;
        let found = found.map_err(|source| client.failed("read the inbox", source))?;
        // Whoever reads slowly outlives the lease: what was shown before comes again then.
        let is_new = |message: &&_| id_of(message).is_none_or(|id| seen.insert(id));
        let new: Vec<_> = found.iter().filter(is_new).collect();
        if new.is_empty() {
            break;
        }
        for message in new {
            print(message, out)?;
            shown += 1;
        }
        if acknowledge {
            let ids: Vec<_> = found.iter().filter_map(id_of).collect();
            let told = client.bot.acknowledge(&ids).await;
            told.map_err(|source| client.failed("acknowledge what was shown", source))?;
        }
    }
    out.remark(&match (shown, acknowledge) {
        (0, _) => "nothing waits".to_owned(),
        (shown, true) => format!("acknowledged {shown} messages"),
        (shown, false) => format!("acknowledged nothing: these {shown} messages come again"),
    });
    Ok(())
}

/// Shows what comes over a socket. A message is acknowledged once its line is printed.
async fn follow(client: &Client, out: Output) -> Result<(), CommandError> {
    let mut signals = Signals::watch().map_err(CommandError::Signals)?;
    let broken = Mutex::new(None);
    let stop = Notify::new();
    let stopped = async {
        tokio::select! {
            _ = signals.next() => {}
            () = stop.notified() => {}
        }
    };
    let listening = client.bot.listening().on_trouble(move |trouble| {
        if let Trouble::Connection(error) = trouble {
            out.remark(&format!("the connection is to be opened again: {}", chain(error)));
        }
    });
    let show = async |message| {
        print(&message, out).map_err(|error| {
            *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            stop.notify_one();
        })
    };
    let ended = listening.run_until(stopped, show).await;
    match broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => ended.map_err(|source| client.failed("listen to the inbox", source)),
    }
}

fn print(message: &Result<Incoming, ReceiveError>, out: Output) -> Result<(), CommandError> {
    let (text, document) = match message {
        Ok(incoming) => (line(incoming, ""), document(incoming)),
        Err(ReceiveError::Unconfirmed(incoming)) => {
            (line(incoming, "UNCONFIRMED "), document(incoming))
        }
        Err(ReceiveError::Unreadable { message_id, reason }) => {
            let (id, why) = (on_one_line(message_id), chain(reason));
            (format!("UNREADABLE {id}: {why}"), json!({ "message_id": id, "unreadable": why }))
        }
        Err(error) => (chain(error), json!({ "unreadable": chain(error) })),
    };
    out.print(&text, &document)
}

fn line(message: &Incoming, mark: &str) -> String {
    let Incoming { created_at, sender, category, message_id, .. } = message;
    let (created_at, category) = (on_one_line(created_at), on_one_line(category));
    let text = match std::str::from_utf8(&message.bytes) {
        Ok(text) => on_one_line(text),
        Err(_) => format!("({} bytes)", message.bytes.len()),
    };
    format!("{mark}{created_at}  {sender}  {category}  {message_id}  {text}")
}

fn document(message: &Incoming) -> Value {
    let mut document = json!({
        "message_id": message.message_id,
        "conversation_id": message.conversation_id,
        "in_group": message.in_group,
        "sender": message.sender,
        "sender_session": message.sender_session,
        "proof": match message.proof {
            SenderProof::LiveSession => "live_session",
            SenderProof::EndedSession => "ended_session",
            _ => "gateways_word",
        },
        "category": message.category,
        "quoted": message.quoted,
        "created_at": message.created_at,
    });
    let (member, value) = match std::str::from_utf8(&message.bytes) {
        Ok(text) => ("text", text.to_owned()),
        Err(_) => ("data_base64", base64url::encode(&message.bytes)),
    };
    document[member] = value.into();
    document
}

fn id_of(message: &Result<Incoming, ReceiveError>) -> Option<MessageId> {
    match message {
        Ok(incoming) => Some(incoming.message_id),
        Err(ReceiveError::Unconfirmed(incoming)) => Some(incoming.message_id),
        Err(ReceiveError::Unreadable { message_id, .. }) => MessageId::parse(message_id).ok(),
        Err(_) => None,
    }
}
