//! The `sealpost` command: one file for each noun.
//!
//! What a command finds or makes goes to standard output, what there is to say about it to
//! standard error. It ends with 0 when all went well, 1 when something failed, 2 when it was called
//! in a way that it does not know.

mod bot;
mod demo;
mod doctor;
mod error;
mod gateway;
mod invite;
mod keystores;
mod migrate;
mod openapi;
mod output;
mod ready;
mod serve;
mod session;
mod set_aside;
mod textsecure;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use self::error::CommandError;
use crate::config::{Config, Environment, Flags, Telemetry};
use crate::telemetry::logs;

/// Where every command finds its settings.
const AFTER_HELP: &str = "\
Settings come from flags, then environment variables, then the configuration file (TOML), then
defaults; the first that has a value wins. A variable is called SEALPOST_ and the setting's path
with a double underscore between its parts: SEALPOST_DIALECTS__MIXIN__ERROR_STATUS=always-true is
`error_status` in the section [dialects.mixin]. SEALPOST_CONFIG, SEALPOST_DATA and SEALPOST_LISTEN
are short names.

Exit status: 0 done, 1 failed (the reason is on standard error), 2 wrong usage.";

/// A self-hosted gateway for end-to-end encrypted bot messages.
///
/// Begin with `sealpost serve`, then make a bot with `sealpost bot create NAME` in another
/// terminal.
#[derive(Debug, Parser)]
#[command(name = "sealpost", bin_name = "sealpost", version, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
struct Common {
    /// Configuration file (TOML) [env: SEALPOST_CONFIG] [default: none]
    #[arg(long, global = true, value_name = "FILE", display_order = 100)]
    config: Option<PathBuf>,
    /// Data directory: database, lock file and admin socket [env: SEALPOST_DATA] [default:
    /// ./sealpost-data]
    #[arg(long, global = true, value_name = "DIR", display_order = 101)]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    Demo(demo::Arguments),
    /// Bring the database up to date
    ///
    /// `serve` and every other command do so by themselves; this one does nothing else, for those
    /// who want to see it succeed before they start a new version.
    Migrate,
    /// Make bots and the tokens that act for them
    #[command(subcommand)]
    Bot(bot::Command),
    /// Make users
    #[command(subcommand)]
    User(user::Command),
    /// Add, list and revoke the signed-in devices of an account
    #[command(subcommand)]
    Session(session::Command),
    /// Make, list and revoke invitations to sign up
    #[command(subcommand)]
    Invite(invite::Command),
    /// See the codes with which phones register
    #[command(subcommand)]
    Textsecure(textsecure::Command),
    Openapi(openapi::Arguments),
    /// Ask the running gateway whether it can do its work
    ///
    /// For health checks: prints `ready`, or ends with status 1 when no gateway serves the data
    /// directory or its database does not answer. It opens nothing itself.
    Ready,
    /// Check configuration, data directory, disk, clock and database
    ///
    /// Prints one line for each check and, where something is wrong, what to do about it. Ends with
    /// status 1 when a check fails.
    Doctor,
}

/// Parses the arguments, runs one command and prints the reason if it fails.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match execute(cli) {
        Ok(code) => code,
        Err(error) => {
            output::print_chain(&error);
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: Cli) -> Result<ExitCode, CommandError> {
    let mut flags = Flags { config: cli.common.config, data: cli.common.data, listen: None };
    let environment = Environment::of_process();
    match cli.command {
        Command::Openapi(arguments) => openapi::run(&arguments)?,
        Command::Doctor => return doctor::run(&flags, &environment),
        Command::Demo(arguments) => demo::run(&arguments, flags.data)?,
        Command::Serve(arguments) => {
            flags.listen = arguments.listen;
            serve::run(&Config::load(&flags, &environment)?)?;
        }
        command => {
            let config = Config::load(&flags, &environment)?;
            logs::install(&quiet(&config))?;
            runtime()?.block_on(change(command, &config))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The commands that work on the data, their own or a running gateway's.
async fn change(command: Command, config: &Config) -> Result<(), CommandError> {
    match command {
        Command::Migrate => migrate::run(config).await,
        Command::Bot(command) => bot::run(command, config).await,
        Command::User(command) => user::run(command, config).await,
        Command::Session(command) => session::run(command, config).await,
        Command::Invite(command) => invite::run(command, config).await,
        Command::Textsecure(command) => textsecure::run(command, config).await,
        Command::Ready => ready::run(config).await,
        Command::Serve(_) | Command::Demo(_) | Command::Openapi(_) | Command::Doctor => Ok(()),
    }
}

/// A command that is done in a moment logs what is wrong and nothing else.
fn quiet(config: &Config) -> Telemetry {
    Telemetry { log_level: "warn".to_owned(), ..config.telemetry.clone() }
}

/// A runtime for commands that are done in a moment.
fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(CommandError::Runtime)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_argument_of_every_command_is_explained() {
        fn check(command: &clap::Command, path: &str) {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty(), "{path} has no description");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{path} {} has no help", argument.get_id());
            }
            for subcommand in command.get_subcommands() {
                check(subcommand, &format!("{path} {}", subcommand.get_name()));
            }
        }
        check(&Cli::command(), "sealpost");
    }
}
