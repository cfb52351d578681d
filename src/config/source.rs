//! Where settings come from: a file, the environment, flags.
//!
//! The settings themselves are the schema. A text from outside is read as the kind of value that
//! the setting already has, so `SEALPOST_LIMITS__BATCH_ITEMS=50` is a number and a data directory
//! called `50` stays a text.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Config, ConfigError};

/// The variable that names the file.
const CONFIG_FILE: &str = "SEALPOST_CONFIG";

/// The settings that have flags.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`: the file to read.
    pub config: Option<PathBuf>,
    /// `--data`: the data directory.
    pub data: Option<PathBuf>,
    /// `--listen`: address and port.
    pub listen: Option<String>,
}

/// The environment variables that the gateway looks at, as they were at the start.
#[derive(Clone, Default)]
pub struct Environment(Vec<(String, String)>);

/// One setting given as text.
pub(super) struct Given {
    /// The variable or the flag, for the error.
    origin: String,
    /// The setting, such as `http.listen`.
    key: String,
    /// Its value.
    text: String,
}

impl Flags {
    pub(super) fn settings(&self) -> impl Iterator<Item = Given> {
        let data = self.data.as_deref().map(path_text);
        let given =
            [("--data", "storage.data", data), ("--listen", "http.listen", self.listen.clone())];
        given.into_iter().filter_map(|(flag, key, text)| {
            Some(Given { origin: flag.to_owned(), key: key.to_owned(), text: text? })
        })
    }
}

/// A path as text. What is not Unicode cannot stand in a TOML file either.
fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

impl fmt::Debug for Environment {
    /// The names alone: values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Environment {
    /// What is set in the process's own environment; variables that are no Unicode are left out.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::of(std::env::vars_os().filter_map(text))
    }

    /// An environment of these variables.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = |(name, _): &(String, String)| name.starts_with("SEALPOST_");
        Self(variables.into_iter().filter(ours).collect())
    }

    /// The file named by `SEALPOST_CONFIG`.
    pub(super) fn config_file(&self) -> Option<PathBuf> {
        let (_, value) = self.0.iter().find(|(name, _)| name == CONFIG_FILE)?;
        Some(PathBuf::from(value))
    }

    /// Names that begin as ours do and name nothing: somebody else's, or misspelt.
    pub fn ignored(&self) -> impl Iterator<Item = &str> {
        let names = self.0.iter().map(|(name, _)| name.as_str());
        names.filter(|name| *name != CONFIG_FILE && setting_of(name).is_none())
    }

    /// The settings in it: two short names, and every name with a double underscore in it. Other
    /// names may be somebody else's (an orchestrator sets `SEALPOST_SERVICE_HOST` for a service
    /// called sealpost), so they are left alone.
    pub(super) fn settings(&self) -> impl Iterator<Item = Given> {
        self.0.iter().filter_map(|(variable, text)| {
            let key = setting_of(variable)?;
            Some(Given { origin: variable.clone(), key, text: text.clone() })
        })
    }
}

/// The setting that a variable names.
fn setting_of(variable: &str) -> Option<String> {
    match variable {
        "SEALPOST_LISTEN" => Some("http.listen".to_owned()),
        "SEALPOST_DATA" => Some("storage.data".to_owned()),
        _ => {
            let nested = variable.strip_prefix("SEALPOST_")?;
            nested.contains("__").then(|| nested.to_ascii_lowercase().replace("__", "."))
        }
    }
}

/// Reads a file; what it does not set keeps its default.
pub(super) fn read_file(path: PathBuf) -> Result<Config, ConfigError> {
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(ConfigError::Unreadable { path, source }),
    };
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ConfigError::File { path, line, reason: printable(error.message()) }
    })
}

/// A reader's complaint without what looks like an address with a password in it: complaints quote
/// the value that they are about.
fn printable(complaint: &str) -> String {
    match complaint.split_once("://") {
        None => complaint.to_owned(),
        // The address may itself have quotes in it, so all that follows goes.
        Some((before, _)) => format!("{before}://…"),
    }
}

/// The settings with what was given put in their places.
pub(super) fn apply(
    mut config: Config,
    given: impl Iterator<Item = Given>,
) -> Result<Config, ConfigError> {
    for setting in given {
        config = apply_one(&config, setting)?;
    }
    Ok(config)
}

fn apply_one(config: &Config, given: Given) -> Result<Config, ConfigError> {
    let Given { origin, key, text } = given;
    let refused = |reason: String| ConfigError::Override { origin: origin.clone(), reason };
    let mut table = Table::try_from(config).map_err(|error| refused(error.to_string()))?;
    let Some(place) = place_of(&mut table, &key) else {
        return Err(ConfigError::UnknownVariable { variable: origin, key });
    };
    *place = value_like(place, &text).map_err(|reason| refused(printable(&reason)))?;
    table.try_into().map_err(|error: toml::de::Error| refused(printable(error.message())))
}

/// The place of a single value, never of a whole section.
fn place_of<'table>(table: &'table mut Table, key: &str) -> Option<&'table mut Value> {
    let mut parts = key.split('.');
    let mut place = table.get_mut(parts.next()?)?;
    for part in parts {
        place = place.as_table_mut()?.get_mut(part)?;
    }
    (!place.is_table()).then_some(place)
}

/// Reads `text` as the kind of value that `present` is.
fn value_like(present: &Value, text: &str) -> Result<Value, String> {
    match present {
        Value::Integer(_) => match text.trim().parse() {
            Ok(number) => Ok(Value::Integer(number)),
            Err(_) => Err(format!("`{text}` is no whole number")),
        },
        Value::Boolean(_) => match text.trim() {
            "true" => Ok(Value::Boolean(true)),
            "false" => Ok(Value::Boolean(false)),
            _ => Err(format!("`{text}` is neither `true` nor `false`")),
        },
        Value::Array(_) => list(text).ok_or_else(|| "it is no list as TOML has them".to_owned()),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// A list, such as `[{ name = "one" }, { name = "two" }]`.
fn list(text: &str) -> Option<Value> {
    let mut table: Table = toml::from_str(&format!("list = {text}")).ok()?;
    table.remove("list").filter(|list| list.is_array() && table.is_empty())
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::io::Write;

    use super::*;
    use crate::config::dialects::ErrorStatus;

    type Outcome = Result<(), Box<dyn Error>>;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::of(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())))
    }

    fn file(text: &str) -> Result<tempfile::NamedTempFile, std::io::Error> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(text.as_bytes())?;
        Ok(file)
    }

    fn load(
        file_text: &str,
        variables: &[(&str, &str)],
        flags: Flags,
    ) -> Result<Config, ConfigError> {
        let file = file(file_text).unwrap_or_else(|error| panic!("no temporary file: {error}"));
        let flags = Flags { config: Some(file.path().to_owned()), ..flags };
        Config::load(&flags, &environment(variables))
    }

    /// The message and those of all causes, as the command prints them.
    fn chain(error: &dyn Error) -> String {
        let cause = error.source().map(|cause| format!(": {cause}"));
        format!("{error}{}", cause.unwrap_or_default())
    }

    #[test]
    fn without_any_source_the_defaults_hold() -> Outcome {
        let config = Config::load(&Flags::default(), &Environment::default())?;
        assert_eq!(config, Config::default());
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.storage.data, Path::new("./sealpost-data"));
        Ok(())
    }

    #[test]
    fn a_flag_beats_a_variable_beats_the_file_beats_the_default() -> Outcome {
        let in_file = "[http]\nlisten = \"127.0.0.1:1\"";
        let variable: &[_] = &[("SEALPOST_LISTEN", "127.0.0.1:2")];
        let flag = || Flags { listen: Some("127.0.0.1:3".into()), ..Flags::default() };
        let table = [
            ("", &[][..], Flags::default(), 8080),
            (in_file, &[][..], Flags::default(), 1),
            ("", variable, Flags::default(), 2),
            ("", &[][..], flag(), 3),
            (in_file, variable, Flags::default(), 2),
            (in_file, &[][..], flag(), 3),
            ("", variable, flag(), 3),
            (in_file, variable, flag(), 3),
        ];
        for (row, (file, variables, flags, port)) in table.into_iter().enumerate() {
            assert_eq!(load(file, variables, flags)?.http.listen.port(), port, "row {row}");
        }
        Ok(())
    }

    #[test]
    fn a_double_underscore_reaches_every_setting() -> Outcome {
        let variables = [
            ("SEALPOST_DIALECTS__MIXIN__ERROR_STATUS", "always-true"),
            ("SEALPOST_LIMITS__BATCH_ITEMS", " 50 "),
            ("SEALPOST_STORAGE__DATA", "50"),
        ];
        let config = load("", &variables, Flags::default())?;
        assert_eq!(config.dialects.mixin.error_status, ErrorStatus::AlwaysTrue);
        assert_eq!(config.limits.batch_items, 50);
        assert_eq!(config.storage.data, Path::new("50"));
        Ok(())
    }

    #[test]
    fn a_list_is_one_as_toml_has_them() -> Outcome {
        let name = "SEALPOST_DIALECTS__TEXTSECURE__FEDERATION__DIRECTORY_MINUTES";
        assert!(load("", &[(name, "7")], Flags::default()).is_ok());
        let list = "SEALPOST_DIALECTS__TEXTSECURE__FEDERATION__PEERS";
        assert_eq!(load("", &[(list, "[]")], Flags::default())?, Config::default());
        for bad in ["hunter2", "[hunter2", "[\"hunter2\"]", "[]\nx = 1", "[{ nmae = \"hunter2\" }]"]
        {
            let message = chain(&load("", &[(list, bad)], Flags::default()).unwrap_err());
            assert!(message.contains(list) && !message.contains("hunter2"), "{message}");
        }
        Ok(())
    }

    #[test]
    fn the_file_may_be_named_by_a_variable() -> Outcome {
        let file = file("[limits]\nbatch_items = 7")?;
        let path = file.path().to_str().ok_or("a temporary path is text")?;
        let config = Config::load(&Flags::default(), &environment(&[("SEALPOST_CONFIG", path)]))?;
        assert_eq!(config.limits.batch_items, 7);
        Ok(())
    }

    #[test]
    fn an_unknown_key_of_the_file_is_named() {
        let error = load("[http]\nlisten_on = \"127.0.0.1:1\"", &[], Flags::default());
        let message = error.map_err(|error| chain(&error)).unwrap_err();
        assert!(message.contains("unknown field `listen_on`"), "{message}");
        assert!(message.contains("line 2"), "{message}");
    }

    #[test]
    fn no_complaint_shows_a_password() {
        let url = "postgres://gateway:hun\\\"ter2@db.example/sealpost";
        for in_file in [
            format!("[database]\nurls = \"{url}\""),
            format!("[database]\nurl = \"{url}"),
            format!("[database]\nconnections = \"{url}\""),
            format!("database = \"{url}\""),
            format!("[database]\nurl = \"my{url}\""),
        ] {
            let error = load(&in_file, &[], Flags::default()).unwrap_err();
            let message = format!("{} {error:?}", chain(&error));
            assert!(!message.contains("ter2"), "{message}");
        }
        for setting in ["CONNECTIONS", "POOLER", "URL", "URLS"] {
            let name = format!("SEALPOST_DATABASE__{setting}");
            let variables = [(name.as_str(), "mypostgres://u:hunter2@db.example/x")];
            let error = load("", &variables, Flags::default()).unwrap_err();
            let message = format!("{} {error:?}", chain(&error));
            assert!(message.contains("DATABASE") || message.contains("database"), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
            assert!(!format!("{:?}", environment(&variables)).contains("hunter2"));
        }
    }

    #[test]
    fn an_unknown_variable_is_named_with_its_setting() {
        for (variable, key) in [
            ("SEALPOST_HTTP__LISTEN_ON", "http.listen_on"),
            ("SEALPOST_HTTP__LISTEN__PORT", "http.listen.port"),
            ("SEALPOST_NOTHING__AT_ALL", "nothing.at_all"),
            ("SEALPOST_DIALECTS__MIXIN", "dialects.mixin"),
        ] {
            let error = load("", &[(variable, "1")], Flags::default()).unwrap_err();
            let message = chain(&error);
            assert!(message.contains(variable) && message.contains(key), "{message}");
        }
    }

    #[test]
    fn variables_that_an_orchestrator_sets_are_left_alone() -> Outcome {
        let variables = [("SEALPOST_SERVICE_HOST", "10.0.0.1"), ("SEALPOST_PORT", "tcp://x:1")];
        assert_eq!(load("", &variables, Flags::default())?, Config::default());
        let names = environment(&variables);
        assert_eq!(names.ignored().collect::<Vec<_>>(), ["SEALPOST_SERVICE_HOST", "SEALPOST_PORT"]);
        Ok(())
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named_with_its_source() {
        let variables = [("SEALPOST_LIMITS__BATCH_ITEMS", "many")];
        let message = chain(&load("", &variables, Flags::default()).unwrap_err());
        assert_eq!(
            message,
            "SEALPOST_LIMITS__BATCH_ITEMS cannot be used: `many` is no whole number"
        );
        let flags = Flags { listen: Some("nowhere".into()), ..Flags::default() };
        let message = chain(&load("", &[], flags).unwrap_err());
        assert!(message.starts_with("--listen cannot be used: "), "{message}");
    }

    #[test]
    fn a_value_that_makes_no_sense_is_named_with_its_bounds() {
        let message = chain(&load("[limits]\nbatch_items = 0", &[], Flags::default()).unwrap_err());
        let expected = "the setting `limits.batch_items` is 0; it must be between 1 and 10000";
        assert_eq!(message, expected);
        let level = [("SEALPOST_TELEMETRY__LOG_LEVEL", "info,,=x=")];
        let message = chain(&load("", &level, Flags::default()).unwrap_err());
        assert!(message.contains("`telemetry.log_level`"), "{message}");
    }
}
