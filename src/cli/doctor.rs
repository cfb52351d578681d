//! `sealpost doctor`.

use std::fmt::Write;
use std::process::ExitCode;

use super::error::CommandError;
use super::output::Output;
use super::runtime;
use crate::app::checkup::{self, Finding, State};
use crate::app::{Config, chain};
use crate::config::{Environment, Flags};

pub(super) fn run(
    flags: &Flags,
    environment: &Environment,
    out: Output,
) -> Result<ExitCode, CommandError> {
    let mut findings = Vec::new();
    for variable in environment.ignored() {
        let found = format!("{variable} names no setting and is ignored");
        findings.push(Finding::warn("environment", found, "unset it if it was meant for Sealpost"));
    }
    match Config::load(flags, environment) {
        Ok(config) => {
            findings.insert(0, Finding::ok("configuration", "readable, no unknown keys"));
            findings.extend(runtime()?.block_on(checkup::examine(&config)));
        }
        // Without settings nobody knows where to look.
        Err(error) => {
            let advice = "correct it, or leave it out for the default";
            findings.push(Finding::fail("configuration", chain(&error), advice));
        }
    }
    match out {
        Output::Text => out.print(&table(&findings), &())?,
        Output::Json => findings.iter().try_for_each(|finding| out.print("", finding))?,
    }
    let worst = findings.iter().map(|finding| finding.state).max();
    Ok(if worst == Some(State::Fail) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn table(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { subject, state, found, advice } in findings {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{state:<5} {subject:<15} {found}");
        if !advice.is_empty() {
            let _ = writeln!(text, "{:<21} -> {advice}", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_stands_below_what_it_is_about() {
        let findings = [
            Finding::ok("configuration", "readable"),
            Finding::fail("disk", "5 MiB free", "make room"),
        ];
        insta::assert_snapshot!(table(&findings), @"
        ok    configuration   readable
        fail  disk            5 MiB free
                              -> make room
        ");
    }
}
