//! `sealpost bot broadcast`.

mod ids;
mod report;
mod table;

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use self::ids::Ids;
use self::report::{Failed, Report};
use self::table::{Row, Table, Texts};
use super::error::CommandError;
use super::keystore::{Client, Identity};
use super::output::{Output, on_one_line};
use super::progress::Progress;
use super::send::Refusal;
use crate::app::chain;
use crate::sdk::client::{Content, ItemOutcome, Message, Outcome, SendError, Text};
use crate::sdk::ids::{MessageId, UserId};

/// Batches of a hundred messages that are under way at once.
const BATCHES: usize = 8;

/// Rows that are read, sealed and sent before the next ones are read.
const ROWS: usize = 100 * BATCHES;

/// Send a text to everybody in a table
///
/// The table is a file of comma-separated values with a header line: a column `user_id`, and a column
/// `text` unless --text or --column says otherwise. A message's id follows from the bot's key, the
/// name of the broadcast, the account and the text, so a run that broke off is simply run again: who
/// has the message does not get it twice, for as long as the gateway remembers ids (a week at least).
/// Rows that fail are told with their line and reason, the others go on; ends with status 1 when a
/// row failed.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    identity: Identity,
    /// The table
    #[arg(long, value_name = "FILE")]
    csv: PathBuf,
    /// One text for everybody
    #[arg(long, value_name = "TEXT", conflicts_with = "column")]
    text: Option<String>,
    /// The column with each one's text [default: text]
    #[arg(long, value_name = "NAME")]
    column: Option<String>,
    /// A name for this broadcast: the same text under another name is another message
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    name: String,
    /// Write the rows that failed into this new file as well
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments, out: Output) -> Result<(), CommandError> {
    if arguments.text.as_deref() == Some("") {
        return Err(CommandError::NoText);
    }
    let client = arguments.identity.client(BATCHES)?;
    let texts = match arguments.text {
        Some(_) => Texts::Elsewhere,
        None => Texts::In(arguments.column.as_deref()),
    };
    let mut table = Table::open(&arguments.csv, texts)?;
    let total = Table::count(&arguments.csv)?;
    let mut broadcast = Broadcast {
        ids: Ids::new(&client.secret, &arguments.name),
        client,
        everybodys: arguments.text.map(|text| (Content::from(Text::new(text.clone())), text)),
        report: arguments.report.as_deref().map(Report::create).transpose()?,
        progress: Progress::new(out, "rows", total),
        out,
        counts: Counts { rows: total, ..Counts::default() },
    };
    loop {
        let rows = table.next(ROWS)?;
        if rows.is_empty() {
            break;
        }
        if let Err(error) = broadcast.send(&rows).await {
            broadcast.progress.finish();
            return Err(error);
        }
    }
    broadcast.finish()
}

/// A broadcast under way.
struct Broadcast {
    client: Client,
    ids: Ids,
    /// The one text, where there is one.
    everybodys: Option<(Content, String)>,
    report: Option<Report>,
    progress: Progress,
    out: Output,
    counts: Counts,
}

/// What became of the rows.
#[derive(Debug, Default, Serialize)]
struct Counts {
    /// All rows.
    rows: u64,
    /// Stored by this run.
    delivered: u64,
    /// Stored by an earlier run, or for an earlier row that says the same.
    delivered_before: u64,
    failed: u64,
    /// Messages that were sealed again because the list of devices was old.
    refreshed: u64,
}

/// What became of a row.
enum Fate {
    Delivered,
    Before,
    Failed { word: &'static str, why: String },
}

impl Broadcast {
    /// Sends some rows, and counts and tells what became of them.
    async fn send(&mut self, rows: &[Row]) -> Result<(), CommandError> {
        let mut messages = Vec::new();
        // Rows that say the same are one message.
        let mut places: HashMap<MessageId, usize> = HashMap::new();
        let mut sent: Vec<Option<(MessageId, usize)>> = Vec::with_capacity(rows.len());
        for row in rows {
            let message = row.asks.as_ref().ok().map(|(user, text)| self.message(*user, text));
            sent.push(message.map(|(id, message)| {
                let place = *places.entry(id).or_insert_with(|| {
                    messages.push(message);
                    messages.len() - 1
                });
                (id, place)
            }));
        }
        let items = self.client.bot.send_all(messages).await;
        if let Some(source) = out_of_reach(&items) {
            let line = rows.first().map_or(0, |row| row.line);
            let left = self.counts.rows.saturating_sub(self.counts.told());
            return Err(self.client.stopped(line, left, source));
        }
        let mut told = vec![false; items.len()];
        for (row, sent) in rows.iter().zip(sent) {
            let fate = match sent {
                None => Fate::bad(row),
                Some((_, place)) => {
                    let again =
                        told.get_mut(place).is_some_and(|told| std::mem::replace(told, true));
                    Fate::of(items.get(place), again)
                }
            };
            self.tell(row, sent.map(|(id, _)| id), fate)?;
        }
        if let Some(report) = &mut self.report {
            report.flush()?;
        }
        self.progress.advance(rows.len() as u64);
        Ok(())
    }

    fn message(&self, user: UserId, text: &Option<String>) -> (MessageId, Message) {
        let (content, text) = match (text, &self.everybodys) {
            (Some(text), _) => (Content::from(Text::new(text.clone())), text.as_str()),
            (None, Some((content, text))) => (content.clone(), text.as_str()),
            // A table without texts is opened only where there is one for all.
            (None, None) => (Content::from(Text::new("")), ""),
        };
        let id = self.ids.of(user, text);
        (id, Message::to(&user, content).with_id(id))
    }

    fn tell(&mut self, row: &Row, id: Option<MessageId>, fate: Fate) -> Result<(), CommandError> {
        let (word, why) = match fate {
            Fate::Delivered => {
                self.counts.delivered += 1;
                return Ok(());
            }
            Fate::Before => {
                self.counts.delivered_before += 1;
                return Ok(());
            }
            Fate::Failed { word, why } => (word, why),
        };
        self.counts.failed += 1;
        let named = on_one_line(&row.named);
        let (line, reason) = (row.line, word);
        let failed = Failed { line, user_id: &named, message_id: id, reason, detail: &why };
        if let Some(report) = &mut self.report {
            report.add(&failed)?;
        }
        match self.out {
            Output::Text => self.progress.remark(&format!("line {line}: {named}: {why}")),
            Output::Json => self.out.print("", &failed)?,
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), CommandError> {
        self.progress.finish();
        self.counts.refreshed = self.client.refreshed();
        let Counts { rows, delivered, delivered_before, failed, .. } = self.counts;
        let text = format!("{delivered} delivered, {delivered_before} before, {failed} failed");
        self.out.print(&text, &self.counts)?;
        match failed {
            0 => Ok(()),
            failed => Err(CommandError::FailedRows { failed, rows }),
        }
    }
}

impl Counts {
    /// How many rows something became of.
    fn told(&self) -> u64 {
        self.delivered + self.delivered_before + self.failed
    }
}

impl Fate {
    fn bad(row: &Row) -> Self {
        let why = row.asks.as_ref().err().copied().unwrap_or_default().to_owned();
        Self::Failed { word: "bad_row", why }
    }

    /// Of a row whose message ended so; `again` when an earlier row had the same message.
    fn of(item: Option<&ItemOutcome>, again: bool) -> Self {
        let why = match item.map(|item| &item.result) {
            Some(Ok(outcome)) => match Refusal::of(outcome) {
                None if again || *outcome == Outcome::AlreadyDelivered => return Self::Before,
                None => return Self::Delivered,
                Some(Refusal { word, why, .. }) => return Self::Failed { word, why },
            },
            Some(Err(error)) => chain(error),
            None => SendError::Interrupted.to_string(),
        };
        Self::Failed { word: "not_sent", why }
    }
}

/// Why nothing at all could be sent, when that is so: there is no sense in trying the rows that
/// follow.
fn out_of_reach(items: &[ItemOutcome]) -> Option<SendError> {
    let failed = |item: &ItemOutcome| matches!(item.result, Err(SendError::Request(_)));
    if !items.iter().all(failed) {
        return None;
    }
    items.first().and_then(|item| item.result.as_ref().err()).cloned()
}
