//! What a query asks for.

use axum::http::StatusCode;

use super::error::Refusal;
use crate::domain::error::Fault;
use crate::domain::ids::UserId;
use crate::http::query;

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// How many.
    pub(super) limit: u32,
    /// Those that come after this one.
    pub(super) after: Option<UserId>,
}

impl Page {
    /// The part that a query asks for: `usual` of the list, at most `most`.
    ///
    /// # Errors
    /// 400 for a `limit` that is no number from 1 on, and an `after` that is no UUID.
    pub(super) fn of(text: Option<&str>, usual: u32, most: u32) -> Result<Self, Refusal> {
        let member = |name| query::member(text.unwrap_or_default(), name);
        let limit = match member("limit").map(str::parse::<u32>) {
            None => usual,
            Some(Ok(limit)) if limit > 0 => limit.min(most),
            Some(_) => return Err(bad("Failed to deserialize query string: limit: is no number")),
        };
        let after = member("after").map(UserId::parse).transpose();
        let after =
            after.map_err(|_| bad("Failed to deserialize query string: after: is no UUID"))?;
        Ok(Self { limit, after })
    }
}

fn bad(text: &'static str) -> Refusal {
    Refusal::plain(Fault::malformed(text), StatusCode::BAD_REQUEST, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_usual_size_unless_asked_otherwise() {
        let limit = |query| Page::of(query, 10, 100).map(|page| page.limit).ok();
        assert_eq!(limit(None), Some(10));
        assert_eq!(limit(Some("limit=7&x")), Some(7));
        assert_eq!(limit(Some("a=b&limit=1000")), Some(100));
        assert_eq!(limit(Some("limit=0")), None);
        assert_eq!(limit(Some("after=x")), None);
        let user = "00000000-0000-4000-8000-000000000001";
        let after = Page::of(Some(&format!("after={user}")), 10, 100).unwrap().after;
        assert_eq!(after.unwrap().to_string(), user);
    }
}
