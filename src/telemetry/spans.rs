//! Spans of requests for a collector of OpenTelemetry.
//!
//! A request is one span, as the log has it; what is logged while it is worked on are its events. The
//! trace is the one that its caller names, or else begins here. Spans are gathered and handed over by
//! a thread of the library, many at a time; what finds no room is dropped. Nothing waits for it.
//!
//! What attributes are called: OpenTelemetry's semantic conventions for HTTP, 1.36.

use opentelemetry::Context as Around;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry_http::HttpClient;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use super::logs::{self, LogError};
use crate::config::Telemetry;
use crate::domain::trace::{self, TraceParent};

/// What hands spans over, until it is closed.
#[derive(Debug)]
pub struct Spans {
    provider: SdkTracerProvider,
}

/// Sends what the program logs to standard error, and the spans of requests to these.
///
/// # Errors
/// As [`logs::install`].
pub fn install(settings: &Telemetry, spans: &Spans) -> Result<(), LogError> {
    logs::install_with(settings, vec![spans.layer().boxed()])
}

impl Spans {
    /// Begins to gather spans for `endpoint`, which `client` asks.
    ///
    /// # Errors
    /// When the library does not take the endpoint.
    pub fn begin(
        settings: &Telemetry,
        endpoint: &str,
        client: impl HttpClient + 'static,
    ) -> Result<Self, ExporterBuildError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(endpoint)
            .build()?;
        let sampler = Sampler::TraceIdRatioBased(f64::from(settings.otlp_percent) / 100.0);
        let resource = Resource::builder().with_service_name("sealpost").build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(sampler)))
            .with_resource(resource)
            .build();
        Ok(Self { provider })
    }

    /// What gathers them, of the gateway's own spans alone: asking the collector makes some as well.
    fn layer(&self) -> impl Layer<Registry> + use<> {
        let tracer = self.provider.tracer("sealpost");
        // Where in the code a span begins, and on which thread, says nothing about a request.
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        let layer = layer.with_location(false).with_threads(false);
        // A span whose name is known in the end alone must not have been begun before.
        let layer = Followed(layer.with_context_activation(false));
        layer.with_filter(filter_fn(|it| it.target().starts_with("sealpost")))
    }

    /// Hands over what was gathered; waits a few seconds for that at most. Not to be called on a thread
    /// that has tasks to do.
    pub fn close(self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!("spans were not handed over: {error}");
        }
    }
}

/// Has the span of a request follow that of its caller.
struct Followed<S>(OpenTelemetryLayer<S, SdkTracer>);

impl<S> Layer<S> for Followed<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let caller = trace::current().and_then(|trace| caller(&trace));
        let _during = caller.map(|it| Around::new().with_remote_span_context(it).attach());
        self.0.on_new_span(attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        self.0.on_record(id, values, context);
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, S>) {
        self.0.on_follows_from(id, follows, context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        self.0.on_event(event, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.0.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.0.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.0.on_close(id, context);
    }
}

/// The caller's span as the library names it.
fn caller(trace: &TraceParent) -> Option<SpanContext> {
    let flags = if trace.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::default() };
    Some(SpanContext::new(
        TraceId::from_hex(trace.trace_id()).ok()?,
        SpanId::from_hex(trace.span_id()).ok()?,
        flags,
        true,
        TraceState::default(),
    ))
}
