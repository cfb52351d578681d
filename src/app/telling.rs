//! What a gateway tells while it serves: lines on standard error and, where that is built in and set,
//! spans to a collector.

use crate::config::Telemetry;
use crate::telemetry::logs::{self, LogError};

#[cfg(feature = "otel")]
use crate::outside::client::ClientError;
#[cfg(feature = "otel")]
use crate::outside::collector::Collector;
#[cfg(feature = "otel")]
use crate::telemetry::spans::{self, Spans};

/// What is told, until it is ended.
#[derive(Debug)]
#[must_use]
pub struct Telling {
    #[cfg(feature = "otel")]
    spans: Option<Spans>,
}

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum TellingError {
    /// Logging cannot begin.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The collector cannot be asked.
    #[cfg(feature = "otel")]
    #[error("cannot hand over spans")]
    Client(#[from] ClientError),
    /// The library does not take the collector's address.
    #[cfg(feature = "otel")]
    #[error("cannot hand over spans")]
    Spans(#[from] opentelemetry_otlp::ExporterBuildError),
}

impl Telling {
    /// Begins, on the runtime that is current.
    ///
    /// # Errors
    /// When logging began before, or the collector's address is none.
    #[cfg(feature = "otel")]
    pub fn begin(settings: &Telemetry) -> Result<Self, TellingError> {
        let Some(endpoint) = settings.collector() else {
            logs::install(settings)?;
            return Ok(Self { spans: None });
        };
        let begun = Spans::begin(settings, endpoint, Collector::open(settings)?)?;
        spans::install(settings, &begun)?;
        Ok(Self { spans: Some(begun) })
    }

    /// Begins.
    ///
    /// # Errors
    /// When logging began before.
    #[cfg(not(feature = "otel"))]
    pub fn begin(settings: &Telemetry) -> Result<Self, TellingError> {
        logs::install(settings)?;
        Ok(Self {})
    }

    /// Hands over what is left; takes a few seconds at most where the collector does not answer. To be
    /// called while the runtime is there, and on none of its threads.
    pub fn end(self) {
        #[cfg(feature = "otel")]
        if let Some(spans) = self.spans {
            spans.close();
        }
    }
}
