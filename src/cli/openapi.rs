//! `sealpost openapi`.

use super::error::CommandError;
use super::output::Output;
use crate::app;

/// Print the OpenAPI document
///
/// A running gateway serves the same document, in version 3.1, at /openapi.yaml.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Version of OpenAPI: 3.1 is all of it, as YAML; 3.0 is for tools that know nothing newer, as
    /// JSON, and what it cannot say is listed on standard error. With --json both are JSON
    #[arg(long = "as", value_name = "VERSION", value_enum, default_value_t = Version::Three1)]
    version: Version,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Version {
    #[value(name = "3.1")]
    Three1,
    #[value(name = "3.0")]
    Three0,
}

pub(super) fn run(arguments: &Arguments, out: Output) -> Result<(), CommandError> {
    match arguments.version {
        Version::Three1 => out.print(&app::openapi_yaml(""), &app::openapi_document("")),
        Version::Three0 => {
            let reduced = app::openapi_reduced("");
            for lost in &reduced.lost {
                out.remark(&format!("left out: {lost}"));
            }
            out.print(&format!("{:#}", reduced.document), &reduced.document)
        }
    }
}
