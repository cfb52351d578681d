//! Credentials in the query of a socket's address: browsers cannot give a socket any headers.

use super::language::Language;
use crate::dialect::textsecure::auth::Credentials;
use crate::http::query::{decode, member};

/// What somebody who opens a socket says in its address: `login` and `password`, or `user` and
/// `password`, which is how clients of the first kind of socket have it.
pub fn read(query: &str) -> (Language, Option<Credentials>) {
    let member = |name| member(query, name);
    let (language, name) = match (member("login"), member("user")) {
        (None, Some(name)) => (Language::Json, Some(name)),
        (name, _) => (Language::Protobuf, name),
    };
    let credentials = name.zip(member("password")).and_then(|(name, password)| {
        let name = String::from_utf8(decode(name)?.to_vec()).ok()?;
        Credentials::parse(&with_plus(&name), &decode(password)?)
    });
    (language, credentials)
}

/// A number whose `+` somebody took for a space, as it would be in a form.
fn with_plus(name: &str) -> String {
    match name.strip_prefix(' ') {
        Some(digits) => format!("+{digits}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(query: &str) -> (Language, Option<(String, u32, String)>) {
        let (language, credentials) = read(query);
        let told = credentials.map(|it| {
            let password = String::from_utf8(it.password.to_vec()).unwrap();
            (it.number.as_str().to_owned(), it.device.0, password)
        });
        (language, told)
    }

    fn anna(device: u32, password: &str) -> Option<(String, u32, String)> {
        Some(("+14152222222".to_owned(), device, password.to_owned()))
    }

    #[test]
    fn the_name_of_the_name_says_which_kind_of_socket_it_is() {
        assert_eq!(found("login=%2B14152222222.2&password=a"), (Language::Protobuf, anna(2, "a")));
        assert_eq!(found("user=%2b14152222222&password=a"), (Language::Json, anna(1, "a")));
        assert_eq!(found("password=a").0, Language::Protobuf);
    }

    #[test]
    fn a_plus_may_come_as_it_is_encoded_or_as_a_space() {
        for name in ["+14152222222", "%2B14152222222", "%2014152222222"] {
            let query = format!("password=x%2By+z%3D&login={name}");
            assert_eq!(found(&query).1, anna(1, "x+y+z="), "{name}");
        }
    }

    #[test]
    fn anything_else_is_nobodys() {
        for query in [
            "",
            "login=+14152222222",
            "password=a",
            "login=+14152222222&password=",
            "login=+14152222222&password=%2",
            "login=+14152222222&password=%zz",
            "login=%ff&password=a",
            "login=anna&password=a",
        ] {
            assert_eq!(found(query).1, None, "{query}");
        }
    }
}
