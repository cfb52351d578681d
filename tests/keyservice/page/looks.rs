//! How the pages look and feel: on a phone, in the dark, with a keyboard only.

use super::{PASSPHRASE, Stage};

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn every_view_fits_a_phone() {
    let stage = Stage::open().await;
    let owner = stage.owner().await;
    for path in ["", "#open", "#letter", &format!("#{}", owner.token())] {
        let (_visitor, page) = stage.person_at(&format!("/keyservice{path}")).await;
        page.uses_screen(360, 740, "light").await;
        page.sees("innerWidth === 360").await;
        let width = page.evaluates("document.documentElement.scrollWidth").await;
        assert!(width.as_u64().unwrap() <= 360, "{path} is {width} wide");
    }
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn the_page_is_dark_where_the_visitor_likes_it_dark() {
    let stage = Stage::open().await;
    let (_visitor, page) = stage.person_at("/keyservice").await;
    let color = "getComputedStyle(document.body).backgroundColor";
    page.uses_screen(1280, 800, "light").await;
    let light = page.evaluates(color).await;
    page.uses_screen(1280, 800, "dark").await;
    let dark = page.evaluates(color).await;
    assert_ne!(light, dark);
    stage.insists_on_peace(&page);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_box_is_made_with_the_keyboard_alone() {
    let stage = Stage::open().await;
    let (_visitor, page) = stage.person_at("/keyservice").await;
    page.fills("#create-passphrase", PASSPHRASE).await;
    page.types("Tab").await;
    assert_eq!(page.evaluates("document.activeElement.id").await, "create-again");
    page.fills("#create-again", PASSPHRASE).await;
    page.types("Enter").await;
    page.reads("#created-link", "/keyservice#").await;
    // Where it goes on is where the focus is.
    assert_eq!(page.evaluates("document.activeElement.innerText").await, "Your box is ready");
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn every_field_and_button_has_a_name() {
    let stage = Stage::open().await;
    for path in ["/keyservice", "/selfdestruct/read"] {
        let (_visitor, page) = stage.person_at(path).await;
        let nameless = "[...document.querySelectorAll('input, select, textarea, button, progress')]\
                        .filter((field) => !(field.labels?.length || field.ariaLabel || \
                        field.textContent.trim())).map((field) => field.id)";
        assert_eq!(page.evaluates(nameless).await, serde_json::json!([]), "{path}");
    }
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn the_policy_stops_markup_scripts_and_other_hosts() {
    let stage = Stage::open().await;
    for path in ["/keyservice", "/selfdestruct/read"] {
        let (_visitor, page) = stage.person_at(path).await;
        stage.insists_on_peace(&page);
        let markup = "try { document.body.innerHTML = '<p>'; 'written' } catch { 'refused' }";
        assert_eq!(page.evaluates(markup).await, "refused", "{path}");
        // Nobody listens there; the policy speaks first.
        let other_host = "fetch('http://127.0.0.2:9/').then(() => 'asked', () => 'refused')";
        assert_eq!(page.evaluates(other_host).await, "refused", "{path}");
        let said: String = page.problems().iter().map(ToString::to_string).collect();
        assert!(said.contains("ContentSecurityPolicyIssue"), "{path}: {said}");
        assert!(said.contains("connect-src"), "{path}: {said}");
    }
}
