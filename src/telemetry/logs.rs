//! Logs: lines on standard error, for people or for programs.

use std::io;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::telemetry::{LogFormat, Telemetry};

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error("cannot read the log filter")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in this process receives the log already.
    #[error("cannot begin to log")]
    Installed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The driver quotes the lines of a file of passwords that it cannot read; that is nobody's business.
const NEVER: &str = "sqlx_postgres::options=off";

/// What receives the log.
pub(super) type Receiver = Box<dyn Layer<Registry> + Send + Sync>;

/// Sends what the program logs to standard error, as the settings say.
///
/// # Errors
/// When the filter cannot be read, and when logging began before.
pub fn install(settings: &Telemetry) -> Result<(), LogError> {
    install_with(settings, Vec::new())
}

/// The same, and what is let through goes to others as well.
pub(super) fn install_with(
    settings: &Telemetry,
    mut receivers: Vec<Receiver>,
) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&settings.log_level)?.add_directive(NEVER.parse()?);
    receivers.push(lines(settings.log_format));
    let begun = tracing_subscriber::registry().with(receivers).with(filter).try_init();
    begun.map_err(|error| LogError::Installed(error.into()))
}

fn lines(format: LogFormat) -> Receiver {
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).boxed(),
        // The span is the request; what spans there may be around it is nobody's business.
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    }
}
