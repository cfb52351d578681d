//! The `sealpost` command: one file for each noun.
//!
//! What a command finds or makes goes to standard output, what there is to say about it to
//! standard error, both for people or, with `--json`, for programs (`cli/output.rs`). It ends with 0 when all went well, 1 when something failed, 2 when it was called
//! in a way that it does not know.

mod admin;
mod bot;
mod broadcast;
mod completions;
mod demo;
mod doctor;
mod error;
mod export;
mod gateway;
mod hint;
mod import;
mod inbox;
mod invite;
mod keystore;
mod keystores;
mod migrate;
mod mode;
mod new_file;
mod openapi;
mod output;
mod progress;
mod ready;
mod send;
mod serve;
mod session;
mod set_aside;
mod textsecure;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use self::error::CommandError;
use self::output::Output;
use crate::config::telemetry::LogFormat;
use crate::config::{Config, Environment, Flags, Telemetry};
use crate::telemetry::logs;

/// Where every command finds its settings.
const AFTER_HELP: &str = "\
Settings come from flags, then environment variables, then the configuration file (TOML), then
defaults; the first that has a value wins. A variable is called SEALPOST_ and the setting's path
with a double underscore between its parts: SEALPOST_DIALECTS__MIXIN__ERROR_STATUS=always-true is
`error_status` in the section [dialects.mixin]. SEALPOST_CONFIG, SEALPOST_DATA and SEALPOST_LISTEN
are short names.

With --json a result is one object on one line, a list one line for each item, and a failure
{\"error\":…,\"because\":[…],\"hint\":…} on standard error.

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
    /// Write for programs: JSON objects, one on each line, failures and log included
    #[arg(long, global = true, display_order = 102)]
    json: bool,
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
    Export(export::Arguments),
    Import(import::Arguments),
    /// Make bots and the tokens that act for them, and speak for a bot
    #[command(subcommand)]
    Bot(bot::Command),
    /// Look into an inbox
    #[command(subcommand)]
    Inbox(inbox::Command),
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
    /// See what the operator's console shows
    #[command(subcommand)]
    Admin(admin::Command),
    Openapi(openapi::Arguments),
    Completions(completions::Arguments),
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

/// Every command with its arguments, as help and completions know them.
#[must_use]
pub fn commands() -> clap::Command {
    Cli::command()
}

/// Parses the arguments, runs one command and prints the reason if it fails.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && asks_for_json() => {
            Output::Json.usage(&error);
            return ExitCode::from(WRONG_USAGE);
        }
        // Help and version too are such errors, of another status.
        Err(error) => error.exit(),
    };
    let out = if cli.common.json { Output::Json } else { Output::Text };
    match execute(cli, out) {
        Ok(code) => code,
        Err(error) => {
            out.failure(&error);
            ExitCode::FAILURE
        }
    }
}

/// The exit status of a command that was called in a way that it does not know.
const WRONG_USAGE: u8 = 2;

/// Whether arguments that cannot be understood ask for JSON.
fn asks_for_json() -> bool {
    std::env::args_os().take_while(|argument| argument != "--").any(|argument| argument == "--json")
}

fn execute(cli: Cli, out: Output) -> Result<ExitCode, CommandError> {
    let mut flags = Flags { config: cli.common.config, data: cli.common.data, listen: None };
    let environment = Environment::of_process();
    match cli.command {
        Command::Openapi(arguments) => openapi::run(&arguments, out)?,
        Command::Completions(arguments) => completions::run(&arguments, out)?,
        Command::Doctor => return doctor::run(&flags, &environment, out),
        Command::Demo(arguments) => demo::run(&arguments, flags.data, out)?,
        Command::Serve(arguments) => {
            flags.listen = arguments.listen;
            serve::run(&settings(&flags, &environment, out)?, out)?;
        }
        // Clients like any other: no setting of a gateway is theirs.
        Command::Inbox(command) => {
            logs::install(&logged(Telemetry::default(), QUIET, out))?;
            runtime()?.block_on(inbox::run(command, out))?;
        }
        Command::Bot(command) if command.is_a_clients() => {
            logs::install(&logged(Telemetry::default(), QUIET, out))?;
            runtime()?.block_on(bot::run(command, &Config::default(), out))?;
        }
        command => {
            let config = settings(&flags, &environment, out)?;
            let level = match command {
                Command::Migrate | Command::Import(_) => migrate::LOGGED,
                _ => QUIET,
            };
            logs::install(&logged(config.telemetry.clone(), level, out))?;
            runtime()?.block_on(change(command, &config, out))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The commands that work on the data, their own or a running gateway's.
async fn change(command: Command, config: &Config, out: Output) -> Result<(), CommandError> {
    match command {
        Command::Migrate => migrate::run(config, out).await,
        Command::Export(arguments) => export::run(&arguments, config, out).await,
        Command::Import(arguments) => import::run(&arguments, config, out).await,
        Command::Bot(command) => bot::run(command, config, out).await,
        Command::User(command) => user::run(command, config, out).await,
        Command::Session(command) => session::run(command, config, out).await,
        Command::Invite(command) => invite::run(command, config, out).await,
        Command::Textsecure(command) => textsecure::run(command, config, out).await,
        Command::Admin(command) => admin::run(command, config, out).await,
        Command::Ready => ready::run(config, out).await,
        Command::Serve(_)
        | Command::Demo(_)
        | Command::Openapi(_)
        | Command::Completions(_)
        | Command::Inbox(_)
        | Command::Doctor => Ok(()),
    }
}

/// A command that is done in a moment logs what is wrong and nothing else.
const QUIET: &str = "warn";

/// The settings; whoever reads JSON gets the log in JSON too.
fn settings(flags: &Flags, environment: &Environment, out: Output) -> Result<Config, CommandError> {
    let mut config = Config::load(flags, environment)?;
    if out == Output::Json {
        config.telemetry.log_format = LogFormat::Json;
    }
    Ok(config)
}

fn logged(telemetry: Telemetry, level: &str, out: Output) -> Telemetry {
    let log_format = match out {
        Output::Json => LogFormat::Json,
        Output::Text => telemetry.log_format,
    };
    Telemetry { log_level: level.to_owned(), log_format, ..telemetry }
}

/// A runtime for commands that are done in a moment.
fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(CommandError::Runtime)
}

#[cfg(test)]
mod tests {
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
