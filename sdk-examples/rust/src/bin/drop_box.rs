//! A box that everybody may put into and that a passphrase opens.
//!
//! `drop_box GATEWAY` makes a box and prints its link; `drop_box LINK` reads it; `drop_box LINK TEXT`
//! puts a text in. The passphrase is asked for, which this small program does not hide.

use std::env;

use sealpost_sdk::client::dropbox::{BoxContent, DropBoxClient, NewBox};
use sealpost_sdk::dropbox::ShareLink;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [address] => match ShareLink::parse(address) {
            Ok(link) => read(&link).await,
            Err(_) => make(address).await,
        },
        [link, text] => put(&ShareLink::parse(link)?, text).await,
        _ => Err("usage: drop_box GATEWAY | drop_box LINK [TEXT]".into()),
    }
}

async fn make(gateway: &str) -> Result<(), Box<dyn std::error::Error>> {
    let client = DropBoxClient::new(gateway)?;
    let created = client.create(&passphrase()?, NewBox::default()).await?;
    println!("{}", created.share.to_url());
    Ok(())
}

async fn put(link: &ShareLink, text: &str) -> Result<(), Box<dyn std::error::Error>> {
    let client = DropBoxClient::new(link.base())?;
    // Checks that the gateway's public key is the one that the link commits to.
    let record = client.record(link.token()).await?;
    let put = client.put_text(&record.shared, text).await?;
    println!("it is in, as {}", put.id);
    Ok(())
}

async fn read(link: &ShareLink) -> Result<(), Box<dyn std::error::Error>> {
    let owned = DropBoxClient::new(link.base())?.open(link.token(), &passphrase()?).await?;
    let mut after = None;
    loop {
        let page = owned.messages(after.as_ref(), None).await?;
        for message in &page.messages {
            match &message.content {
                BoxContent::Text(text) => println!("{}: {text}", message.created_at),
                BoxContent::File(file) => println!("{}: {:?}", message.created_at, file.name),
                BoxContent::Unreadable(error) => println!("{}: {error}", message.created_at),
            }
        }
        after = page.messages.last().map(|message| message.id.clone());
        if !page.more || after.is_none() {
            return Ok(());
        }
    }
}

fn passphrase() -> std::io::Result<String> {
    eprint!("passphrase: ");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
