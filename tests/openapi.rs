//! The contract that clients are generated from.

use std::fs;

use serde_json::{Value, json};

fn document() -> Value {
    let json = sealpost::app::openapi_document().to_json().unwrap();
    serde_json::from_str(&json).unwrap()
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods
            .filter(|(_, operation)| operation.get("responses").is_some())
            .map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    operations.collect()
}

#[test]
fn the_file_is_what_the_code_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml");
    let file = fs::read_to_string(path).unwrap();
    let fresh = sealpost::app::openapi_yaml();
    assert!(
        file == fresh,
        "openapi.yaml is stale; make it again with: cargo run -- openapi > openapi.yaml"
    );
}

#[test]
fn it_is_version_3_1() {
    assert!(document()["openapi"].as_str().unwrap().starts_with("3.1"));
}

#[test]
fn every_operation_has_an_id_a_summary_a_tag_and_its_answers() {
    let document = document();
    let operations = operations(&document);
    assert!(operations.len() >= 12, "{}", operations.len());
    for (name, operation) in operations {
        for member in ["operationId", "summary"] {
            assert!(
                operation[member].as_str().is_some_and(|text| !text.is_empty()),
                "{name}: {member}"
            );
        }
        assert!(!operation["tags"].as_array().unwrap().is_empty(), "{name}: tags");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key("200"), "{name}: no 200");
        for (status, response) in responses {
            let text = response["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{name}: {status} has no description");
        }
    }
}

#[test]
fn every_operation_that_needs_a_credential_lists_401() {
    let document = document();
    for (name, operation) in operations(&document) {
        if operation["security"].as_array().is_some_and(|list| list[0] != json!({})) {
            assert!(operation["responses"].get("401").is_some(), "{name}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut stack = vec![&document];
    let mut references = 0;
    while let Some(value) = stack.pop() {
        match value {
            Value::Object(members) => {
                if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                    references += 1;
                    let pointer = target.trim_start_matches('#');
                    assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
                }
                stack.extend(members.values());
            }
            Value::Array(items) => stack.extend(items),
            _ => {}
        }
    }
    assert!(references > 20, "{references}");
}
