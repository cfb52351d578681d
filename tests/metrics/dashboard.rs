//! The manual and the dashboard name what is there, and nothing else.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::text::Page;
use crate::harness::TestApp;

fn document(path: &str) -> String {
    fs::read_to_string(format!("{}/docs/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A metric as it is asked for: a counter's samples end in `_total`, those of build information in
/// `_info`.
fn shown(page: &Page) -> BTreeSet<(String, String)> {
    let families = page.families.iter().map(|(name, kind)| match kind.as_str() {
        "counter" => (format!("{name}_total"), kind.clone()),
        "info" => (format!("{name}_info"), kind.clone()),
        _ => (name.clone(), kind.clone()),
    });
    families.collect()
}

#[tokio::test]
async fn the_manual_lists_every_metric_with_its_type() {
    let page = Page::of(&TestApp::start().await).await;
    let manual = document("operation.md");
    let section = manual.split("\n## Metrics\n").nth(1).expect("a section about metrics");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let name = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
        Some((name.to_owned(), (*cells.get(2)?).to_owned()))
    });
    let listed: BTreeSet<_> = rows.collect();
    assert_eq!(listed, shown(&page));
}

#[tokio::test]
async fn the_dashboard_asks_for_metrics_that_there_are() {
    let app = TestApp::start().await;
    let page = Page::of(&app).await;
    let names: BTreeSet<_> = page.names().collect();
    let dashboard: Value = serde_json::from_str(&document("grafana-dashboard.json")).unwrap();
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let targets = panel["targets"].as_array().map_or(&[][..], Vec::as_slice);
        assert!(!targets.is_empty() || panel["type"] == "row", "{}", panel["title"]);
        for target in targets {
            let expression = target["expr"].as_str().unwrap();
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let words = expression.split(|c| !is_part(c));
            asked.extend(
                words.filter(|word| word.starts_with("sealpost_") || word.starts_with("process_")),
            );
        }
    }
    assert!(asked.len() > 15, "only {asked:?}");
    for name in asked {
        assert!(names.contains(name), "the dashboard asks for {name}, which there is not");
    }
}
