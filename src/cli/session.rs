//! `sealpost session …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::error::{CommandError, while_};
use super::gateway::Gateway;
use super::keystores::{Draft, Made};
use super::new_file::NewFile;
use super::output::{Output, on_one_line};
use super::set_aside;
use crate::admin::types::{AddedSession, SessionInfo, SessionList};
use crate::app::Config;
use crate::sdk::ids::{SessionId, UserId};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Add(Add),
    /// List the live sessions of an account
    ///
    /// One line for each: session id, time of signing in, how many messages wait for it and how
    /// many of them are set aside (counted up to 10,000), platform.
    List {
        /// The account
        #[arg(value_name = "USER_ID")]
        user: UserId,
    },
    /// Revoke a session
    ///
    /// It ends at once: its tokens stop working and what waits for it is dropped.
    Revoke {
        /// The session
        #[arg(value_name = "SESSION_ID")]
        session: SessionId,
    },
    SetAside(set_aside::SetAside),
}

/// Sign one more device in and write its keystore
///
/// The key is made by this command; its private half goes into the keystore and nowhere else.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// The account
    #[arg(value_name = "USER_ID")]
    user: UserId,
    /// What the device says it is
    #[arg(long, value_name = "TEXT", default_value = "Sealpost")]
    platform: String,
    /// The session that it takes the place of, which ends
    #[arg(long, value_name = "SESSION_ID")]
    replaces: Option<SessionId>,
    /// Write the keystore into this new file (mode 0600) instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The URL under which the device reaches the gateway [default: the address that it listens on]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

pub(super) async fn run(
    command: Command,
    config: &Config,
    out: Output,
) -> Result<(), CommandError> {
    match command {
        Command::Add(arguments) => add(arguments, config, out).await,
        Command::List { user } => list(user, config, out).await,
        Command::Revoke { session } => revoke(session, config, out).await,
        Command::SetAside(arguments) => set_aside::run(arguments, config, out).await,
    }
}

async fn add(arguments: Add, config: &Config, out: Output) -> Result<(), CommandError> {
    let file = arguments.out.as_deref().map(NewFile::create).transpose()?;
    let draft = Draft::new(&arguments.platform)?;
    let gateway = Gateway::find(config).await?;
    let base_url = arguments.url.unwrap_or_else(|| gateway.base_url());
    let path = format!("/admin/v1/accounts/{}/sessions", arguments.user);
    let request = draft.request(arguments.replaces);
    let added = gateway.client.post::<AddedSession>(&path, &request).await;
    gateway.close().await;
    let added = added.map_err(while_("add the session"))?;
    let session = added.session_id;
    let keystore = draft.finish(&added, &base_url)?;
    let remark = format!("added session {session}");
    Made::of(added.user_id, None).deliver(&keystore, file, &remark, out)
}

/// Also `sealpost admin sessions`.
pub(super) async fn list(user: UserId, config: &Config, out: Output) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    let path = format!("/admin/v1/accounts/{user}/sessions");
    let found = gateway.client.get::<SessionList>(&path).await;
    gateway.close().await;
    let SessionList { sessions } = found.map_err(while_("list the sessions"))?;
    sessions.iter().try_for_each(|session| out.print(&line(session), session))
}

/// A session on one line.
pub(super) fn line(session: &SessionInfo) -> String {
    let SessionInfo { session_id, created_at, platform, waiting, set_aside, .. } = session;
    let platform = on_one_line(platform);
    format!("{session_id}  {created_at}  {waiting} waiting, {set_aside} set aside  {platform}")
}

async fn revoke(session: SessionId, config: &Config, out: Output) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    let revoked = gateway.client.delete(&format!("/admin/v1/sessions/{session}")).await;
    gateway.close().await;
    revoked.map_err(while_("revoke the session"))?;
    let document = json!({ "session_id": session, "revoked": true });
    out.done(&format!("revoked session {session}"), &document)
}
