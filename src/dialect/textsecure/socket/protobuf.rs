//! The frames of the later kind of socket: requests and answers in protobuf, in both directions.

use bytes::Bytes;
use prost::Message as _;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::language::Said;

/// The type of a frame with a request.
const REQUEST: i32 = 1;

/// The type of a frame with an answer.
const RESPONSE: i32 = 2;

/// A frame.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Frame {
    /// What it holds, `REQUEST` or `RESPONSE`.
    #[prost(int32, optional, tag = "1")]
    pub kind: Option<i32>,
    /// The request.
    #[prost(message, optional, tag = "2")]
    pub request: Option<Request>,
    /// The answer.
    #[prost(message, optional, tag = "3")]
    pub response: Option<Response>,
}

/// A request, as HTTP has it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Request {
    /// The method.
    #[prost(string, optional, tag = "1")]
    pub verb: Option<String>,
    /// The path.
    #[prost(string, optional, tag = "2")]
    pub path: Option<String>,
    /// The body.
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub body: Option<Bytes>,
    /// What the answer is told by; without one there is none.
    #[prost(uint64, optional, tag = "4")]
    pub id: Option<u64>,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Response {
    /// Which request it is for.
    #[prost(uint64, optional, tag = "1")]
    pub id: Option<u64>,
    /// The status, as HTTP has it.
    #[prost(uint32, optional, tag = "2")]
    pub status: Option<u32>,
    /// The status in words.
    #[prost(string, optional, tag = "3")]
    pub message: Option<String>,
    /// The body.
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub body: Option<Bytes>,
}

/// The frame of a request.
pub fn request(verb: &str, path: &str, id: u64, body: Bytes) -> Message {
    let request = Request {
        verb: Some(verb.to_owned()),
        path: Some(path.to_owned()),
        body: Some(body),
        id: Some(id),
    };
    binary(&Frame { kind: Some(REQUEST), request: Some(request), response: None })
}

/// What a frame says.
pub fn heard(bytes: Bytes) -> Said {
    let read = Frame::decode(bytes).ok();
    match read.map(|frame| (frame.kind.unwrap_or_default(), frame.request, frame.response)) {
        Some((REQUEST, Some(request), _)) => asked(&request),
        // What is not acknowledged comes again.
        Some((RESPONSE, _, Some(response))) => match (response.id, response.status) {
            (Some(id), Some(200)) => Said::Acknowledged(id),
            _ => Said::Nothing,
        },
        _ => Said::Broken(CloseCode::Policy, "the frame cannot be read"),
    }
}

fn asked(request: &Request) -> Said {
    let Some(id) = request.id else { return Said::Nothing };
    let path = request.path.as_deref().unwrap_or_default();
    let is_known = request.verb.as_deref() == Some("GET")
        && path.strip_suffix('/').unwrap_or(path) == "/v1/keepalive";
    let answer = match is_known {
        true => response(id, 200, "OK"),
        false => response(id, 404, "Not Found"),
    };
    Said::Asked(answer, Some(response(id, 413, "Rate Limited")))
}

fn response(id: u64, status: u32, message: &str) -> Message {
    let message = Some(message.to_owned());
    let response = Response { id: Some(id), status: Some(status), message, body: None };
    binary(&Frame { kind: Some(RESPONSE), request: None, response: Some(response) })
}

fn binary(frame: &Frame) -> Message {
    Message::Binary(frame.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_frame_makes_a_panic(bytes: Vec<u8>) {
            heard(bytes.into());
        }
    }

    fn said(kind: i32, request: Option<Request>, response: Option<Response>) -> Said {
        heard(Frame { kind: Some(kind), request, response }.encode_to_vec().into())
    }

    fn get(path: &str, id: Option<u64>) -> Said {
        let (verb, path) = (Some("GET".to_owned()), Some(path.to_owned()));
        said(REQUEST, Some(Request { verb, path, body: None, id }), None)
    }

    fn answered(id: u64, status: u32) -> Said {
        let response = Response { id: Some(id), status: Some(status), ..Response::default() };
        said(RESPONSE, None, Some(response))
    }

    #[test]
    fn only_an_answer_of_200_acknowledges() {
        assert_eq!(answered(7, 200), Said::Acknowledged(7));
        assert_eq!(answered(7, 500), Said::Nothing);
        assert_eq!(said(RESPONSE, None, Some(Response::default())), Said::Nothing);
    }

    #[test]
    fn a_request_is_answered_under_its_id_and_not_without_one() {
        let refused = |id| Some(response(id, 413, "Rate Limited"));
        let ok = |id| Said::Asked(response(id, 200, "OK"), refused(id));
        assert_eq!(get("/v1/keepalive", Some(3)), ok(3));
        assert_eq!(get("/v1/keepalive/", Some(0)), ok(0));
        assert_eq!(get("/v1/keepalive", None), Said::Nothing);
        let unknown = Said::Asked(response(3, 404, "Not Found"), refused(3));
        assert_eq!(get("/v1/accounts", Some(3)), unknown);
    }

    #[test]
    fn anything_else_breaks_the_rules() {
        let broken = Said::Broken(CloseCode::Policy, "the frame cannot be read");
        assert_eq!(heard(Bytes::from_static(b"\xff")), broken);
        assert_eq!(heard(Bytes::new()), broken);
        assert_eq!(said(REQUEST, None, Some(Response::default())), broken);
        assert_eq!(said(3, Some(Request::default()), None), broken);
    }
}
