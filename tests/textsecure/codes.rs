//! Asking for a code.

use std::time::Duration;

use axum::http::Method;
use sealpost::domain::phone::verification::WaitingCode;
use serde_json::Value;

use crate::harness::phone::request;
use crate::harness::{Answer, Phone, TestApp};

const NUMBER: &str = "+14152222222";

async fn ask(app: &TestApp, path: &str) -> Answer {
    app.stranger(Method::GET, &format!("/v1/accounts/{path}"), &Value::Null).await
}

/// The codes that the operator is to hand over.
async fn waiting(app: &TestApp) -> Vec<WaitingCode> {
    app.switchboard().waiting_codes(100).await.unwrap()
}

fn seconds_to_wait(answer: &Answer) -> (u16, &str) {
    let retry_after = answer.headers.get("retry-after").map(|value| value.to_str().unwrap());
    (answer.status, retry_after.unwrap_or(""))
}

#[tokio::test]
async fn the_operator_gets_the_code_and_nobody_else() {
    let app = TestApp::start_for_phones().await;
    let answer = ask(&app, &format!("sms/code/{NUMBER}")).await;
    assert_eq!((answer.status, answer.json.as_str()), (200, Some("")));
    let codes = waiting(&app).await;
    let [code] = &codes[..] else { panic!("{} codes", codes.len()) };
    assert_eq!((code.number.as_str(), code.transport.as_str()), (NUMBER, "sms"));
    assert!((100_000..=999_999).contains(&code.code.parse::<u32>().unwrap()));
    let phone = Phone::new(NUMBER);
    let path = format!("/v1/accounts/code/{}", code.code.as_str());
    assert_eq!(phone.put(&app, &path, phone.attributes()).await.status, 200);
    assert!(waiting(&app).await.is_empty(), "it is used up");
}

#[tokio::test]
async fn a_path_may_be_written_in_several_ways() {
    let app = TestApp::start_for_phones().await;
    for path in ["sms/code/+14152222201/", "voice/code/%2B14152222202"] {
        assert_eq!(ask(&app, path).await.status, 200, "{path}");
    }
    let transports: Vec<_> =
        waiting(&app).await.iter().map(|code| code.transport.as_str()).collect();
    assert_eq!(transports, ["sms", "voice"]);
}

#[tokio::test]
async fn credentials_are_not_looked_at() {
    let app = TestApp::start_for_phones().await;
    let path = format!("/v1/accounts/sms/code/{NUMBER}");
    let asked = request(Method::GET, &path, Some("Basic nonsense"), &Value::Null);
    assert_eq!(app.call(asked).await.status, 200);
}

#[tokio::test]
async fn what_is_no_number_comes_before_what_is_no_transport() {
    let app = TestApp::start_for_phones().await;
    for number in ["14152222222", "+141522", "+1415222222x", "+1%20415222222"] {
        assert_eq!(ask(&app, &format!("fax/code/{number}")).await.status, 400, "{number}");
    }
    assert_eq!(ask(&app, &format!("fax/code/{NUMBER}")).await.status, 415);
    assert_eq!(ask(&app, &format!("SMS/code/{NUMBER}")).await.status, 415);
    assert!(waiting(&app).await.is_empty());
}

#[tokio::test]
async fn a_look_at_the_path_makes_no_code() {
    let app = TestApp::start_for_phones().await;
    let path = format!("/v1/accounts/sms/code/{NUMBER}");
    assert_eq!(app.stranger(Method::HEAD, &path, &Value::Null).await.status, 405);
    assert_eq!(app.stranger(Method::PUT, &path, &Value::Null).await.status, 405);
    assert!(waiting(&app).await.is_empty());
}

#[tokio::test]
async fn codes_by_text_message_come_back_every_half_minute() {
    let app = TestApp::start_for_phones().await;
    let path = format!("sms/code/{NUMBER}");
    for _ in 0..2 {
        assert_eq!(ask(&app, &path).await.status, 200);
    }
    assert_eq!(seconds_to_wait(&ask(&app, &path).await), (413, "30"));
    app.clock.advance(Duration::from_millis(29_999));
    assert_eq!(seconds_to_wait(&ask(&app, &path).await), (413, "1"));
    app.clock.advance(Duration::from_millis(1));
    assert_eq!(ask(&app, &path).await.status, 200);
    assert_eq!(seconds_to_wait(&ask(&app, &path).await), (413, "30"));
    assert_eq!(ask(&app, "sms/code/+14152222223").await.status, 200, "each number has its own");
}

#[tokio::test]
async fn a_number_has_so_many_codes_in_a_day() {
    let app = TestApp::start_for_phones_with(|it| it.codes_per_day = 3).await;
    for _ in 0..3 {
        app.clock.advance(Duration::from_secs(60));
        assert_eq!(ask(&app, &format!("sms/code/{NUMBER}")).await.status, 200);
    }
    app.clock.advance(Duration::from_secs(60));
    let refused = ask(&app, &format!("voice/code/{NUMBER}")).await;
    assert_eq!(seconds_to_wait(&refused), (413, "86220"));
    assert_eq!(ask(&app, "sms/code/+14152222223").await.status, 200, "each number has its own");
    app.clock.advance(Duration::from_secs(86_220));
    assert_eq!(ask(&app, &format!("sms/code/{NUMBER}")).await.status, 200);
}

#[tokio::test]
async fn a_guesser_does_not_begin_anew_with_each_code() {
    let app = TestApp::start_for_phones().await;
    let phone = Phone::new(NUMBER);
    let mut tries = 0;
    for _ in 0..8 {
        app.clock.advance(Duration::from_secs(120));
        assert_eq!(ask(&app, &format!("sms/code/{NUMBER}")).await.status, 200);
        for _ in 0..4 {
            app.clock.advance(Duration::from_secs(30));
            let guess = phone.put(&app, "/v1/accounts/code/000000", phone.attributes()).await;
            if guess.status == 413 {
                assert!(guess.headers.contains_key("retry-after"), "{guess:?}");
                continue;
            }
            assert_eq!(guess.status, 403);
            tries += 1;
        }
    }
    assert_eq!(tries, 20);
    let code = waiting(&app).await[0].code.clone();
    let path = format!("/v1/accounts/code/{}", code.as_str());
    let right = phone.put(&app, &path, phone.attributes()).await;
    assert_eq!(right.status, 413, "nor does the right one help");
}

#[tokio::test]
async fn spoken_codes_have_limits_of_their_own() {
    let app = TestApp::start_for_phones().await;
    for _ in 0..2 {
        assert_eq!(ask(&app, &format!("sms/code/{NUMBER}")).await.status, 200);
        assert_eq!(ask(&app, &format!("voice/code/{NUMBER}")).await.status, 200);
    }
    let refused = ask(&app, &format!("voice/code/{NUMBER}")).await;
    assert_eq!(seconds_to_wait(&refused), (413, "120"));
    assert_eq!(waiting(&app).await.len(), 1, "a number has one code");
}

#[tokio::test]
async fn everybody_reads_codes_where_the_operator_wants_it_so() {
    let app = TestApp::start_for_phones().await;
    let answer = ask(&app, &format!("dev/code/{NUMBER}")).await;
    let code = answer.json.as_str().unwrap();
    assert_eq!((answer.status, code.len(), code.find('-')), (200, 7, Some(3)), "{code}");
    assert!(waiting(&app).await.is_empty());

    let app = TestApp::start_for_phones_with(|it| it.codes.dev_transport = false).await;
    assert_eq!(ask(&app, &format!("dev/code/{NUMBER}")).await.status, 415);
}

#[tokio::test]
async fn a_number_for_tests_has_the_same_code_each_time() {
    let fixed = "+14150000001=123456,+14150000002=654321";
    let app = TestApp::start_for_phones_with(|it| it.codes.fixed = fixed.into()).await;
    assert_eq!(ask(&app, "sms/code/+14150000002").await.status, 200);
    assert!(waiting(&app).await.is_empty(), "nobody has to hand it over");
    let phone = Phone::new("+14150000002");
    for (code, status) in [("123456", 403), ("654321", 200)] {
        let path = format!("/v1/accounts/code/{code}");
        assert_eq!(phone.put(&app, &path, phone.attributes()).await.status, status, "{code}");
    }
}

#[tokio::test]
async fn a_code_that_is_over_waits_for_nobody() {
    let app = TestApp::start_for_phones().await;
    assert_eq!(ask(&app, &format!("sms/code/{NUMBER}")).await.status, 200);
    app.clock.advance(Duration::from_secs(15 * 60));
    assert!(waiting(&app).await.is_empty());
}

#[tokio::test]
async fn codes_are_not_in_the_database_in_the_clear() {
    let app = TestApp::start_for_phones().await;
    assert_eq!(ask(&app, &format!("sms/code/{NUMBER}")).await.status, 200);
    let codes = waiting(&app).await;
    let code = codes[0].code.as_str();
    for entry in std::fs::read_dir(app.data()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let is_there = bytes.windows(6).any(|window| window == code.as_bytes());
        assert!(!is_there, "the code is in {}", path.display());
    }
}
