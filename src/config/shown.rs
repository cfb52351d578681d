//! The settings in force, for people to look at: without what only the gateway may know.

use serde::Serialize;
use toml::{Table, Value};

use super::Config;
use super::secret::hiding;

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its path, such as `http.listen`.
    pub key: String,
    /// What it is set to, a list as TOML has it; a secret is not shown.
    pub value: String,
    /// Whether that is another value than the default.
    pub is_changed: bool,
}

impl Config {
    /// Every setting in the order of their paths, with secrets hidden.
    #[must_use]
    pub fn shown(&self) -> Vec<Setting> {
        let (own, usual) = (texts(self), texts(&Self::default()));
        let settings = own.into_iter().map(|(key, value)| {
            let is_changed = !usual.contains(&(key.clone(), value.clone()));
            Setting { key, value, is_changed }
        });
        settings.collect()
    }
}

fn texts(config: &Config) -> Vec<(String, String)> {
    // Settings are texts, numbers and lists of those, which TOML can always hold.
    let table = hiding(|| Table::try_from(config)).unwrap_or_default();
    let mut found = Vec::new();
    collect("", table, &mut found);
    found
}

fn collect(path: &str, table: Table, found: &mut Vec<(String, String)>) {
    for (name, value) in table {
        let path = if path.is_empty() { name } else { format!("{path}.{name}") };
        match value {
            Value::Table(section) => collect(&path, section, found),
            Value::String(text) => found.push((path, text)),
            other => found.push((path, other.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::NOT_SHOWN;

    const MARK: &str = "k3pt-s3cr3t";

    fn set(key: &str, value: Value) -> Option<Config> {
        let mut table = Table::try_from(Config::default()).ok()?;
        let mut parts: Vec<_> = key.split('.').collect();
        let name = parts.pop()?;
        let mut section = &mut table;
        for part in parts {
            section = section.get_mut(part)?.as_table_mut()?;
        }
        section.insert(name.to_owned(), value);
        table.try_into().ok()
    }

    /// The settings whose value the configuration itself does not print.
    fn secrets() -> Vec<(String, Config)> {
        let keys = Config::default().shown().into_iter().map(|setting| setting.key);
        let set = keys.filter_map(|key| {
            let config = set(&key, Value::String(MARK.to_owned()))?;
            Some((key, config))
        });
        set.filter(|(_, config)| !format!("{config:?}").contains(MARK)).collect()
    }

    #[test]
    fn no_secret_setting_is_shown() {
        let secrets = secrets();
        let names: Vec<_> = secrets.iter().map(|(key, _)| key.as_str()).collect();
        for known in ["console.password", "console.token", "database.url", "metrics.token"] {
            assert!(names.contains(&known), "{known} is not in {names:?}");
        }
        for (key, config) in &secrets {
            let shown = config.shown();
            let setting = shown.iter().find(|setting| setting.key == *key).unwrap();
            assert_eq!((setting.value.as_str(), setting.is_changed), (NOT_SHOWN, true), "{key}");
            assert!(!format!("{shown:?}").contains(MARK), "{key}");
        }
    }

    #[test]
    fn a_secret_within_a_list_is_hidden_with_it() {
        let peer = format!(
            "peers = [{{ name = \"other\", url = \"https://other.example\", token = \"{MARK}\" }}]"
        );
        let peers = toml::from_str::<Table>(&peer).unwrap().remove("peers").unwrap();
        let config = set("dialects.textsecure.federation.peers", peers).unwrap();
        let shown = format!("{:?}", config.shown());
        assert!(shown.contains("other.example") && !shown.contains(MARK), "{shown}");
    }

    #[test]
    fn what_was_changed_is_told_from_what_was_not() {
        let mut config = Config::default();
        config.http.sockets = 7;
        let changed: Vec<_> = config.shown().into_iter().filter(|it| it.is_changed).collect();
        let expected = Setting { key: "http.sockets".into(), value: "7".into(), is_changed: true };
        assert_eq!(changed, [expected]);
    }
}
