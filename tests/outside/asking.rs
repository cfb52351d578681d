//! The client that everything goes through.

use std::error::Error;
use std::time::Duration;

use sealpost::outside::client::{AskError, JSON, Post, Protocol};
use sealpost::outside::reach::ReachError;
use tokio::net::TcpListener;

use super::stand_in::{StandIn, client, client_within};

const PATIENCE: Duration = Duration::from_secs(20);

fn post(url: &str) -> Post {
    Post::new(url, JSON, b"{}".to_vec())
}

/// An error as a log would show it, with all its causes.
fn shown(error: &AskError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(found) = cause {
        text += &format!(" {found}");
        cause = found.source();
    }
    text
}

#[tokio::test]
async fn a_neighbour_is_asked_only_when_the_operator_allows_it() {
    let stand_in = StandIn::start().await;
    let port = stand_in.url.rsplit_once(':').unwrap().1;
    for protocol in [Protocol::Any, Protocol::Http2] {
        let stranger = client_within("10.0.0.0/8", protocol, PATIENCE);
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "[::1]"] {
            for scheme in ["http", "https"] {
                let refused = stranger.post(post(&format!("{scheme}://{host}:{port}/"))).await;
                let refused = refused.map(|answer| answer.status);
                assert!(
                    matches!(refused, Err(AskError::Reach(ReachError::Refused))),
                    "{scheme}://{host}: {refused:?}"
                );
            }
        }
    }
    assert!(stand_in.seen().is_empty());
    let friend = client(Protocol::Any);
    assert_eq!(friend.post(post(&stand_in.url)).await.unwrap().status, 200);
    assert_eq!(friend.post(post(&format!("http://localhost:{port}/"))).await.unwrap().status, 200);
}

#[tokio::test]
async fn nothing_but_http_is_spoken_and_no_password_stands_in_a_url() {
    let friend = client(Protocol::Any);
    for url in ["", "file:///etc/passwd", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/", "https://"] {
        let refused = friend.post(post(url)).await;
        assert!(matches!(refused, Err(AskError::Address(_))), "{url}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_nothing_more() {
    let stand_in = StandIn::start().await;
    stand_in.replies_with(302, &[("location", "/elsewhere")], "");
    let answer = client(Protocol::Any).post(post(&stand_in.url)).await.unwrap();
    assert_eq!((answer.status, stand_in.seen().len()), (302, 1));
}

#[tokio::test]
async fn an_answer_has_an_end() {
    let stand_in = StandIn::start().await;
    stand_in.replies(200, vec![b'x'; 64 * 1024]);
    stand_in.replies(200, vec![b'x'; 64 * 1024 + 1]);
    let client = client(Protocol::Any);
    assert_eq!(client.post(post(&stand_in.url)).await.unwrap().body.len(), 64 * 1024);
    assert!(matches!(client.post(post(&stand_in.url)).await, Err(AskError::TooLarge)));
}

#[tokio::test]
async fn a_call_has_an_end_and_its_error_does_not_name_the_url() {
    // The system takes the connection, and nobody ever reads from it.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/secret-path", listener.local_addr().unwrap());
    let hasty = client_within("127.0.0.1", Protocol::Any, Duration::from_millis(50));
    let error = hasty.post(post(&url)).await.unwrap_err();
    assert!(matches!(error, AskError::TimedOut(_)));
    drop(listener);
    let patient = client(Protocol::Any);
    let error = patient.post(post(&url)).await.unwrap_err();
    assert!(matches!(error, AskError::Failed(_)));
    assert!(!shown(&error).contains("secret-path"), "{}", shown(&error));
}
