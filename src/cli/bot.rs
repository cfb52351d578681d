//! `sealpost bot …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::error::{CommandError, while_};
use super::gateway::Gateway;
use super::keystores::{Draft, Made, finish_all};
use super::new_file::NewFile;
use super::output::Output;
use super::{broadcast, send};
use crate::admin::types::{CreateAccount, CreateToken, CreatedAccount, CreatedToken};
use crate::app::Config;
use crate::sdk::ids::SessionId;
use crate::sdk::keystore::Keystore;

const DAY: u64 = 24 * 60 * 60;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Create(Create),
    Token(Token),
    RevokeTokens(RevokeTokens),
    Send(send::Arguments),
    Broadcast(broadcast::Arguments),
}

impl Command {
    /// Whether it talks to a gateway as a bot does, and so may run anywhere.
    pub(super) fn is_a_clients(&self) -> bool {
        matches!(self, Self::Send(_) | Self::Broadcast(_))
    }
}

/// Make a bot and its keystore
///
/// The key is made by this command; its private half goes into the keystore and nowhere else, so
/// keep that file safe. Bots written with the Sealpost SDK or any Mixin SDK read it as it is.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The name shown to others
    name: String,
    /// What the session says it is
    #[arg(long, value_name = "TEXT", default_value = "Sealpost")]
    platform: String,
    /// Write the keystore into this new file (mode 0600) instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The URL under which the bot reaches the gateway [default: the address that it listens on]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// Make a plain API token for a bot's session
///
/// Prints the token, which begins with `spt_`, this once: the gateway keeps its hash alone. A token
/// stands for a signature on every request, for clients that cannot sign. It ends with its session.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// The session that the token acts for
    #[arg(value_name = "SESSION_ID", required_unless_present = "keystore")]
    session: Option<SessionId>,
    /// Take the session from this keystore
    #[arg(long, value_name = "FILE", conflicts_with = "session")]
    keystore: Option<PathBuf>,
    /// What the token may do, separated by commas: send, receive, read
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', value_parser = SCOPES,
        default_value = "send,receive,read")]
    scopes: Vec<String>,
    /// Days until it stops working, 1 to 366
    #[arg(long, value_name = "DAYS", default_value_t = 90,
        value_parser = clap::value_parser!(u64).range(1..=366))]
    days: u64,
}

/// Revoke all plain API tokens of a bot's session
///
/// They stop working at once; the session itself and its keystore go on.
#[derive(Debug, Args)]
pub(super) struct RevokeTokens {
    /// The session whose tokens are revoked
    #[arg(value_name = "SESSION_ID", required_unless_present = "keystore")]
    session: Option<SessionId>,
    /// Take the session from this keystore
    #[arg(long, value_name = "FILE", conflicts_with = "session")]
    keystore: Option<PathBuf>,
}

const SCOPES: [&str; 3] = ["send", "receive", "read"];

pub(super) async fn run(
    command: Command,
    config: &Config,
    out: Output,
) -> Result<(), CommandError> {
    match command {
        Command::Create(arguments) => create(arguments, config, out).await,
        Command::Token(arguments) => token(arguments, config, out).await,
        Command::RevokeTokens(arguments) => revoke_tokens(arguments, config, out).await,
        Command::Send(arguments) => send::run(arguments, out).await,
        Command::Broadcast(arguments) => broadcast::run(arguments, out).await,
    }
}

async fn create(arguments: Create, config: &Config, out: Output) -> Result<(), CommandError> {
    let file = arguments.out.as_deref().map(NewFile::create).transpose()?;
    let draft = Draft::new(&arguments.platform)?;
    let gateway = Gateway::find(config).await?;
    let base_url = arguments.url.unwrap_or_else(|| gateway.base_url());
    let request = CreateAccount {
        kind: "bot".to_owned(),
        full_name: arguments.name,
        sessions: vec![draft.request(None)],
    };
    let created = gateway.client.post::<CreatedAccount>("/admin/v1/accounts", &request).await;
    gateway.close().await;
    let created = created.map_err(while_("create the bot"))?;
    let keystores = finish_all(vec![draft], &created, &base_url)?;
    // One draft was asked for, and there are as many as that.
    let [keystore] = keystores.as_slice() else { return Err(CommandError::Answer) };
    let CreatedAccount { user_id, identity_number, .. } = created;
    let remark = format!("created bot {user_id}, identity number {identity_number}");
    Made::of(user_id, Some(&identity_number)).deliver(keystore, file, &remark, out)
}

async fn token(arguments: Token, config: &Config, out: Output) -> Result<(), CommandError> {
    let Some(session) = named_session(arguments.session, arguments.keystore)? else {
        return Ok(());
    };
    let gateway = Gateway::find(config).await?;
    let path = format!("/admin/v1/sessions/{session}/tokens");
    let request = CreateToken { scopes: arguments.scopes, life_seconds: arguments.days * DAY };
    let created = gateway.client.post::<CreatedToken>(&path, &request).await;
    gateway.close().await;
    let created = created.map_err(while_("create the token"))?;
    out.print(&created.token, &created)?;
    out.about(&format!("works until {}; it is shown this once", created.expires_at));
    Ok(())
}

async fn revoke_tokens(
    arguments: RevokeTokens,
    config: &Config,
    out: Output,
) -> Result<(), CommandError> {
    let Some(session) = named_session(arguments.session, arguments.keystore)? else {
        return Ok(());
    };
    let gateway = Gateway::find(config).await?;
    let revoked = gateway.client.delete(&format!("/admin/v1/sessions/{session}/tokens")).await;
    gateway.close().await;
    revoked.map_err(while_("revoke the tokens"))?;
    let document = json!({ "session_id": session, "tokens_revoked": true });
    out.done(&format!("session {session} has no API tokens any more"), &document)
}

/// The session, named by its id or by its keystore; clap lets nobody through who gives neither.
fn named_session(
    session: Option<SessionId>,
    keystore: Option<PathBuf>,
) -> Result<Option<SessionId>, CommandError> {
    match keystore {
        Some(path) => Ok(Some(Keystore::from_file(path)?.session_id)),
        None => Ok(session),
    }
}
