//! How a command speaks: to a person, or in JSON to a program.
//!
//! Results go to standard output, what there is to say about them to standard error. In JSON a result
//! is one object on one line, a list is one such line for each of its items, and standard error has
//! nothing but objects either: `note` for a remark, `error` for a failure.

use std::error::Error;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use super::error::CommandError;
use super::hint;

/// For whom a command writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Output {
    /// Prints a result: a text, or what a program gets in its place.
    pub(super) fn print(self, text: &str, document: &impl Serialize) -> Result<(), CommandError> {
        match self {
            Self::Text => print(text),
            Self::Json => print_json(document),
        }
    }

    /// Says that something was done, which to a program is a result.
    pub(super) fn done(self, remark: &str, document: &impl Serialize) -> Result<(), CommandError> {
        match self {
            Self::Text => {
                say(remark);
                Ok(())
            }
            Self::Json => print_json(document),
        }
    }

    /// Says what a program reads in the result itself.
    pub(super) fn about(self, text: &str) {
        if self == Self::Text {
            say(text);
        }
    }

    /// Says something beside a result.
    pub(super) fn remark(self, text: &str) {
        match self {
            Self::Text => say(text),
            Self::Json => say(&json!({ "note": text }).to_string()),
        }
    }

    /// Says why a command failed, and what to do next.
    pub(super) fn failure(self, error: &CommandError) {
        let because = causes(error);
        let hint = hint::of(error);
        match self {
            Self::Text => {
                say(&harmless(&format!("error: {error}")));
                because.iter().for_each(|cause| say(&harmless(&format!("  because: {cause}"))));
                hint.iter().for_each(|hint| say(&format!("hint: {hint}")));
            }
            Self::Json => {
                let failure = Failure { error: error.to_string(), because, hint };
                say(&failure.line());
            }
        }
    }

    /// Says how a command was called in a way that it does not know.
    pub(super) fn usage(self, error: &clap::Error) {
        let text = error.to_string();
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default();
        let failure = Failure {
            error: first.strip_prefix("error: ").unwrap_or(first).to_owned(),
            because: lines.map(ToOwned::to_owned).collect(),
            hint: Some("`sealpost help` lists the commands, and `--help` explains each".to_owned()),
        };
        match self {
            // It knows where there are colours. Whoever closed standard error does not want to know.
            Self::Text => drop(error.print()),
            Self::Json => say(&failure.line()),
        }
    }
}

/// A failure, for programs.
#[derive(Serialize)]
struct Failure {
    /// What failed.
    error: String,
    /// Why, from the closest cause to the last one.
    because: Vec<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Failure {
    fn line(&self) -> String {
        // Texts alone, which always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A text that may have somebody else's words in it; its own lines stay.
fn harmless(text: &str) -> String {
    text.lines().map(on_one_line).collect::<Vec<_>>().join("\n")
}

/// A text from somebody else on one line that changes nothing on a terminal.
pub(super) fn on_one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push(' '),
            // Those that turn the direction of a line would show it in another order.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                shown.extend(character.escape_unicode());
            }
            character if character.is_control() => shown.extend(character.escape_unicode()),
            character => shown.push(character),
        }
    }
    shown
}

fn print(text: &str) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| match text.ends_with('\n') {
        true => Ok(()),
        false => out.write_all(b"\n"),
    });
    written.and_then(|()| out.flush()).map_err(CommandError::Print)
}

/// Without a copy of its own: a keystore may be in it.
fn print_json(document: &impl Serialize) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    let written = serde_json::to_writer(&mut out, document).map_err(io::Error::from);
    let written = written.and_then(|()| out.write_all(b"\n"));
    written.and_then(|()| out.flush()).map_err(CommandError::Print)
}

/// Whoever closed standard error does not want to know.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// The causes of an error. Some libraries repeat their cause in their own message.
fn causes(error: &dyn Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut last = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !last.contains(&text) {
            causes.push(text.clone());
        }
        last = text;
        next = cause.source();
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_move_the_cursor() {
        assert_eq!(on_one_line("one\ntwo\tthree"), "one\\ntwo three");
        assert_eq!(on_one_line("\u{1b}[2Jgone"), "\\u{1b}[2Jgone");
        assert_eq!(on_one_line("\u{202e}txt.exe"), "\\u{202e}txt.exe");
        assert_eq!(on_one_line("größer \u{1f600}"), "größer \u{1f600}");
    }

    #[test]
    fn a_cause_that_its_effect_has_told_is_not_told_again() {
        let inner = io::Error::other("the disk is gone");
        let error = CommandError::Print(inner);
        assert_eq!(causes(&error), ["the disk is gone"]);
    }
}
