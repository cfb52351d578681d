//! Logs: lines on standard error, for people or for programs.

use std::io;

use tracing_subscriber::EnvFilter;

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

/// Sends what the program logs to standard error, as the settings say.
///
/// # Errors
/// When the filter cannot be read, and when logging began before.
pub fn install(settings: &Telemetry) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&settings.log_level)?.add_directive(NEVER.parse()?);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let begun = match settings.log_format {
        LogFormat::Text => builder.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
        // The span is the request; what spans there may be around it is nobody's business.
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(false).try_init(),
    };
    begun.map_err(LogError::Installed)
}
