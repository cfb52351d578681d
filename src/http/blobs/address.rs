//! What stands in front of `/blobs/…` in a URL: the gateway as its clients reach it.

use axum::http::{HeaderMap, Uri, header};

/// The gateway's own address, configured or as the request at hand has it.
///
/// Without a configured address the caller's `Host` decides, and `X-Forwarded-Proto` whether it is
/// `https`. That is safe because the answer goes to that caller alone and is never kept: whoever
/// lies there misleads nobody else. It is right only if the proxy hands both on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Such as `https://gateway.example`, without a slash at its end.
    pub public_url: Option<String>,
}

impl Addresses {
    /// What URLs for this request begin with; `None` when the request does not say where it went.
    #[must_use]
    pub fn base(&self, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        if let Some(configured) = &self.public_url {
            return Some(configured.clone());
        }
        let forwarded = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
        let scheme = if forwarded == Some("https") { "https" } else { "http" };
        let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
        // HTTP/2 has the authority in its place.
        let host = host.or_else(|| uri.authority().map(axum::http::uri::Authority::as_str))?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        let is_host = !host.is_empty() && host.len() <= 255 && host.bytes().all(is_plain);
        is_host.then(|| format!("{scheme}://{host}"))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn base(host: Option<&'static str>, scheme: Option<&'static str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in [("host", host), ("x-forwarded-proto", scheme)] {
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        Addresses::default().base(&Uri::from_static("/attachments"), &headers)
    }

    #[test]
    fn the_callers_host_is_taken_if_it_is_one() {
        assert_eq!(base(Some("x.example:81"), None).as_deref(), Some("http://x.example:81"));
        assert_eq!(base(Some("[::1]:8080"), Some("https")).as_deref(), Some("https://[::1]:8080"));
        assert_eq!(base(Some("x"), Some("javascript")).as_deref(), Some("http://x"));
        for bad in ["", "a/b", "user@host", "a b", "a?b", "a\"b"] {
            assert_eq!(base(Some(bad), None), None, "{bad}");
        }
        assert_eq!(base(None, None), None);
    }

    #[test]
    fn http_2_has_it_in_the_uri_and_a_configured_address_goes_before_all() {
        let uri = Uri::from_static("http://y.example/attachments");
        let none = HeaderMap::new();
        let found = Addresses::default().base(&uri, &none);
        assert_eq!(found.as_deref(), Some("http://y.example"));
        let configured = Addresses { public_url: Some("https://z.example/gateway".to_owned()) };
        assert_eq!(configured.base(&uri, &none).as_deref(), Some("https://z.example/gateway"));
    }
}
