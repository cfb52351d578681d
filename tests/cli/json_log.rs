//! `serve` with a log for programs.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::world::{Place, Served};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn each_line_is_an_object_and_those_of_a_request_have_its_ids() {
    let place = Place::new();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("SEALPOST_TELEMETRY__LOG_FORMAT", "json");
    command.env("SEALPOST_TELEMETRY__LOG_LEVEL", "info,sealpost::http=debug");
    let served = Served::start(command);
    let address = served.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "GET /me HTTP/1.1\r\nhost: x\r\nx-request-id: my-own-id\r\ntraceparent: {TRACE}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("x-request-id: my-own-id"), "{answer}");

    let (_, _, log) = served.stop("TERM");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let request = lines.iter().find(|line| line["message"] == "request");
    let request = request.unwrap_or_else(|| panic!("no line of the request in {log}"));
    assert_eq!((&request["path"], &request["status"]), (&"/me".into(), &401.into()));
    assert_eq!(request["span"]["request_id"], "my-own-id");
    assert_eq!(request["span"]["trace_id"], TRACE[3..35]);
    let ready = lines.iter().find(|line| line["message"] == "ready").unwrap();
    assert_eq!(ready["span"], Value::Null, "that belongs to no request");
}
