//! Reads why the gateway refuses (RFC 9457, problem details).

use reqwest::StatusCode;
use serde::Deserialize;

use crate::types::{ApiError, ErrorExtra};

use super::super::answer::DESCRIPTION_LIMIT;

/// The field under which an error says from when on a box can be read.
pub(super) const RELEASE_DATE: &str = "releasedate";

#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    detail: String,
    #[serde(default)]
    field: Option<String>,
    #[serde(default)]
    releasedate: Option<String>,
}

/// The error that a problem document describes. A body that is none leaves the status.
pub(super) fn read(body: &[u8], status: StatusCode) -> ApiError {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let description = match problem.detail.is_empty() {
        true => "no problem document in the answer".to_owned(),
        false => shown(&problem.detail),
    };
    let extra = match (problem.releasedate, problem.field) {
        (Some(date), _) => Some((RELEASE_DATE.to_owned(), shown(&date))),
        (None, Some(field)) => Some((shown(&field), description.clone())),
        (None, None) => None,
    };
    let extra = extra.map(|(field, reason)| ErrorExtra { field, reason, ..ErrorExtra::default() });
    ApiError { status: status.as_u16(), code: u32::from(status.as_u16()), description, extra }
}

/// It ends up on somebody's terminal.
fn shown(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(DESCRIPTION_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_cut_and_moves_no_cursor() {
        let body = format!(r#"{{"detail":"\u001b[2J\nno {}"}}"#, "x".repeat(5000));
        let error = read(body.as_bytes(), StatusCode::FORBIDDEN);
        assert!(error.description.starts_with("[2Jno xxx"));
        assert_eq!((error.description.len(), error.status), (DESCRIPTION_LIMIT, 403));
    }

    #[test]
    fn a_body_that_is_no_document_leaves_the_status() {
        for body in ["", "<html>", "[]", r#"{"detail":7}"#] {
            let error = read(body.as_bytes(), StatusCode::BAD_GATEWAY);
            assert_eq!((error.status, error.extra), (502, None), "{body}");
            assert_eq!(error.description, "no problem document in the answer");
        }
    }
}
