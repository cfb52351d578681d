//! The console: who may come in, what it reads, what it shows of the settings.

use std::sync::Arc;

use super::metrics::Metrics;
use super::{App, Config};
use crate::console::figures::Figures;
use crate::console::login::{Door, Keys};
use crate::console::{self, ConsoleState};
use crate::http::layers::{Place, guard};

impl App {
    /// Makes the console and has it take readings, if somebody can log in there.
    pub(super) fn open_console(&mut self) {
        if !self.config.console.is_on() {
            return;
        }
        let state = Arc::new(ConsoleState {
            door: self.door(),
            figures: Figures::new(Metrics::reader(Arc::new(self.metrics()))),
            settings: self.config.shown(),
        });
        let figures = state.clone();
        self.tasks.spawn(async move { figures.figures.run().await });
        self.console = Some(state);
    }

    fn door(&self) -> Door {
        let settings = &self.config.console;
        let keys = Keys {
            password: settings.password.reveal(),
            token: settings.token.reveal(),
            is_secure: is_secure(&self.config),
        };
        let (clock, entropy) = (self.gateway.clock.clone(), self.gateway.entropy.clone());
        Door::new(&keys, self.gate.clone(), clock, entropy)
    }

    /// Where the console is, if there is one. The operator's switch does not close it.
    pub(super) fn console_place(&self) -> Option<Place> {
        let router = console::router(self.console.clone()?, self.admin_state());
        Some(Place::below(console::PLACE, guard(router, self.open_guard())))
    }

    /// The console's part that is not the operator's API, if there is a console.
    #[must_use]
    pub fn console(&self) -> Option<&Arc<ConsoleState>> {
        self.console.as_ref()
    }
}

/// Whether browsers reach the gateway over TLS alone.
pub(super) fn is_secure(config: &Config) -> bool {
    config.http.public_url.starts_with("https://") || config.http.tls().is_some()
}
