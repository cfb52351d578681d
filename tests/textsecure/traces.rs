//! A trace that a request belongs to goes on with what the gateway asks of others for it.

use axum::body::Body;
use axum::http::Request;
use sealpost::config::dialects::textsecure::codes::Sender;

use crate::harness::TestApp;
use crate::outside::stand_in::{Seen, StandIn};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What a program that hands codes over is told when somebody asks for one with these headers.
async fn told(headers: &[(&str, &str)]) -> Seen {
    let stand_in = StandIn::start().await;
    let app = TestApp::start_with(|config| {
        config.outbound.private_networks = "127.0.0.1".to_owned();
        config.dialects.textsecure.enabled = true;
        let codes = &mut config.dialects.textsecure.codes;
        codes.sender = Sender::Webhook;
        codes.webhook.url = stand_in.url.as_str().into();
        codes.webhook.secret = "a secret of the test".into();
    })
    .await;
    let mut request = Request::get("/v1/accounts/sms/code/+14152222222");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = app.answer(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    stand_in.only()
}

#[tokio::test]
async fn a_trace_is_handed_on_and_nothing_else_of_it() {
    let told = told(&[("traceparent", TRACE), ("tracestate", "vendor=some-text")]).await;
    assert_eq!(told.header("traceparent"), TRACE);
    assert_eq!(told.header("tracestate"), "");
}

#[tokio::test]
async fn a_trace_that_is_not_well_formed_or_not_the_only_one_is_ignored() {
    let upper = TRACE.to_uppercase();
    let other = TRACE.replace("4bf9", "0000");
    for headers in [
        &[][..],
        &[("traceparent", upper.as_str())],
        &[("traceparent", TRACE), ("traceparent", other.as_str())],
    ] {
        assert_eq!(told(headers).await.header("traceparent"), "", "{headers:?}");
    }
}
