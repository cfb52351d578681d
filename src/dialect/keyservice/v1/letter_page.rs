//! The pages of letters: plain HTML that needs no script and loads nothing.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A link that was cut, or that is of version 2 and is read elsewhere.
pub(super) const INCOMPLETE: &str = "This link is not complete.";

/// Nobody learns which of it is the case.
pub(super) const UNKNOWN: &str = "There is no such message: it was read before, its time is over, \
                                  or the link is not right. Nothing was erased.";

/// What the button of a letter's page sends along.
pub(super) struct Hidden<'of> {
    pub(super) id: &'of str,
    pub(super) passphrase: &'of str,
    pub(super) hash: &'of str,
}

/// A letter that was destroyed.
pub(super) struct Shown<'of> {
    /// `None` when it cannot be decrypted.
    pub(super) text: Option<&'of str>,
    /// Its file, if it has one.
    pub(super) attachment: Option<&'of Attached>,
    /// Whether its link promised another text.
    pub(super) is_other: bool,
}

/// A letter's file.
pub(super) enum Attached {
    /// It can be fetched.
    Here {
        /// What it is called.
        name: String,
        /// Where, relative to the page.
        link: String,
    },
    /// It cannot be read.
    Lost,
}

/// Asks whether a letter is to be destroyed.
pub(super) fn question(hidden: &Hidden<'_>) -> Response {
    let mut page = String::from(
        "<p>Somebody left a message for you. It can be read once: when you open it, it is erased \
         here.</p>\n<form method=\"post\">\n",
    );
    for (name, value) in
        [("messageId", hidden.id), ("passphrase", hidden.passphrase), ("hash", hidden.hash)]
    {
        page.push_str("<input type=\"hidden\" name=\"");
        page.push_str(name);
        page.push_str("\" value=\"");
        escape(&mut page, value);
        page.push_str("\">\n");
    }
    page.push_str("<button type=\"submit\">Read and erase the message</button>\n</form>\n");
    answer(StatusCode::OK, "A message for you", &page)
}

/// Shows a letter.
pub(super) fn letter(shown: &Shown<'_>) -> Response {
    let mut page = String::new();
    if shown.is_other {
        page.push_str(
            "<p><strong>This is not the text that the link was made for. The link or the message \
             may have been tampered with.</strong></p>\n",
        );
    }
    match shown.text {
        // A line feed at the very beginning would be passed over.
        Some(text) => {
            page.push_str("<pre>\n");
            escape(&mut page, text);
            page.push_str("</pre>\n");
        }
        None => page.push_str("<p>The message cannot be decrypted.</p>\n"),
    }
    match shown.attachment {
        Some(Attached::Here { name, link }) => {
            page.push_str("<p><a href=\"");
            escape(&mut page, link);
            page.push_str("\">");
            escape(&mut page, name);
            page.push_str("</a> (for two minutes)</p>\n");
        }
        Some(Attached::Lost) => page.push_str("<p>Its file cannot be read.</p>\n"),
        None => {}
    }
    page.push_str("<p>The message was erased here.</p>\n");
    answer(StatusCode::OK, "Your message", &page)
}

/// Says what is wrong.
pub(super) fn trouble(status: StatusCode, text: &str) -> Response {
    let mut page = String::from("<p>");
    escape(&mut page, text);
    page.push_str("</p>\n");
    answer(status, "No message", &page)
}

/// A page for its reader alone, in which nothing runs and which nothing else shows.
pub(super) fn answer(status: StatusCode, title: &str, content: &str) -> Response {
    const POLICY: &str =
        "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta \
         name=\"viewport\" content=\"width=device-width\">\n<meta name=\"robots\" \
         content=\"noindex\">\n<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n\
         {content}</body>\n</html>\n"
    );
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, Body::from(page)).into_response()
}

/// A text between tags, or inside an attribute's double quotes.
fn escape(page: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            c => page.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn read(response: Response) -> String {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn nothing_that_a_sender_wrote_is_markup() {
        let evil = "\"><script>alert('x')</script>&amp;";
        let hidden = Hidden { id: "1", passphrase: evil, hash: evil };
        let file = Attached::Here { name: evil.to_owned(), link: evil.to_owned() };
        let shown = Shown { text: Some(evil), attachment: Some(&file), is_other: true };
        for response in [question(&hidden), letter(&shown), trouble(StatusCode::NOT_FOUND, evil)] {
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].clone();
            assert!(policy.to_str().unwrap().starts_with("default-src 'none';"));
            assert_eq!(response.headers()[header::REFERRER_POLICY], "no-referrer");
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
            let page = read(response).await;
            assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
        }
    }
}
