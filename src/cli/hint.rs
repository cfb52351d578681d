//! What to do next after a failure, where somebody who has seen many of them would know.
//!
//! A message that says so itself has no hint.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::error::{CommandError, Speaker};
use crate::admin::client::CallError;
use crate::app::directory::DirectoryError;
use crate::app::moving::{MovingError, PortableError};
use crate::app::{AppError, ListenError};
use crate::config::ConfigError;
use crate::demo::DemoError;
use crate::sdk::client::{BuildError, RequestError, SendError};
use crate::sdk::keystore::KeystoreError;

/// What to do about `error`.
pub(super) fn of(error: &CommandError) -> Option<String> {
    let fixed = |text: &str| Some(text.to_owned());
    match error {
        CommandError::Config(error) => fixed(of_settings(error)),
        CommandError::App(error) => of_gateway(error),
        CommandError::Demo(DemoError::App(error)) => of_gateway(error),
        CommandError::Demo(DemoError::Listen { source, .. })
        | CommandError::Bind { source, .. } => fixed(of_listening(source)?),
        CommandError::Busy { pid, .. } => Some(format!(
            "commands wait for each other; look what it does with `ps -p {pid}`, and end it if it \
             hangs"
        )),
        CommandError::Call { source, .. } => of_call(source),
        CommandError::Write { path, source } => of_writing(path, source),
        CommandError::Keystore(error) | CommandError::Client(BuildError::Keystore(error)) => {
            fixed(of_keystore(error))
        }
        CommandError::Client(BuildError::BaseUrl { .. }) => {
            fixed("name the gateway with --url http://HOST:PORT or --url https://HOST")
        }
        CommandError::Client(BuildError::Http(_)) => {
            fixed("for https install the system's root certificates (the package ca-certificates)")
        }
        CommandError::Moving(error) => of_moving(error),
        CommandError::Open { source, .. } if source.kind() == ErrorKind::NotFound => {
            fixed("name the file that `sealpost export FILE` wrote")
        }
        CommandError::Damaged => fixed(
            "stop the gateway and restore the last backup; keep the damaged files for a while",
        ),
        CommandError::NoGateway { .. } => {
            fixed("start it with `sealpost serve`, or name its data directory with --data")
        }
        CommandError::NoText => {
            fixed("give the text as an argument, or pipe it in and leave the argument out")
        }
        CommandError::Request { who, source, .. } => of_request(source, who),
        CommandError::Send { who, source } => of_sending(source, who),
        CommandError::Stopped { who, source, .. } => {
            let first = of_sending(source, who).map(|hint| hint + "; then ").unwrap_or_default();
            Some(format!(
                "{first}run the same command again, with another --report: with the same keystore \
                 nobody gets a message twice, with a new one whoever has it gets it again"
            ))
        }
        CommandError::Undelivered { message, later: true, .. } => {
            Some(format!("try again later with --id {message}: it is delivered once"))
        }
        CommandError::Undelivered { later: false, .. } => None,
        CommandError::Table { source, .. } => of_table(source),
        CommandError::NoColumn { column, .. } if column == "user_id" => {
            fixed("the first line of the file names its columns, for example: user_id,text")
        }
        CommandError::NoColumn { .. } => {
            fixed("name the column of the texts with --column, or one text for all with --text")
        }
        CommandError::FailedRows { .. } => fixed(
            "correct those rows and run the same command again, with another --report: who has the \
             message does not get it twice",
        ),
        CommandError::Answer => {
            fixed("use the program that runs as the gateway, or start that anew")
        }
        _ => None,
    }
}

fn of_settings(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::Unreadable { source, .. } if source.kind() == ErrorKind::NotFound => {
            "name another file with --config, or leave it out: no file is needed"
        }
        ConfigError::Unreadable { .. } => "let this user read it, or run as its owner",
        ConfigError::UnknownVariable { .. } => {
            "unset it, or correct its name: SEALPOST_ and the setting's path with __ between its \
             parts; docs/operation.md lists the settings"
        }
        ConfigError::File { .. } | ConfigError::Override { .. } | ConfigError::Value { .. } => {
            "correct it, or leave it out for the default; docs/operation.md lists the settings"
        }
    }
}

fn of_gateway(error: &AppError) -> Option<String> {
    match error {
        AppError::Directory(error) => of_directory(error),
        AppError::Storage(error) => error.advice().map(ToOwned::to_owned),
        AppError::Blobs { path, source } => of_writing(path, source),
        AppError::Listen(ListenError::Own { source, .. }) => {
            of_listening(source).map(ToOwned::to_owned)
        }
        AppError::Listen(ListenError::Announce(error)) => of_directory(error),
        AppError::Listen(ListenError::Socket { path, source }) => of_writing(path, source),
        _ => None,
    }
}

fn of_moving(error: &MovingError) -> Option<String> {
    let text = match error {
        MovingError::Directory(DirectoryError::Held { holder, .. }) => {
            return Some(format!("stop the gateway first: kill {}", holder.pid));
        }
        MovingError::Directory(error) => return of_directory(error),
        MovingError::Nothing { .. } => "name the gateway's data directory with --data",
        MovingError::Portable(error) => match error {
            PortableError::Open(error) => return error.advice().map(ToOwned::to_owned),
            PortableError::NotEmpty { .. } => {
                "fill a new database: name another directory with --data, or an empty database in \
                 database.url"
            }
            PortableError::Version { .. } | PortableError::Columns { .. } => {
                "export and import with the same version; each brings its database up to date"
            }
            PortableError::CutOff { .. }
            | PortableError::Damaged { .. }
            | PortableError::Form { .. } => {
                "copy the file once more, or write another one with `sealpost export FILE`"
            }
            PortableError::Write(error) => return of_writing(Path::new("."), error),
            _ => return None,
        },
    };
    Some(text.to_owned())
}

fn of_directory(error: &DirectoryError) -> Option<String> {
    match error {
        DirectoryError::Held { path, holder } => Some(format!(
            "a gateway runs there already: use it, stop it with `kill {}`, or give this one a \
             directory of its own with --data (it is {} now)",
            holder.pid,
            path.display()
        )),
        DirectoryError::Create { path, source } => of_writing(path, source),
        DirectoryError::Lock { path, source } => of_writing(path.parent().unwrap_or(path), source),
        // Its message has the command.
        DirectoryError::Open { .. } => None,
    }
}

fn of_writing(path: &Path, error: &io::Error) -> Option<String> {
    match error.kind() {
        ErrorKind::AlreadyExists => {
            Some("choose another name: a file that exists is never written over".to_owned())
        }
        ErrorKind::PermissionDenied => Some(of_owner(path)),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Some("make room on that disk, or name another place".to_owned())
        }
        ErrorKind::ReadOnlyFilesystem => Some("name a place that can be written".to_owned()),
        ErrorKind::NotFound => Some("make the folder around it first".to_owned()),
        ErrorKind::NotADirectory => Some("a file is in the way: name another place".to_owned()),
        _ => None,
    }
}

/// Whose directory it is, as far as that can be seen.
fn of_owner(path: &Path) -> String {
    let seen = path.ancestors().find_map(|place| fs::metadata(place).ok());
    let Some(seen) = seen else { return "run as its owner, or name another place".to_owned() };
    let own = rustix::process::geteuid().as_raw();
    match seen.uid() {
        owner if owner == own => {
            "it is yours, but not open to you: `ls -ld` shows its mode".to_owned()
        }
        owner => format!(
            "it belongs to user {owner} and this is user {own}: run the command as that user \
             (sudo -u '#{owner}' sealpost …), or name another place"
        ),
    }
}

fn of_listening(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::AddrInUse => Some(
            "another program listens there (`ss -ltnp` shows which): end it, or choose another \
             port with --listen",
        ),
        ErrorKind::PermissionDenied => Some(
            "ports below 1024 need a privilege (for a service AmbientCapabilities= and \
             CapabilityBoundingSet=CAP_NET_BIND_SERVICE with PrivateUsers=no): choose a higher one \
             with --listen",
        ),
        ErrorKind::AddrNotAvailable => {
            Some("this machine has no such address; 0.0.0.0 means all that it has")
        }
        _ => None,
    }
}

fn of_call(error: &CallError) -> Option<String> {
    let text = match error {
        CallError::Connect { .. } | CallError::Broken(_) => {
            "the gateway that ran there is gone or about to stop: start it, or try again"
        }
        CallError::Silent => {
            "the gateway is busy or its disk is: look at its log, and at `sealpost doctor`"
        }
        CallError::Refused { document } => match document.code.as_str() {
            "not_found" => {
                "`sealpost admin accounts` lists accounts, `sealpost session list USER_ID` their \
                 sessions"
            }
            "unavailable" => "try again soon; `sealpost doctor` looks at disk and database",
            "internal" => "the gateway's log says more under the request's id",
            _ => return None,
        },
        CallError::Unreadable { .. } => {
            "use the program that runs as the gateway, or start that anew"
        }
    };
    Some(text.to_owned())
}

fn of_keystore(error: &KeystoreError) -> &'static str {
    match error {
        KeystoreError::Read { source, .. } if source.kind() == ErrorKind::NotFound => {
            "name the file that `sealpost bot create NAME --out FILE` wrote"
        }
        KeystoreError::Read { .. } => "only its owner may read it: run the command as that user",
        KeystoreError::Write { .. } => "name another file: one that exists is never written over",
        _ => {
            "a keystore is what `sealpost bot create`, `user create` and `session add` write; \
             `sealpost session add USER_ID --out FILE` makes another one"
        }
    }
}

fn of_sending(error: &SendError, who: &Speaker) -> Option<String> {
    match error {
        SendError::Request(error) => of_request(error, who),
        SendError::UnusableKey { session, .. } => {
            Some(format!("end that device with `sealpost session revoke {session}`"))
        }
        _ => None,
    }
}

fn of_request(error: &RequestError, who: &Speaker) -> Option<String> {
    let url = &who.url;
    match error {
        RequestError::SessionEnded { .. } => Some(of_session(who)),
        RequestError::Transport { .. } | RequestError::Socket(_) => Some(format!(
            "is the gateway at {url} running? `sealpost serve` starts one; --url names another one"
        )),
        RequestError::Api { error, retry_after, .. } => match error.status {
            401 => Some(format!(
                "{}; or the clocks of this machine and the gateway's differ",
                of_session(who)
            )),
            429 | 503 => {
                let seconds = retry_after.map_or(1, |wait| wait.as_secs().max(1));
                Some(format!("try again in {seconds} seconds"))
            }
            _ => None,
        },
        RequestError::Answer(_)
        | RequestError::AnswerTooLarge { .. }
        | RequestError::RequestIdMismatch { .. } => {
            Some(format!("is {url} the gateway, and nothing else in between? --url names another"))
        }
        _ => None,
    }
}

/// The gateway does not take the session.
fn of_session(who: &Speaker) -> String {
    let account = who.account;
    format!(
        "the session was revoked or is another gateway's: there `sealpost session list {account}` \
         shows the live ones, and `sealpost session add {account} --out FILE` makes a new keystore"
    )
}

fn of_table(error: &csv::Error) -> Option<String> {
    let text = match error.kind() {
        csv::ErrorKind::Io(error) if error.kind() == ErrorKind::NotFound => {
            "name a file with a header line and a column user_id"
        }
        csv::ErrorKind::Io(error) if error.kind() == ErrorKind::InvalidInput => {
            "write what comes from there into a file first: it is read twice"
        }
        csv::ErrorKind::Io(_) => "let this user read it",
        _ => "write it as comma-separated values (RFC 4180), with quotes around what has commas",
    };
    Some(text.to_owned())
}
