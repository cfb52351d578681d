//! Makes the client of the document that `SEALPOST_OPENAPI` names, in the words of OpenAPI 3.0.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use serde_json::Value;

/// The operations that the client needs. The generator knows one kind of answer for each, and that is
/// what these have once [`plain`] is through with them.
const PATHS: [&str; 6] =
    ["/me", "/users/{id}", "/sessions/fetch", "/encrypted_messages", "/inbox", "/acknowledgements"];

/// What only others get: clients that sign each request are told of errors with status 202, and 304 is
/// for those that sent an `ETag`. This client has an API token and none of the latter.
const FOR_OTHERS: [&str; 2] = ["202", "304"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=SEALPOST_OPENAPI");
    let document = env::var("SEALPOST_OPENAPI")?;
    println!("cargo::rerun-if-changed={document}");
    let document = plain(serde_json::from_str(&fs::read_to_string(document)?)?);
    let mut generator = progenitor_impl::Generator::default();
    let client = generator.generate_tokens(&serde_json::from_value(document)?)?;
    let made = PathBuf::from(env::var("OUT_DIR")?).join("client.rs");
    Ok(fs::write(made, client.to_string())?)
}

/// The document with what a client with a plain API token can do and be told.
fn plain(mut document: Value) -> Value {
    let Some(paths) = document["paths"].as_object_mut() else { return document };
    paths.retain(|path, _| PATHS.contains(&path.as_str()));
    let operations = paths.values_mut().filter_map(Value::as_object_mut);
    for operation in operations.flat_map(|path| path.values_mut()) {
        if let Some(answers) = operation["responses"].as_object_mut() {
            answers.retain(|status, _| !FOR_OTHERS.contains(&status.as_str()));
        }
        // Headers that may be left out are left out; the generator cannot send those that may be null.
        if let Some(parameters) = operation["parameters"].as_array_mut() {
            parameters.retain(|parameter| parameter["in"] != "header");
        }
    }
    document
}
