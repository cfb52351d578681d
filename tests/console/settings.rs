//! What the console shows of the settings. That each secret is hidden is shown beside the settings
//! themselves; here is that nothing else is sent.

use super::world::{PASSWORD, TOKEN, logs_in, reads, start_with};

const MARK: &str = "k3pt-s3cr3t-k3pt-s3cr3t";

#[tokio::test]
async fn the_settings_in_force_are_shown_without_secrets() {
    let app = start_with(|config| {
        config.http.request_seconds = 17;
        config.metrics.token = MARK.into();
        config.dialects.keyservice.smtp.password = MARK.into();
        config.dialects.textsecure.codes.fixed = MARK.into();
        config.dialects.textsecure.codes.webhook.url = MARK.into();
        config.dialects.textsecure.codes.webhook.secret = MARK.into();
        config.dialects.textsecure.codes.twilio.token = MARK.into();
    })
    .await;
    let cookie = logs_in(&app).await;
    let answer = reads(&app, &cookie, "/settings").await;
    let text = answer.json.to_string();
    for secret in [MARK, PASSWORD, TOKEN] {
        assert!(!text.contains(secret), "{text}");
    }
    let settings = answer.list_of("settings");
    let of = |key: &str| {
        let setting = settings.iter().find(|setting| setting["key"] == key).unwrap();
        (setting["value"].as_str().unwrap(), setting["is_changed"].as_bool().unwrap())
    };
    assert_eq!(of("http.request_seconds"), ("17", true));
    assert_eq!(of("http.stop_seconds"), ("10", false));
    assert_eq!(of("console.password"), ("(not shown)", true));
    assert_eq!(of("dialects.textsecure.codes.webhook.url"), ("(not shown)", true));
    // There is one where these tests run on a server.
    let (url, is_set) = of("database.url");
    assert_eq!(url, if is_set { "(not shown)" } else { "" });
}
