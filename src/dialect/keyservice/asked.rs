//! What a request asks for, read off its method, path, query and headers alone.

use std::net::IpAddr;

use axum::http::Method;
use axum::http::request::Parts;
use tokio::time::Instant;

use crate::domain::dropbox::Version;
use crate::domain::error::Fault;

/// What a path and a method ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `POST /Service`, `POST /Service/Create`.
    Create,
    /// `PUT /Service`; in version 1 `/Service/SendMessage` by any method.
    Put,
    /// `GET /Service`; in version 1 `/Service/GetMessages` by any method.
    Read,
    /// `DELETE /Service`.
    Delete,
    /// `/Service/GetToken`.
    Describe,
    /// `PUT` or `GET /Service/File`; version 2.
    File,
    /// `POST /Service/SelfDestruct`.
    LeaveLetter,
    /// `GET /SelfDestruct/Read`: shows a page and destroys nothing.
    ShowLetter,
    /// `POST /SelfDestruct/Read` in version 1, `POST /SelfDestruct/Take` in version 2.
    TakeLetter,
    /// `/SelfDestruct/GetAttachment` and `/Home/GetFile`; version 1.
    Download,
}

/// A request and what is known of it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What for.
    pub operation: Operation,
    /// In which version.
    pub version: Version,
    /// Where it comes from, as far as that is counted.
    pub address: Option<IpAddr>,
    /// When it came.
    pub arrived: Instant,
}

/// The operation at this path, whose letters may be of either case and which may end in a slash;
/// `None` when nothing is there.
///
/// # Errors
/// [`Wrong::Method`] with what is allowed, when it is not by this method.
pub fn operation(method: &Method, path: &str) -> Result<Option<Operation>, Wrong> {
    let path = path.trim_end_matches('/').to_ascii_lowercase();
    let by = |operations: &[(Method, Operation)], allowed: &'static str| {
        let found = operations.iter().find(|(by, _)| by == method);
        found.map(|(_, operation)| Some(*operation)).ok_or(Wrong::Method { allowed })
    };
    match path.as_str() {
        "/service" => by(
            &[
                (Method::POST, Operation::Create),
                (Method::PUT, Operation::Put),
                (Method::GET, Operation::Read),
                (Method::DELETE, Operation::Delete),
            ],
            "GET, POST, PUT, DELETE",
        ),
        "/service/create" => by(&[(Method::POST, Operation::Create)], "POST"),
        "/service/sendmessage" => Ok(Some(Operation::Put)),
        "/service/getmessages" => Ok(Some(Operation::Read)),
        "/service/gettoken" => Ok(Some(Operation::Describe)),
        "/service/file" => {
            by(&[(Method::PUT, Operation::File), (Method::GET, Operation::File)], "GET, PUT")
        }
        "/service/selfdestruct" => by(&[(Method::POST, Operation::LeaveLetter)], "POST"),
        "/selfdestruct/read" => by(
            &[(Method::GET, Operation::ShowLetter), (Method::POST, Operation::TakeLetter)],
            "GET, POST",
        ),
        "/selfdestruct/take" => by(&[(Method::POST, Operation::TakeLetter)], "POST"),
        "/selfdestruct/getattachment" | "/home/getfile" => Ok(Some(Operation::Download)),
        _ => Ok(None),
    }
}

/// Why a request is answered by nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Nothing is done here by that method.
    Method {
        /// What is, as `Allow` says it.
        allowed: &'static str,
    },
}

/// The version that a request asks for, in its query or in a header `v`; 1 when it does not say,
/// because the original's clients never do.
///
/// # Errors
/// [`Fault::Invalid`] (`v`) for one that there is not.
pub fn version(parts: &Parts) -> Result<Version, Fault> {
    let query = parts.uri.query().unwrap_or_default();
    let mut members = form_urlencoded::parse(query.as_bytes());
    let in_query = members.find(|(name, _)| name.eq_ignore_ascii_case("v"));
    let in_header = || {
        let value = parts.headers.get("v")?;
        Some(value.to_str().unwrap_or("?").to_owned())
    };
    let asked = in_query.map(|(_, value)| value.into_owned()).or_else(in_header);
    match asked.as_deref().map(str::trim) {
        None | Some("" | "1") => Ok(Version::One),
        Some("2") => Ok(Version::Two),
        Some(_) => Err(Fault::invalid("v", "must be 1 or 2")),
    }
}
