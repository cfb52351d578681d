//! The page, read as a scraper reads it.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::harness::TestApp;

/// A page that was read.
#[derive(Debug)]
pub struct Page {
    /// Each family's name and type, in their order.
    pub families: Vec<(String, String)>,
    /// Each sample, name and labels together as they are written, and its value.
    samples: Vec<(String, f64)>,
}

impl Page {
    /// What the admin socket shows at this moment.
    pub async fn of(app: &TestApp) -> Self {
        let (status, text) = read(app.admin_router(), None).await;
        assert_eq!(status, 200, "{text}");
        Self::parse(&text)
    }

    /// Reads a page and insists that it is one.
    pub fn parse(text: &str) -> Self {
        let mut page = Self { families: Vec::new(), samples: Vec::new() };
        let body = text.strip_suffix("# EOF\n").expect("an end");
        for line in body.lines() {
            if let Some(family) = line.strip_prefix("# TYPE ") {
                let (name, kind) = family.split_once(' ').unwrap();
                assert!(page.families.iter().all(|(other, _)| other != name), "{name} comes twice");
                page.families.push((name.to_owned(), kind.to_owned()));
            } else if let Some(help) = line.strip_prefix("# HELP ") {
                assert!(help.split_once(' ').is_some_and(|(_, words)| !words.is_empty()), "{line}");
            } else if !line.starts_with("# UNIT ") {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                let (family, _) = page.families.last().unwrap();
                assert!(sample.starts_with(family.as_str()), "{line} is not below its family");
                assert!(
                    page.samples.iter().all(|(other, _)| other != sample),
                    "{line} comes twice"
                );
                page.samples.push((sample.to_owned(), value.parse().unwrap()));
            }
        }
        page
    }

    /// The value of a sample that has to be there.
    pub fn value(&self, sample: &str) -> f64 {
        self.find(sample).unwrap_or_else(|| panic!("{sample} is not in {:#?}", self.samples))
    }

    /// The value of a sample, if it is there.
    pub fn find(&self, sample: &str) -> Option<f64> {
        let found = self.samples.iter().find(|(name, _)| name == sample);
        found.map(|(_, value)| *value)
    }

    /// The names of all samples, without their labels.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.samples.iter().map(|(sample, _)| sample.split('{').next().unwrap_or(sample))
    }

    /// Everything that stands in quotes: the values of labels.
    pub fn label_values(&self) -> impl Iterator<Item = &str> {
        self.samples.iter().flat_map(|(sample, _)| sample.split('"').skip(1).step_by(2))
    }
}

/// Status and text of `/metrics` on a router, asked with this `Authorization`.
pub async fn read(router: Router, authorization: Option<&str>) -> (u16, String) {
    let mut request = Request::get("/metrics");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}
