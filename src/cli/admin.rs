//! `sealpost admin …`: what the operator's console shows, in words.

use clap::Subcommand;
use serde_json::json;

use super::error::{CommandError, while_};
use super::gateway::Gateway;
use super::mode::{self, Change, Turned};
use super::output::{Output, on_one_line};
use super::{session, set_aside};
use crate::admin::client::CallError;
use crate::admin::types::{
    AccountInfo, AccountPage, DatabaseCheck, SessionList, Status, StuckInboxInfo, StuckList,
};
use crate::app::Config;
use crate::sdk::ids::UserId;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what runs here, for how long, and how busy it is
    Status,
    /// Look for damage in the database, for at most ten seconds
    ///
    /// The gateway goes on meanwhile. Ends with status 1 when something is wrong.
    Check,
    /// List the accounts
    ///
    /// One line for each, in the order in which they were made: id, `bot` or `user`, identity number,
    /// when it was made, name.
    Accounts,
    /// Show an account and its live sessions
    Account {
        /// The account
        #[arg(value_name = "USER_ID")]
        user: UserId,
    },
    /// List the live sessions of an account; the same as `session list`
    Sessions {
        /// The account
        #[arg(value_name = "USER_ID")]
        user: UserId,
    },
    SetAside(set_aside::SetAside),
    /// List the inboxes in which something is set aside, those that are longest so first
    Stuck,
    /// Show what clients are let do
    Mode,
    /// Refuse what would change something, or take it again
    ///
    /// Reading and acknowledging go on. It is the running gateway's, which forgets it when it stops.
    ReadOnly {
        /// Whether to refuse it
        #[arg(value_name = "STATE", value_enum)]
        state: Turned,
    },
    /// Refuse everything and close sockets before a stop, or serve again
    ///
    /// A load balancer sees it at /readyz. It is the running gateway's, which forgets it when it stops.
    Drain {
        /// Whether to refuse everything
        #[arg(value_name = "STATE", value_enum)]
        state: Turned,
    },
}

pub(super) async fn run(
    command: Command,
    config: &Config,
    out: Output,
) -> Result<(), CommandError> {
    match command {
        Command::Status => status(config, out).await,
        Command::Check => check(config, out).await,
        Command::Accounts => accounts(config, out).await,
        Command::Account { user } => account(user, config, out).await,
        Command::Sessions { user } => session::list(user, config, out).await,
        Command::SetAside(arguments) => set_aside::run(arguments, config, out).await,
        Command::Stuck => stuck(config, out).await,
        Command::Mode => mode::run(None, config, out).await,
        Command::ReadOnly { state } => mode::run(Some(Change::ReadOnly(state)), config, out).await,
        Command::Drain { state } => mode::run(Some(Change::Draining(state)), config, out).await,
    }
}

async fn status(config: &Config, out: Output) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    let status = gateway.client.get::<Status>("/admin/v1/status").await;
    gateway.close().await;
    let status = status.map_err(while_("ask for the gateway's state"))?;
    out.print(&table(&status), &status)
}

fn table(status: &Status) -> String {
    let serving = status.address.as_ref().map_or_else(
        || "no gateway runs; the command looked by itself".to_owned(),
        |address| format!("{address}, for {}", duration(status.uptime_seconds)),
    );
    let mut lines = vec![
        ("version", status.version.clone()),
        ("serving", serving),
        ("mode", mode::in_words(status.mode).to_owned()),
        ("own key", status.server_public_key.clone()),
        ("open sockets", status.sockets.to_string()),
    ];
    if let Some(storage) = &status.storage {
        let newest = storage.newest_message_at.clone().unwrap_or_else(|| "none is kept".to_owned());
        lines.extend([
            ("newest message", newest),
            ("set aside", storage.set_aside.to_string()),
            ("database", format!("{} KiB", storage.database_bytes >> 10)),
            ("transactions", storage.commit_groups.to_string()),
            ("waiting writes", storage.waiting_writes.to_string()),
        ]);
    }
    columns(&lines)
}

/// Names and values below each other.
fn columns(lines: &[(&str, String)]) -> String {
    let widest = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines: Vec<_> =
        lines.iter().map(|(name, value)| format!("{name:<widest$}  {value}")).collect();
    lines.join("\n")
}

fn duration(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, _) => format!("{minutes} min"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

async fn stuck(config: &Config, out: Output) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    let found = gateway.client.get::<StuckList>("/admin/v1/stuck").await;
    gateway.close().await;
    let StuckList { inboxes } = found.map_err(while_("list the inboxes that are stuck"))?;
    inboxes.iter().try_for_each(|inbox| {
        let StuckInboxInfo { user_id, full_name, session_id, messages, since } = inbox;
        let name = on_one_line(full_name.as_deref().unwrap_or_default());
        out.print(&format!("{session_id}  {since}  {messages} set aside  {user_id}  {name}"), inbox)
    })
}

async fn check(config: &Config, out: Output) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    let found = gateway.client.get::<DatabaseCheck>("/admin/v1/check").await;
    gateway.close().await;
    let found = found.map_err(while_("look for damage"))?;
    let text = match (found.damage.is_empty(), found.complete) {
        (true, true) => "the database is sound".to_owned(),
        (true, false) => "what could be looked at in ten seconds is sound".to_owned(),
        (false, _) => found.damage.join("\n"),
    };
    out.print(&text, &found)?;
    match found.damage.is_empty() {
        true => Ok(()),
        false => Err(CommandError::Damaged),
    }
}

async fn accounts(config: &Config, out: Output) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    let listed = list(&gateway, out).await;
    gateway.close().await;
    listed
}

/// Page by page, so that a large list takes no memory.
async fn list(gateway: &Gateway, out: Output) -> Result<(), CommandError> {
    let mut after = String::new();
    loop {
        let path = format!("/admin/v1/accounts?limit=1000{after}");
        let page: Result<AccountPage, CallError> = gateway.client.get(&path).await;
        let page = page.map_err(while_("list the accounts"))?;
        for account in &page.accounts {
            let AccountInfo { user_id, identity_number, kind, full_name, created_at } = account;
            let name = on_one_line(full_name);
            let line = format!("{user_id}  {kind:<4}  {identity_number}  {created_at}  {name}");
            out.print(&line, account)?;
        }
        match page.next {
            Some(last) => after = format!("&after={last}"),
            None => return Ok(()),
        }
    }
}

async fn account(user: UserId, config: &Config, out: Output) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    let path = format!("/admin/v1/accounts/{user}");
    let found = async {
        let account: AccountInfo = gateway.client.get(&path).await?;
        let sessions: SessionList = gateway.client.get(&format!("{path}/sessions")).await?;
        Ok((account, sessions.sessions))
    };
    let found: Result<_, CallError> = found.await;
    gateway.close().await;
    let (account, sessions) = found.map_err(while_("look the account up"))?;
    let mut text = columns(&[
        ("account", account.user_id.to_string()),
        ("kind", account.kind.clone()),
        ("name", on_one_line(&account.full_name)),
        ("identity number", account.identity_number.clone()),
        ("made at", account.created_at.clone()),
    ]);
    text.push_str(if sessions.is_empty() { "\nnobody is signed in" } else { "\nsessions:" });
    for one in &sessions {
        text.push_str("\n  ");
        text.push_str(&session::line(one));
    }
    out.print(&text, &json!({ "account": account, "sessions": sessions }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_in_its_two_largest_parts() {
        let told = [59, 61, 3600 + 120, 90_000].map(duration);
        assert_eq!(told, ["59 s", "1 min", "1 h 2 min", "1 d 1 h"]);
    }

    #[test]
    fn values_stand_below_each_other() {
        let shown = columns(&[("kind", "bot".to_owned()), ("identity number", "7".to_owned())]);
        assert_eq!(shown, "kind             bot\nidentity number  7");
    }
}
