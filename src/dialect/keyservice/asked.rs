//! What a request asks for, read off its method, path, query and headers alone.

use std::net::IpAddr;

use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};
use tokio::time::Instant;

use crate::domain::dropbox::Version;
use crate::domain::error::Fault;
use crate::http::switch::Effect;

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

/// Why a request is answered by nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Nothing is done here by that method.
    Method {
        /// What is, as `Allow` says it.
        allowed: &'static str,
    },
}

impl Operation {
    /// Whether its answer may follow from a secret of the caller's.
    #[must_use]
    pub fn follows_from_secret(self) -> bool {
        !matches!(self, Self::Create | Self::Put | Self::LeaveLetter | Self::ShowLetter)
    }

    /// Whether a file may come with this request for it, which takes its time.
    #[must_use]
    pub fn brings_file(self, parts: &Parts) -> bool {
        let content_type = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let start = content_type.and_then(|text| text.get(..b"multipart/".len()));
        let has_parts = start.is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"));
        match self {
            Self::File => parts.method == Method::PUT,
            Self::Put | Self::LeaveLetter => has_parts,
            _ => false,
        }
    }

    /// What it does, asked for by this method. What goes with its first reading goes in any case.
    #[must_use]
    pub fn effect(self, method: &Method) -> Effect {
        Effect::changing(match self {
            Self::Create | Self::Put | Self::Delete | Self::LeaveLetter => true,
            Self::File => method == Method::PUT,
            Self::Read | Self::Describe | Self::ShowLetter | Self::TakeLetter | Self::Download => {
                false
            }
        })
    }

    /// Its path as the log has it.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Create | Self::Put | Self::Read | Self::Delete => "/Service",
            Self::Describe => "/Service/GetToken",
            Self::File => "/Service/File",
            Self::LeaveLetter => "/Service/SelfDestruct",
            Self::ShowLetter => "/SelfDestruct/Read",
            Self::TakeLetter => "/SelfDestruct/Take",
            Self::Download => "/Home/GetFile",
        }
    }
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
    // The original takes any method there. One that must change nothing, `HEAD` above all, shall not
    // take messages out of a box.
    let by_any = |operation| {
        let all = [Method::GET, Method::POST, Method::PUT, Method::DELETE];
        by(&all.map(|method| (method, operation)), "GET, POST, PUT, DELETE")
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
        "/service/sendmessage" => by_any(Operation::Put),
        "/service/getmessages" => by_any(Operation::Read),
        "/service/gettoken" => by_any(Operation::Describe),
        "/service/file" => {
            by(&[(Method::PUT, Operation::File), (Method::GET, Operation::File)], "GET, PUT")
        }
        "/service/selfdestruct" => by(&[(Method::POST, Operation::LeaveLetter)], "POST"),
        "/selfdestruct/read" => by(
            &[(Method::GET, Operation::ShowLetter), (Method::POST, Operation::TakeLetter)],
            "GET, POST",
        ),
        "/selfdestruct/take" => by(&[(Method::POST, Operation::TakeLetter)], "POST"),
        "/selfdestruct/getattachment" | "/home/getfile" => by_any(Operation::Download),
        _ => Ok(None),
    }
}

/// The version that a request asks for, in its query or in a header `v`; 1 when it does not say,
/// because the original's clients never do.
///
/// # Errors
/// [`Fault::Invalid`] (`v`) for one that there is not.
pub fn version(parts: &Parts) -> Result<Version, Fault> {
    let in_header = || {
        let value = parts.headers.get("v")?;
        Some(value.to_str().unwrap_or("?").to_owned())
    };
    let asked = in_query(parts, "v").or_else(in_header);
    match asked.as_deref().map(str::trim) {
        None | Some("" | "1") => Ok(Version::One),
        Some("2") => Ok(Version::Two),
        Some(_) => Err(Fault::invalid("v", "must be 1 or 2")),
    }
}

/// The first member of a request's query with this name, whose letters may be of either case.
#[must_use]
pub fn in_query(parts: &Parts, name: &str) -> Option<String> {
    let query = parts.uri.query().unwrap_or_default();
    let mut members = form_urlencoded::parse(query.as_bytes());
    let found = members.find(|(found, _)| found.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn a_path_and_a_method_tell_what_is_asked() {
        for (method, path, expected) in [
            (Method::POST, "/Service", Operation::Create),
            (Method::POST, "/service/", Operation::Create),
            (Method::POST, "/Service/CREATE", Operation::Create),
            (Method::PUT, "/SERVICE", Operation::Put),
            (Method::GET, "/Service/SendMessage", Operation::Put),
            (Method::GET, "/Service", Operation::Read),
            (Method::DELETE, "/Service", Operation::Delete),
            (Method::POST, "/Service/GetToken", Operation::Describe),
            (Method::GET, "/Service/File", Operation::File),
            (Method::POST, "/Service/SelfDestruct/", Operation::LeaveLetter),
            (Method::GET, "/selfdestruct/read/", Operation::ShowLetter),
            (Method::POST, "/SelfDestruct/Take", Operation::TakeLetter),
            (Method::GET, "/Home/GetFile", Operation::Download),
        ] {
            assert_eq!(operation(&method, path), Ok(Some(expected)), "{method} {path}");
        }
        assert_eq!(operation(&Method::GET, "/Service/Nothing"), Ok(None));
        for (method, path) in [
            (Method::PATCH, "/Service"),
            (Method::HEAD, "/Service/GetMessages"),
            (Method::GET, "/Service/Create"),
            (Method::DELETE, "/SelfDestruct/Take"),
        ] {
            assert!(operation(&method, path).is_err(), "{method} {path}");
        }
    }

    #[test]
    fn a_request_says_its_version_or_means_the_first() {
        let of = |uri: &str, header: Option<&str>| {
            let mut request = Request::get(uri);
            if let Some(value) = header {
                request = request.header("v", value);
            }
            version(&request.body(()).unwrap_or_default().into_parts().0).ok()
        };
        assert_eq!(of("/Service", None), Some(Version::One));
        assert_eq!(of("/Service?token=x&V=2", None), Some(Version::Two));
        assert_eq!(of("/Service?v=1", Some("2")), Some(Version::One));
        assert_eq!(of("/Service", Some("2")), Some(Version::Two));
        assert_eq!(of("/Service?v=3", None), None);
    }

    #[test]
    fn there_is_more_time_for_what_brings_a_file_alone() {
        let brings = |operation: Operation, method: Method, content_type: &str| {
            let request = Request::builder().method(method).header("content-type", content_type);
            operation.brings_file(&request.body(()).unwrap_or_default().into_parts().0)
        };
        let form = "Multipart/Form-Data; boundary=x";
        assert!(brings(Operation::File, Method::PUT, "application/octet-stream"));
        assert!(brings(Operation::Put, Method::PUT, form));
        assert!(!brings(Operation::File, Method::GET, form));
        assert!(!brings(Operation::Put, Method::PUT, "application/json"));
        assert!(!brings(Operation::Create, Method::POST, form));
    }
}
