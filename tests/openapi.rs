//! The contract that clients are generated from.

use std::fs;

use serde_json::{Value, json};

use crate::harness::contract::{choices, fits};

fn document() -> Value {
    let json = sealpost::app::openapi_document("").to_json().unwrap();
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
    let fresh = sealpost::app::openapi_yaml("");
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
        let good = ["101", "200", "201", "202", "204"]
            .iter()
            .any(|status| responses.contains_key(*status));
        assert!(good, "{name}: no answer of success");
        for (status, response) in responses {
            let text = response["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{name}: {status} has no description");
        }
    }
}

#[test]
fn every_operation_that_needs_a_credential_lists_what_any_request_may_be_answered() {
    let document = document();
    for (name, operation) in operations(&document) {
        if operation["security"].as_array().is_some_and(|list| !list.is_empty()) {
            let answers = &operation["responses"];
            let speaks_plainly =
                ["TextSecure", "HushNet"].contains(&operation["tags"][0].as_str().unwrap());
            for status in ["202", "401", "413", "500", "503"] {
                // Only Mixin's dialect hides the status of errors.
                if speaks_plainly && status == "202" {
                    continue;
                }
                assert!(answers.get(status).is_some(), "{name}: {status}");
            }
            assert!(answers["503"]["headers"]["Retry-After"].is_object(), "{name}");
        }
    }
}

#[test]
fn every_example_is_what_its_schema_describes() {
    let document = document();
    let mut stack = vec![&document["components"]["schemas"], &document["paths"]];
    let mut examples = 0;
    while let Some(value) = stack.pop() {
        match value {
            Value::Object(members) => {
                if let Some(example) = members.get("example") {
                    examples += 1;
                    let schema = members.get("schema").unwrap_or(value);
                    assert_eq!(fits(&document, schema, example), Ok(()), "{value}");
                }
                stack.extend(members.values());
            }
            Value::Array(items) => stack.extend(items),
            _ => {}
        }
    }
    assert!(examples > 20, "{examples}");
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

#[test]
fn everything_that_is_sent_or_answered_as_json_has_examples() {
    let document = document();
    let mut bodies = 0;
    for (name, operation) in operations(&document) {
        let answers = operation["responses"].as_object().unwrap().values();
        for described in answers.chain(operation.get("requestBody")) {
            let schema = &described["content"]["application/json"]["schema"];
            // Failures of drop boxes in version 1 are one text, and a letter's id may be any.
            if schema.get("type").is_none_or(|kind| kind != "string") && schema.is_object() {
                bodies += 1;
                assert_eq!(without_example(&document, schema, &name), Vec::<String>::new());
            }
        }
    }
    assert!(bodies > 200, "only {bodies}");
}

#[test]
fn operations_of_protocols_beside_the_first_name_theirs() {
    let document = document();
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        let tag = operation["tags"][0].as_str().unwrap();
        if ["HushNet", "keyservice"].contains(&tag) {
            assert!(id.contains(&tag.to_lowercase()), "{name}: {id}");
        }
    }
}

#[test]
fn a_type_within_an_answer_is_referred_to_by_its_name() {
    let members = &document()["components"]["schemas"]["Data_Vec_InboxMessage"]["properties"];
    assert_eq!(members["data"]["items"], json!({ "$ref": "#/components/schemas/InboxMessage" }));
}

#[test]
fn every_tag_belongs_to_one_group() {
    let document = document();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let tags = document["tags"].as_array().unwrap().iter().map(|tag| text(&tag["name"]));
    let groups = document["x-tagGroups"].as_array().unwrap();
    let grouped = groups.iter().flat_map(|group| group["tags"].as_array().unwrap());
    let (mut tags, mut grouped): (Vec<_>, Vec<_>) = (tags.collect(), grouped.map(text).collect());
    tags.sort();
    grouped.sort();
    assert_eq!(tags, grouped);
}

/// The members below a schema of which nobody can see what they look like.
fn without_example(document: &Value, schema: &Value, place: &str) -> Vec<String> {
    if let Some(target) = schema["$ref"].as_str() {
        let target = document.pointer(target.trim_start_matches('#')).unwrap();
        return without_example(document, target, place);
    }
    let shows = |name: &str| schema.get(name).is_some();
    if ["example", "examples", "enum", "format"].into_iter().any(shows) {
        return Vec::new();
    }
    let below = |part: &Value| without_example(document, part, place);
    if let Some(choices) = choices(schema) {
        return choices.iter().filter(|it| it["type"] != "null").flat_map(below).collect();
    }
    if let Some(members) = schema["properties"].as_object() {
        let each = members.iter().map(|(name, member)| (format!("{place}.{name}"), member));
        return each.flat_map(|(place, it)| without_example(document, it, &place)).collect();
    }
    // What may be null says so after its type.
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        Some("array") => below(&schema["items"]),
        Some("boolean") => Vec::new(),
        // Anything at all.
        None if schema.as_object().is_some_and(serde_json::Map::is_empty) => Vec::new(),
        _ => vec![place.to_owned()],
    }
}
