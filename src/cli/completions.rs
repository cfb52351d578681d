//! `sealpost completions`.

use clap_complete::Shell;
use serde_json::json;

use super::error::CommandError;
use super::output::Output;

/// Print what a shell needs to complete commands and options
///
/// For bash: `sealpost completions bash > ~/.local/share/bash-completion/completions/sealpost`. For
/// zsh: into a file `_sealpost` in a folder of `$fpath`. For fish:
/// `sealpost completions fish > ~/.config/fish/completions/sealpost.fish`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, out: Output) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::commands(), "sealpost", &mut script);
    let script = String::from_utf8_lossy(&script);
    let shell = arguments.shell.to_string();
    out.print(&script, &json!({ "shell": shell, "script": script }))
}
