//! Origins of pages, as a setting lists them.

/// The origins that a text lists, with commas between them; `*` alone stands for all.
///
/// # Errors
/// With the first one that browsers do not write like that.
pub(super) fn parse(text: &str) -> Result<Vec<String>, String> {
    let listed = text.split(',').map(str::trim).filter(|one| !one.is_empty());
    let listed: Vec<_> = listed.map(ToOwned::to_owned).collect();
    match listed.iter().find(|one| !is_origin(one)) {
        Some(one) if one == "*" && listed.len() == 1 => Ok(listed),
        Some(one) => Err(one.clone()),
        None => Ok(listed),
    }
}

/// Whether browsers write an origin like that: scheme, host, and a port that is not the usual one,
/// all of it in lower case.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let is_scheme = !scheme.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_lowercase() || b"+-.".contains(&byte));
    let is_part =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._:[]".contains(&byte);
    is_scheme && !authority.is_empty() && authority.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        let one = |text: &str| parse(text).map(|list| list.len());
        assert_eq!(one(""), Ok(0));
        assert_eq!(one("*"), Ok(1));
        assert_eq!(one("https://chat.example"), Ok(1));
        assert_eq!(one("https://chat.example:8443, http://localhost:5000"), Ok(2));
        assert_eq!(one("http://[::1]:80,capacitor://localhost"), Ok(2));
        for bad in [
            "chat.example",
            "https://",
            "https://chat.example/",
            "https://chat.example/a",
            "https://Chat.example",
            "https://a@b",
            "*, https://chat.example",
            "https://*.example",
            "null",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
