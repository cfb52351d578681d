//! `sealpost serve`.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::CommandError;
use super::output::Output;
use crate::app::App;
use crate::app::telling::Telling;
use crate::config::Config;
use crate::demo::echo;
use crate::domain::account::Dialect;

/// Serve clients until stopped
///
/// Works without any configuration: it listens on 127.0.0.1:8080 and keeps its data in
/// ./sealpost-data, which it makes. Once it is ready it prints one line to standard output,
/// `sealpost listening on http://ADDRESS:PORT`, and one more for each dialect that has an address
/// of its own, for metrics and for the page to try it with (with --json: `{"name":…,"url":…}`); its log
/// goes to standard error. Ctrl-C and SIGTERM
/// stop it gently: requests under way are answered first.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Address and port to listen on; port 0 takes any free one [env: SEALPOST_LISTEN] [default:
    /// 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<String>,
}

pub(super) fn run(config: &Config, out: Output) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(CommandError::Runtime)?;
    let telling = {
        let _current = runtime.enter();
        Telling::begin(&config.telemetry)?
    };
    raise_file_limit();
    let served = runtime.block_on(serve(config, out));
    telling.end();
    served
}

/// Every connection is an open file, and the usual limit of 1024 is made for programs that cannot
/// count further. The system's hard limit stays what it is.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

async fn serve(config: &Config, out: Output) -> Result<(), CommandError> {
    let mut app = App::open_here(config).await?;
    let served = listen(&mut app, config, out).await;
    app.close().await;
    if served.is_ok() {
        tracing::info!("stopped");
    }
    served
}

async fn listen(app: &mut App, config: &Config, out: Output) -> Result<(), CommandError> {
    let address = config.http.listen;
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|source| CommandError::Bind { address, source })?;
    let bound = app.bind(listener)?;
    // Before the line that says "ready": whoever reads it may send a signal at once.
    let mut signals = Signals::watch().map_err(CommandError::Signals)?;
    let data = config.storage.data.display();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), address = %bound.address(), %data, "ready");
    listening(out, "sealpost", &format!("{}://{}", bound.scheme(), bound.address()))?;
    if config.dialects.textsecure.enabled && config.dialects.textsecure.codes.dev_transport {
        tracing::warn!("`dialects.textsecure.codes.dev_transport`: anybody registers any number");
    }
    let with_own_address = [
        ("TextSecure", Dialect::TextSecure),
        ("HushNet", Dialect::HushNet),
        ("key service", Dialect::KeyService),
    ];
    for (name, dialect) in with_own_address {
        if let Some(own) = bound.own_address(dialect) {
            tracing::info!(address = %own, dialect = name, "ready");
            listening(out, name, &format!("{}://{own}", bound.scheme()))?;
        }
    }
    if let Some(own) = bound.metrics_address() {
        tracing::info!(address = %own, "metrics are shown");
        listening(out, "metrics", &format!("http://{own}/metrics"))?;
    }
    let echo = bound.echo_address();
    if echo.is_some() {
        if !address.ip().is_loopback() {
            tracing::warn!("`console.try_it`: whoever reaches this gateway gets an account");
        }
        let place = format!("{}://{}/try", bound.scheme(), bound.address());
        listening(out, "try it", &place)?;
    }
    let stop = async move {
        let name = signals.next().await;
        tracing::info!(signal = name, "stopping");
    };
    echo::beside(app.run(bound, stop), app, echo).await;
    Ok(())
}

fn listening(out: Output, name: &str, url: &str) -> Result<(), CommandError> {
    let text = format!("{name} listening on {url}");
    out.print(&text, &json!({ "name": name, "url": url }))
}

/// The signals that stop a gateway.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn watch() -> Result<Self, std::io::Error> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
