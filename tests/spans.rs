//! Spans of requests arrive at a collector of OpenTelemetry.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::program::Program;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// What a collector was handed: the head of the request and what was in it.
type Handed = (HeaderMap, ExportTraceServiceRequest);

async fn collector() -> (SocketAddr, mpsc::UnboundedReceiver<Handed>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, handed) = mpsc::unbounded_channel();
    let take = async move |headers: HeaderMap, body: Bytes| {
        let spans = ExportTraceServiceRequest::decode(body).unwrap();
        let _ = sender.send((headers, spans));
    };
    let router = Router::new().route("/v1/traces", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, handed)
}

/// A gateway that is asked twice, once with a trace, and stopped; what the collector has then.
async fn collected(more: &[(&str, &str)]) -> Vec<Handed> {
    let (address, mut handed) = collector().await;
    let endpoint = format!("http://{address}/v1/traces");
    let mut settings = vec![("SEALPOST_TELEMETRY__OTLP_ENDPOINT", endpoint.as_str())];
    settings.extend(more);
    let folder = tempfile::tempdir().unwrap();
    let program = Program::serve_with(&folder.path().join("data"), "127.0.0.1:0", &settings);
    let url = |path: &str| format!("http://{}{path}", program.address());
    let client = client();
    let traced = client.get(url("/me")).header("traceparent", format!("00-{TRACE}-{CALLER}-01"));
    let traced = traced.header("x-request-id", "my-own-id").send().await.unwrap();
    assert_eq!(traced.headers()["x-request-id"], "my-own-id");
    client.get(url("/a-path-that-nobody-knows?secret=query")).send().await.unwrap();
    // What is left is handed over when it stops, while the collector serves on another thread.
    tokio::task::spawn_blocking(move || program.stop()).await.unwrap();
    let mut all = Vec::new();
    while let Ok(Some(one)) = timeout(Duration::from_millis(200), handed.recv()).await {
        all.push(one);
    }
    all
}

fn client() -> reqwest::Client {
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn spans(handed: &[Handed]) -> Vec<&Span> {
    let resources = handed.iter().flat_map(|(_, request)| &request.resource_spans);
    resources.flat_map(|it| &it.scope_spans).flat_map(|it| &it.spans).collect()
}

fn attributes(span: &Span) -> HashMap<&str, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let attributes = span.attributes.iter();
    let value = |it: &'_ opentelemetry_proto::tonic::common::v1::KeyValue| {
        text(it.value.as_ref().and_then(|it| it.value.as_ref()).unwrap())
    };
    attributes.map(|it| (it.key.as_str(), value(it))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_span_of_its_callers_trace() {
    let handed = collected(&[("SEALPOST_TELEMETRY__OTLP_AUTHORIZATION", "Bearer for-spans")]).await;
    assert!(handed.iter().all(|(headers, _)| headers["authorization"] == "Bearer for-spans"));
    let spans = spans(&handed);
    let span = spans.iter().find(|span| span.name == "GET /me");
    let span = span.unwrap_or_else(|| panic!("no span of the request in {spans:?}"));
    assert_eq!(hex(&span.trace_id), TRACE);
    assert_eq!(hex(&span.parent_span_id), CALLER);
    assert_eq!(span.kind(), SpanKind::Server);
    assert!(span.start_time_unix_nano < span.end_time_unix_nano, "{span:?}");
    let attributes = attributes(span);
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/me"),
        ("http.response.status_code", "401"),
        ("request_id", "my-own-id"),
    ] {
        assert_eq!(attributes.get(name).map(String::as_str), Some(value), "{attributes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_trace_begins_one_and_shows_nothing_that_was_made_up() {
    let handed = collected(&[]).await;
    assert!(handed.iter().all(|(headers, _)| !headers.contains_key("authorization")));
    let spans = spans(&handed);
    let unknown = spans.iter().find(|span| span.name == "GET");
    let unknown = unknown.unwrap_or_else(|| panic!("no span without a path in {spans:?}"));
    assert!(unknown.parent_span_id.is_empty(), "{unknown:?}");
    let all = format!("{handed:?}");
    assert!(all.contains("sealpost") && !all.contains("secret") && !all.contains("nobody-knows"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_requests_without_a_trace_as_many_are_kept_as_the_operator_says() {
    let handed = collected(&[("SEALPOST_TELEMETRY__OTLP_PERCENT", "0")]).await;
    let names: Vec<_> = spans(&handed).into_iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["GET /me"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_does_not_answer_costs_nothing_but_spans() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there.
    let settings = [("SEALPOST_TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:9/v1/traces")];
    let program = Program::serve_with(&folder.path().join("data"), "127.0.0.1:0", &settings);
    let client = client();
    let url = format!("http://{}/healthz", program.address());
    assert_eq!(client.get(url).send().await.unwrap().status(), 200);
    tokio::task::spawn_blocking(move || program.stop()).await.unwrap();
}
