//! Letters, which destroy themselves.

use axum::body::Body;
use axum::http::{Method, Request};
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use sealpost::config::mail::SmtpTls;

use super::world::{Part, Reply, ask, form, gateway, gateway_with, multipart, with};
use crate::harness::TestApp;
use crate::harness::dropbox::from;
use crate::outside::mail::server;

const PATH: &str = "/Service/SelfDestruct";

fn letter(more: &[(&str, &str)]) -> Request<Body> {
    let mut members = vec![("message", "burn <this> & 'that'"), ("email", "anna@example.org")];
    members.extend_from_slice(more);
    with(form(Method::POST, PATH, &members), "host", "boxes.example")
}

/// Path and query of the link in an answer.
fn link(left: &Reply) -> String {
    assert_eq!(left.status, 200, "{}", left.text());
    let link = left.json().as_str().unwrap().to_owned();
    link.strip_prefix("http://boxes.example").unwrap_or_else(|| panic!("{link}")).to_owned()
}

/// What the button of a link's page sends.
fn button(link: &str) -> Request<Body> {
    let (_, query) = link.split_once('?').unwrap();
    let request = Request::post("/SelfDestruct/Read");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.body(Body::from(query.to_owned())).unwrap()
}

async fn shows(app: &TestApp, link: &str) -> Reply {
    ask(app, Request::get(link).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn without_mail_the_answer_is_the_link_and_its_page_destroys_nothing() {
    // CB47
    let app = gateway().await;
    let link = link(&ask(&app, letter(&[])).await);
    assert!(link.starts_with("/selfdestruct/read/?messageId="), "{link}");
    for _ in 0..3 {
        let page = shows(&app, &link).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
        assert_eq!(page.headers["cache-control"], "no-store");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("script"), "{policy}");
        assert!(page.text().contains("<form method=\"post\""), "{}", page.text());
        assert!(!page.text().contains("burn"));
    }
    let read = ask(&app, button(&link)).await;
    assert_eq!(read.status, 200);
    assert!(read.text().contains("burn &lt;this&gt; &amp; &#39;that&#39;"), "{}", read.text());
    assert!(!read.text().contains("tampered"), "{}", read.text());
    assert_eq!(read.headers["cache-control"], "no-store");
    assert_eq!(ask(&app, button(&link)).await.status, 404, "it is gone");
}

#[tokio::test]
async fn a_wrong_passphrase_destroys_nothing() {
    // CB49
    let app = gateway().await;
    let link = link(&ask(&app, letter(&[])).await);
    let (id, rest) = link.split_once("&passphrase=").unwrap();
    let (word, hash) = rest.split_once("&hash=").unwrap();
    assert_eq!(word.len(), 32);
    let other = format!("{id}&passphrase={}&hash={hash}", "a".repeat(32));
    let refused = ask(&app, button(&other)).await;
    assert_eq!(refused.status, 404);
    assert_eq!(refused.headers["content-type"], "text/html; charset=utf-8");
    assert!(refused.text().contains("Nothing was erased"), "{}", refused.text());
    let tampered = format!("{id}&passphrase={word}&hash={}", "0".repeat(64));
    let read = ask(&app, button(&tampered)).await.text();
    assert!(read.contains("burn &lt;this") && read.contains("tampered"), "{read}");
}

#[tokio::test]
async fn what_is_missing_or_broken_is_said() {
    let app = gateway().await;
    for members in
        [&[("message", "x")][..], &[("email", "a@b")], &[("message", "x"), ("email", " ")]]
    {
        let refused = ask(&app, with(form(Method::POST, PATH, members), "host", "x")).await;
        assert_eq!(refused.error(), (400, "message and email required".to_owned()));
    }
    for (name, value) in [("email", "no address"), ("attachment", "no base64!")] {
        let mut members = vec![("message", "x"), (name, value)];
        if name != "email" {
            members.push(("email", "a@b"));
        }
        let refused = ask(&app, with(form(Method::POST, PATH, &members), "host", "x")).await;
        let (status, text) = refused.error();
        assert!(status == 400 && text.starts_with(name), "{text}");
    }
    for incomplete in ["messageId=1&passphrase=x", "messageId=0123456789abcdef0123456789abcdef"] {
        let page = shows(&app, &format!("/SelfDestruct/Read?{incomplete}")).await;
        assert_eq!(page.status, 404);
    }
}

#[tokio::test]
async fn a_file_comes_with_a_letter() {
    let app = gateway().await;
    let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_be_bytes).collect();
    let attached = letter(&[("attachment", &BASE64.encode(&bytes)), ("attachmentName", "a b.bin")]);
    let uploaded = multipart(
        Method::POST,
        PATH,
        &[
            Part::File("a b.bin", &bytes),
            Part::Text("message", "burn"),
            Part::Text("email", "anna@example.org"),
        ],
    );
    for request in [attached, with(uploaded, "host", "boxes.example")] {
        let link = link(&ask(&app, request).await);
        let page = ask(&app, button(&link)).await.text();
        let (_, rest) = page.split_once("<a href=\"").unwrap_or_else(|| panic!("{page}"));
        let (target, rest) = rest.split_once('"').unwrap();
        // Relative to where the button led, whatever a proxy has put in front of it.
        assert!(target.starts_with("GetAttachment?fileId="), "{target}");
        assert!(rest.starts_with(">a b.bin</a>"), "{rest}");
        let file = shows(&app, &format!("/SelfDestruct/{target}")).await;
        assert_eq!(file.headers["content-disposition"], "attachment; filename=\"a b.bin\"");
        assert!(file.bytes == bytes, "other bytes came back");
    }
    let both = [
        Part::File("a.bin", b"a"),
        Part::File("b.bin", b"b"),
        Part::Text("message", "burn"),
        Part::Text("email", "anna@example.org"),
    ];
    let two = with(multipart(Method::POST, PATH, &both), "host", "boxes.example");
    assert_eq!(ask(&app, two).await.error().0, 413);
}

#[tokio::test]
async fn the_link_is_mailed_and_nobody_else_sees_it() {
    let (address, said) = server("250 fine").await;
    let app = TestApp::start_with(|config| {
        config.http.public_url = "https://boxes.example".to_owned();
        let settings = &mut config.dialects.keyservice;
        (settings.enabled, settings.v1) = (true, true);
        settings.smtp.server = address;
        settings.smtp.from = "gateway@example.org".to_owned();
        (settings.smtp.tls, settings.smtp.check_address) = (SmtpTls::None, false);
    })
    .await;
    // Whoever asks does not choose where a link in a mail leads to.
    let left = ask(&app, with(letter(&[]), "host", "evil.example")).await;
    assert_eq!((left.status, left.text().as_str()), (200, "true"));
    let said = said.await.unwrap().replace("=\r\n", "").replace("=3D", "=");
    assert!(said.contains("RCPT TO:<anna@example.org>"), "{said}");
    assert!(!said.contains("evil") && !said.contains("burn <this>"), "{said}");
    let (_, rest) = said.split_once("https://boxes.example").unwrap_or_else(|| panic!("{said}"));
    let link = rest.split_whitespace().next().unwrap();
    let read = ask(&app, button(link)).await.text();
    assert!(read.contains("burn &lt;this&gt;"), "{read}");
}

#[tokio::test]
async fn a_letter_does_not_wait_for_ever() {
    let app = gateway_with(|settings| settings.letter_life_days = 1).await;
    let link = link(&ask(&app, letter(&[])).await);
    app.clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
    assert_eq!(ask(&app, button(&link)).await.status, 404);
}

#[tokio::test]
async fn of_many_who_press_the_button_one_reads() {
    let app = gateway().await;
    let link = link(&ask(&app, letter(&[])).await);
    let replies = futures_util::future::join_all((0..5).map(|_| ask(&app, button(&link)))).await;
    let mut statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404, 404, 404, 404]);
}

#[tokio::test]
async fn a_letter_whose_file_is_lost_is_read_all_the_same() {
    let app = gateway().await;
    let link = link(&ask(&app, letter(&[("attachment", "QUJD")])).await);
    std::fs::remove_dir_all(app.data().join("dropbox-files")).unwrap();
    let page = ask(&app, button(&link)).await;
    assert_eq!(page.status, 200);
    let page = page.text();
    assert!(page.contains("burn &lt;this&gt;") && page.contains("file cannot be read"), "{page}");
}

#[tokio::test]
async fn a_page_names_no_path_and_a_link_may_be_in_capitals() {
    let app = gateway().await;
    let link = link(&ask(&app, letter(&[("attachment", "QUJD")])).await);
    let (before, rest) = link.split_once("messageId=").unwrap();
    let (id, rest) = rest.split_once('&').unwrap();
    let link = format!("{before}messageId={}&{rest}", id.to_uppercase());
    let page = shows(&app, &link).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<form method=\"post\">"), "{}", page.text());
    let mut there = button(&link);
    *there.uri_mut() = "/selfdestruct/read/".parse().unwrap();
    let page = ask(&app, there).await.text();
    assert!(page.contains("href=\"../GetAttachment?fileId="), "{page}");
}

#[tokio::test]
async fn who_is_wrong_too_often_reads_when_to_come_again() {
    let app = gateway().await;
    let link = link(&ask(&app, letter(&[])).await);
    let wrong = format!("{}&passphrase=wrong", link.split_once('&').unwrap().0);
    let mut last = None;
    for _ in 0..11 {
        last = Some(ask(&app, from("203.0.113.1", button(&wrong))).await);
    }
    let last = last.unwrap();
    assert_eq!(
        (last.status, &last.headers["content-type"]),
        (429, &"text/html; charset=utf-8".parse().unwrap())
    );
    assert!(last.headers.contains_key("retry-after"));
    assert_eq!(ask(&app, button(&link)).await.status, 200);
}

#[tokio::test]
async fn the_file_of_a_letter_is_about_as_large_as_its_text_may_be() {
    let app = gateway_with(|settings| settings.message_bytes = 16 * 1024).await;
    let sent = async |bytes: &[u8]| {
        let message = Part::Text("message", "burn");
        let parts = [Part::File("a", bytes), message, Part::Text("email", "a@b.example")];
        let request = multipart(Method::POST, PATH, &parts);
        ask(&app, with(request, "host", "boxes.example")).await.status
    };
    assert_eq!(sent(&[7; 8 * 1024]).await, 200);
    assert_eq!(sent(&[7; 256 * 1024]).await, 413);
}
