//! What is served where: a router for clients, one for operators, one for each dialect that has an
//! address of its own, one for metrics.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, map_response};

use super::listeners::Purpose;
use super::metrics::Metrics;
use super::{App, openapi_yaml, settings};
use crate::admin::{self, AdminState};
use crate::dialect::mixin::{self, MixinState};
use crate::dialect::{hushnet, keyservice, textsecure};
use crate::domain::account::Dialect;
use crate::domain::attachment::upload_patience;
use crate::http::blobs;
use crate::http::layers::{self, Guard, Others, Patience, Place};
use crate::http::metrics::{self, Page};
use crate::http::{health, problem, start};

/// Above the time that a poll asked for: what finding and writing the last answer may take.
const POLL_MARGIN: Duration = Duration::from_secs(15);

impl App {
    /// What clients may ask.
    pub fn router(&self) -> Router {
        let prefix = self.config.dialects.mixin.path_prefix.as_str();
        let state = Arc::new(self.mixin_state());
        let sockets = mixin::socket_router(state.clone(), self.guard());
        let mixin = mixin::router(state, self.guard());
        let router = match prefix {
            // At the root it also answers for paths that nobody knows.
            "" => mixin,
            prefix => Router::new().nest(prefix, mixin).fallback(problem::unknown_path),
        };
        let own = health::router(self.gateway.clone(), self.switch.clone())
            .merge(start::router(self.server_public_key.clone()))
            .merge(self.openapi_router());
        // Whoever watches the gateway is told how it is, whatever the switch says.
        let router = router.merge(layers::guard(own, self.open_guard())).merge(self.blobs_router());
        let others = Others { below: self.beside_others(), sockets: Some(sockets) };
        self.entrance(router, others)
    }

    /// What phones may ask where nothing else is served: their protocol, and the bytes of
    /// attachments, whose addresses may lead there.
    pub fn phones_router(&self) -> Option<Router> {
        let phones = textsecure::router(self.phones.clone()?, self.guard());
        let router = phones.merge(self.blobs_router());
        Some(self.entrance(router, Others::default()))
    }

    fn openapi_router(&self) -> Router {
        let prefix = self.config.dialects.mixin.path_prefix.clone();
        crate::http::openapi::router(move || openapi_yaml(&prefix))
    }

    /// What HushNet's clients may ask where nothing else is served, if that dialect is spoken.
    pub fn hushnet_router(&self) -> Option<Router> {
        let router = hushnet::router(self.hushnet.clone()?, self.guard());
        Some(self.entrance(router, Others::default()))
    }

    /// What the clients of drop boxes may ask where nothing else is served, if there are any.
    pub fn keyservice_router(&self) -> Option<Router> {
        let router = keyservice::router(self.keyservice.clone()?, self.transfer_guard());
        Some(self.entrance(router, Others::default()))
    }

    /// Dialects at the address of all others, with what their paths are below.
    fn beside_others(&self) -> Vec<Place> {
        let mut below = Vec::new();
        let dialects = &self.config.dialects;
        if let Some(state) = self.phones.as_ref().filter(|_| dialects.textsecure.is_beside_others())
        {
            let phones = textsecure::router(state.clone(), self.guard());
            below.extend(textsecure::PLACES.map(|place| Place::below(place, phones.clone())));
        }
        if let Some(state) = self.hushnet.as_ref().filter(|_| dialects.hushnet.is_beside_others()) {
            let router = hushnet::router(state.clone(), self.guard());
            below.push(Place::below(dialects.hushnet.mounted_at(), router));
            let sockets = hushnet::root_socket_router(state.clone(), self.guard());
            below.push(Place::below(hushnet::ROOT_SOCKETS, sockets));
        }
        let keyservice = self.keyservice.as_ref();
        if let Some(state) = keyservice.filter(|_| dialects.keyservice.is_beside_others()) {
            let router = keyservice::router(state.clone(), self.transfer_guard());
            let places = keyservice::PLACES;
            below.extend(places.map(|place| Place::below_in_any_case(place, router.clone())));
        }
        below
    }

    fn blobs_router(&self) -> Router {
        let blobs = blobs::router(
            self.gate.clone(),
            self.files.clone(),
            self.urls.clone(),
            settings::blobs(&self.config),
        );
        let guard = Guard { patience: self.upload_patience(), ..self.guard() };
        let router = layers::guard(blobs, guard).layer(map_response(blobs::say_when));
        match self.config.dialects.textsecure.enabled {
            // Some of that protocol's clients are pages.
            true => router.layer(from_fn(textsecure::cors::surround)),
            false => router,
        }
    }

    /// What operators may ask; never to be served to anybody else.
    pub fn admin_router(&self) -> Router {
        let health = health::router(self.gateway.clone(), self.switch.clone());
        let router = admin::router(self.admin_state()).merge(health);
        let router = router.merge(metrics::router(self.metrics_page(), None));
        let router = layers::guard(router, Guard { is_trusting: true, ..self.open_guard() });
        // What operators ask is no client's traffic.
        layers::apply(router, Others::default(), self.gateway.entropy.clone(), Arc::default())
    }

    pub(super) fn admin_state(&self) -> AdminState {
        let sockets = self.sockets.clone();
        AdminState {
            gateway: self.gateway.clone(),
            server_public_key: self.server_public_key.clone(),
            started_at: self.started_at,
            address: self.address.get().copied(),
            sockets: Arc::new(move || sockets.taken() as u64),
            switchboard: self.switchboard().cloned(),
            switch: self.switch.clone(),
        }
    }

    /// What may be asked at the address of metrics.
    pub fn metrics_router(&self) -> Router {
        let router = metrics::router(self.metrics_page(), self.config.metrics.token());
        let router = router.fallback(problem::unknown_path);
        let router = layers::guard(router, self.open_guard());
        layers::apply(router, Others::default(), self.gateway.entropy.clone(), Arc::default())
    }

    fn metrics_page(&self) -> Page {
        self.metrics().page()
    }

    pub(super) fn metrics(&self) -> Metrics {
        Metrics {
            gateway: self.gateway.clone(),
            hub: self.hub.clone(),
            gate: self.gate.clone(),
            sockets: self.sockets.clone(),
            traffic: self.traffic.clone(),
            database: if self.config.database.is_server() { "postgresql" } else { "sqlite" },
            started_at: self.started_at,
            sample: self.sample.clone(),
        }
    }

    pub(super) fn own_routers(&self) -> Vec<(Purpose, Router)> {
        let dialects = [
            (Dialect::TextSecure, self.phones_router()),
            (Dialect::HushNet, self.hushnet_router()),
            (Dialect::KeyService, self.keyservice_router()),
        ];
        let dialects = dialects
            .into_iter()
            .filter_map(|(dialect, router)| Some((Purpose::Dialect(dialect), router?)));
        dialects.chain([(Purpose::Metrics, self.metrics_router())]).collect()
    }

    /// Puts around a router of clients what all share.
    fn entrance(&self, router: Router, others: Others) -> Router {
        layers::apply(router, others, self.gateway.entropy.clone(), self.traffic.clone())
    }

    fn mixin_state(&self) -> MixinState {
        MixinState {
            gateway: self.gateway.clone(),
            hub: self.hub.clone(),
            gate: self.gate.clone(),
            files: self.files.clone(),
            urls: self.urls.clone(),
            addresses: settings::addresses(&self.config),
            server_public_key: self.server_public_key.to_string(),
            settings: settings::mixin(&self.config),
            verified: mixin::auth::verified_tokens(),
            sockets: self.sockets.clone(),
            leftovers: self.leftovers.clone(),
            switch: self.switch.clone(),
        }
    }

    fn guard(&self) -> Guard {
        let (patience, leftovers) = (self.patience(), self.leftovers.clone());
        Guard { patience, leftovers, is_trusting: false, switch: self.switch.clone() }
    }

    /// For what is served whatever the switch says.
    pub(super) fn open_guard(&self) -> Guard {
        Guard { switch: Arc::default(), ..self.guard() }
    }

    /// For drop boxes: what waits there is files on their way.
    fn transfer_guard(&self) -> Guard {
        let longest = upload_patience(self.config.dialects.keyservice.file_bytes) + POLL_MARGIN;
        let patience = Patience { poll: longest, ..self.patience() };
        Guard { patience, ..self.guard() }
    }

    /// Uploads have a patience of their own, which fits their size; this is only the end of it.
    fn upload_patience(&self) -> Patience {
        let longest = upload_patience(self.files.limits().bytes) + POLL_MARGIN;
        Patience { request: longest, poll: longest }
    }

    fn patience(&self) -> Patience {
        Patience {
            request: self.config.http.request_timeout(),
            poll: self.config.dialects.mixin.longest_poll() + POLL_MARGIN,
        }
    }
}
