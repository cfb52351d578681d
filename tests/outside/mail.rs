//! Codes by mail, against a server that speaks just enough SMTP.

use sealpost::config::dialects::textsecure::Codes;
use sealpost::config::dialects::textsecure::codes::{Sender, Smtp, SmtpTls};
use sealpost::domain::Fault;
use sealpost::domain::phone::Transport;
use sealpost::domain::ports::{CodeDelivery, CodeSender};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::codes::{carriers, message};

/// Takes one connection; returns where, and all that was said to it.
pub async fn server(answer_to_rcpt: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let said = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        converse(stream, answer_to_rcpt).await
    });
    (address, said)
}

async fn converse(stream: TcpStream, answer_to_rcpt: &str) -> String {
    let mut stream = BufReader::new(stream);
    let mut said = String::new();
    stream.write_all(b"220 mail.example\r\n").await.unwrap();
    let mut in_data = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap() == 0 {
            return said;
        }
        said += &line;
        let answer = match line.split([' ', '\r']).next().unwrap() {
            "." if in_data => "250 taken",
            _ if in_data => continue,
            "EHLO" => "250 mail.example",
            "RCPT" => answer_to_rcpt,
            "DATA" => "354 go on",
            "QUIT" => "221 goodbye",
            _ => "250 fine",
        };
        in_data = answer.starts_with("354");
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
        if answer.starts_with("221") {
            return said;
        }
    }
}

fn codes(server: &str) -> Codes {
    let smtp = Smtp {
        server: server.to_owned(),
        tls: SmtpTls::None,
        from: "gateway@example.org".to_owned(),
        to: "{digits}@sms.example".to_owned(),
        recipients: "+14150000001=anna@example.org".into(),
        ..Smtp::default()
    };
    Codes { sender: Sender::Smtp, smtp, ..Codes::default() }
}

#[tokio::test]
async fn a_mail_has_the_text_of_the_code_and_nothing_else() {
    for (number, to) in
        [("+14152222222", "14152222222@sms.example"), ("+14150000001", "anna@example.org")]
    {
        let (address, said) = server("250 fine").await;
        let delivery = carriers(&codes(&address)).deliver(&message(number, Transport::Sms)).await;
        assert_eq!(delivery.unwrap(), CodeDelivery::Sent);
        let said = said.await.unwrap();
        assert!(said.contains(&format!("RCPT TO:<{to}>\r\n")), "{said}");
        assert!(said.contains("MAIL FROM:<gateway@example.org>"), "{said}");
        assert!(said.contains("Date: Fri, 02 Jan 2026 03:04:05 +0000\r\n"), "{said}");
        assert!(
            said.contains("\r\n\r\nYour TextSecure verification code: 123-456\r\n.\r\n"),
            "{said}"
        );
        assert!(!said.contains("Subject"), "{said}");
    }
}

#[tokio::test]
async fn what_the_server_says_of_the_recipient_is_not_repeated() {
    let (address, _said) = server("550 no 14152222222 here").await;
    let fault = carriers(&codes(&address)).deliver(&message("+14152222222", Transport::Sms)).await;
    let fault = fault.unwrap_err();
    assert!(matches!(fault, Fault::Unavailable { .. }));
    let shown = format!("{fault:?}");
    assert!(shown.contains("550") && !shown.contains("2222"), "{shown}");
}

#[tokio::test]
async fn a_server_that_cannot_encrypt_is_refused() {
    let (address, said) = server("250 fine").await;
    let mut codes = codes(&address);
    codes.smtp.tls = SmtpTls::Starttls;
    let sent = carriers(&codes).deliver(&message("+14152222222", Transport::Sms)).await;
    assert!(sent.is_err());
    assert!(!said.await.unwrap().contains("MAIL"));
}
