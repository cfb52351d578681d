//! `sealpost invite …`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::error::{CommandError, while_};
use super::gateway::Gateway;
use super::output::Output;
use crate::admin::types::{CreateInvite, CreatedInvite, InviteInfo, InvitePage};
use crate::app::Config;
use crate::config::dialects::SignUp;
use crate::domain::sign_up::InviteId;

const DAY: u64 = 24 * 60 * 60;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Create(Create),
    /// List the invitations
    ///
    /// One line for each: id, how often it was used of how often it may be, when it ends.
    List,
    /// Revoke an invitation
    ///
    /// Nobody signs up with it any more; who has signed up stays.
    Revoke {
        /// The invitation's id, as `list` shows it
        #[arg(value_name = "INVITE_ID")]
        invite: InviteId,
    },
}

/// Make an invitation with which people sign up by themselves
///
/// Prints its code, which begins with `spi_`, this once: the gateway keeps its hash alone. It works
/// where `dialects.mixin.sign_up` is `invite`.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// How many people may sign up with it
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    uses: u32,
    /// Days until it stops working, 1 to 366
    #[arg(long, value_name = "DAYS", default_value_t = 7,
        value_parser = clap::value_parser!(u64).range(1..=366))]
    days: u64,
}

pub(super) async fn run(
    command: Command,
    config: &Config,
    out: Output,
) -> Result<(), CommandError> {
    match command {
        Command::Create(arguments) => create(arguments, config, out).await,
        Command::List => list(config, out).await,
        Command::Revoke { invite } => revoke(invite, config, out).await,
    }
}

async fn create(arguments: Create, config: &Config, out: Output) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    let request = CreateInvite { uses: arguments.uses, life_seconds: arguments.days * DAY };
    let created = gateway.client.post::<CreatedInvite>("/admin/v1/invites", &request).await;
    gateway.close().await;
    let created = created.map_err(while_("create the invitation"))?;
    out.print(&created.code, &created)?;
    let CreatedInvite { invite_id, expires_at, .. } = created;
    out.about(&format!("invitation {invite_id}, until {expires_at}; shown this once"));
    if config.dialects.mixin.sign_up != SignUp::Invite {
        out.remark("by these settings `dialects.mixin.sign_up` is not `invite`");
    }
    Ok(())
}

async fn list(config: &Config, out: Output) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    let mut path = "/admin/v1/invites".to_owned();
    let mut invites = Vec::new();
    let outcome = loop {
        let page: InvitePage = match gateway.client.get(&path).await {
            Ok(page) => page,
            Err(error) => break Err(error),
        };
        invites.extend(page.invites);
        match page.next {
            Some(last) => path = format!("/admin/v1/invites?after={last}"),
            None => break Ok(()),
        }
    };
    gateway.close().await;
    outcome.map_err(while_("list the invitations"))?;
    invites.iter().try_for_each(|invite| {
        let InviteInfo { invite_id, uses, used, expires_at, .. } = invite;
        out.print(&format!("{invite_id}  {used} of {uses}  {expires_at}"), invite)
    })
}

async fn revoke(invite: InviteId, config: &Config, out: Output) -> Result<(), CommandError> {
    let gateway = Gateway::find(config).await?;
    let revoked = gateway.client.delete(&format!("/admin/v1/invites/{invite}")).await;
    gateway.close().await;
    revoked.map_err(while_("revoke the invitation"))?;
    let document = json!({ "invite_id": invite, "revoked": true });
    out.done(&format!("revoked invitation {invite}"), &document)
}
