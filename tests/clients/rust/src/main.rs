//! Speaks with a gateway through what progenitor makes of the document, and nothing else.
//!
//! tests/clients.rs starts it and says what the lines on standard input and output mean.

use std::error::Error;
use std::io::{self, Write};

use serde_json::{Value, json};
use uuid::Uuid;

use sealpost_client_by_progenitor::types::{
    Acknowledgement, OutgoingMessage, Receipt, SessionInfo,
};
use sealpost_client_by_progenitor::{Client, Error as ClientError};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn tell(line: &Value) -> Outcome<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn ask(question: Value) -> Outcome<Value> {
    tell(&question)?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

fn say(text: impl Into<String>) -> Outcome<()> {
    tell(&json!({ "say": text.into() }))
}

fn text<'a>(value: &'a Value, member: &str) -> Outcome<&'a str> {
    Ok(value[member].as_str().ok_or("a text is missing")?)
}

/// A message for one of the people, sealed for these sessions.
fn message(person: &Value, known: &[SessionInfo], id: Uuid) -> Outcome<OutgoingMessage> {
    let sealed = ask(json!({ "seal": known }))?;
    Ok(serde_json::from_value(json!({
        "conversation_id": person["conversation"],
        "recipient_id": person["user"],
        "message_id": id,
        "category": "ENCRYPTED_TEXT",
        "data_base64": sealed["data_base64"],
        "checksum": sealed["checksum"],
    }))?)
}

fn outcomes(receipts: &[Receipt]) -> Outcome<String> {
    let mut words = Vec::new();
    for receipt in receipts {
        let receipt = serde_json::to_value(receipt)?;
        let sessions = receipt["sessions"].as_array().map_or(0, Vec::len);
        words.push(format!(
            "{} {} {sessions}",
            text(&receipt, "state")?,
            text(&receipt, "outcome")?
        ));
    }
    Ok(words.join(", "))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let job = ask(json!({ "begin": "rust" }))?;
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", text(&job, "token")?).parse()?);
    let http = reqwest::Client::builder().default_headers(headers).build()?;
    let client = Client::new_with_client(text(&job, "url")?, http);
    say(client.read_me().await?.into_inner().data.full_name.unwrap_or_default())?;

    let people = job["people"].as_array().ok_or("nobody to write to")?;
    let users: Vec<Uuid> =
        serde_json::from_value(people.iter().map(|it| it["user"].clone()).collect())?;
    let sessions = client.fetch_sessions(&users).await?.into_inner().data;
    say(format!("{} sessions", sessions.len()))?;

    // From here on the list of the first is an old one.
    ask(json!({ "sign_in": users[0] }))?;

    let ids = [Uuid::new_v4(), Uuid::new_v4()];
    let mut batch = Vec::new();
    for ((person, user), id) in people.iter().zip(&users).zip(ids) {
        let known: Vec<_> = sessions
            .iter()
            .filter(|session| json!(session)["user_id"] == json!(user))
            .cloned()
            .collect();
        batch.push(message(person, &known, id)?);
    }
    let receipts = client.send_encrypted_messages(None, &batch).await?.into_inner().data;
    say(outcomes(&receipts)?)?;

    let again = vec![message(&people[0], &receipts[0].sessions, ids[0])?];
    let receipts = client.send_encrypted_messages(None, &again).await?.into_inner().data;
    say(outcomes(&receipts)?)?;

    let inbox = client.read_inbox(None, None, Some(30)).await?.into_inner().data;
    let [received] = &inbox[..] else { return Err("one message was to be there".into()) };
    let received = serde_json::to_value(received)?;
    say(text(&ask(json!({ "open": received["data_base64"] }))?, "text")?)?;
    let taken: Acknowledgement =
        serde_json::from_value(json!({ "message_id": received["message_id"], "status": "READ" }))?;
    client.acknowledge_messages(&vec![taken]).await?;
    let left = client.read_inbox(None, None, None).await?.into_inner().data;
    say(format!("{} left", left.len()))?;

    let nobody = Uuid::new_v4().to_string();
    match client.read_user(&nobody).await {
        Err(ClientError::ErrorResponse(answer)) => {
            let status = answer.status().as_u16();
            say(format!("{status}: {}", json!(answer.into_inner())["error"]["status"]))
        }
        other => Err(format!("not expected: {other:?}").into()),
    }
}
