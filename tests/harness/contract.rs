//! Holds every answer that a test gets against the OpenAPI document.

use std::sync::LazyLock;

use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use serde_json::Value;

use super::app::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let json = sealpost::app::openapi_document("").to_json().unwrap();
    serde_json::from_str(&json).unwrap()
});

/// Fails the test unless the document lists the answer's status for this request and describes its
/// body. Requests that the document does not know must be turned away. `path` is one below the
/// dialect's prefix.
pub fn check(method: &Method, path: &str, answer: &Answer) {
    let place = format!("{method} {path} -> {}", answer.status);
    let Some(operation) = operation(method, path) else {
        assert!(matches!(answer.status, 202 | 404 | 405), "{place} is not documented: {answer:?}");
        return;
    };
    let response = &operation["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{place} is not documented: {answer:?}");
    let schema = &response["content"]["application/json"]["schema"];
    if schema.is_object()
        && !is_other_text(answer, response)
        && let Err(why) = fits(&DOCUMENT, schema, &answer.json)
    {
        panic!("{place} is not as documented: {why}");
    }
}

/// Whether an answer is in another media type that the document describes for it beside JSON.
fn is_other_text(answer: &Answer, response: &Value) -> bool {
    let media_type = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    media_type != "application/json" && response["content"].get(media_type).is_some()
}

fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let path = plain(path.split('?').next()?);
    let path = path.as_str();
    let paths = DOCUMENT["paths"].as_object()?;
    let found = paths.get(path).or_else(|| {
        paths.iter().find(|(template, _)| matches(template, path)).map(|(_, item)| item)
    });
    found?.get(method.as_str().to_ascii_lowercase())
}

/// A phone's path as the document has it: without the slash at its end, and not by its second name.
fn plain(path: &str) -> String {
    if !path.starts_with("/v1/") && !path.starts_with("/v2/") {
        return path.to_owned();
    }
    let path = path.replace("/acccounts/", "/accounts/");
    let path = path.replace("/provisioning_code", "/provisioning/code");
    let path = path.trim_end_matches('/');
    // A contact's token may have slashes of its own.
    match path.strip_prefix("/v1/directory/") {
        Some(token) if token.contains('/') => "/v1/directory/{token}".to_owned(),
        _ => path.to_owned(),
    }
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    template.clone().count() == path.clone().count()
        && template.zip(path).all(|(expected, part)| expected.starts_with('{') || expected == part)
}

/// Whether a value is what a schema describes: its type, its members, each of them. A member that
/// the schema does not know does not fit.
pub fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(target) = schema["$ref"].as_str() {
        let target = document.pointer(target.trim_start_matches('#')).ok_or("a broken $ref")?;
        return fits(document, target, value);
    }
    if let Some(choices) = choices(schema) {
        let fitting = choices.iter().any(|choice| fits(document, choice, value).is_ok());
        return fitting.then_some(()).ok_or_else(|| format!("{value} is none of {choices:?}"));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Err(format!("{value} is none of {allowed:?}"));
    }
    if !is_of_type(&schema["type"], value) {
        return Err(format!("{value} is no {}", schema["type"]));
    }
    for member in schema["required"].as_array().into_iter().flatten() {
        if value.get(member.as_str().unwrap_or_default()).is_none() {
            return Err(format!("{member} is missing"));
        }
    }
    // A schema that names no members leaves them open.
    let closed = schema.get("properties").and(value.as_object());
    for (name, member) in closed.into_iter().flatten() {
        let known = schema["properties"].get(name).ok_or_else(|| format!("`{name}` is unknown"))?;
        fits(document, known, member).map_err(|why| format!("{name}: {why}"))?;
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        fits(document, &schema["items"], item).map_err(|why| format!("[{index}]: {why}"))?;
    }
    Ok(())
}

/// The schemas of which one has to fit.
pub fn choices(schema: &Value) -> Option<&Vec<Value>> {
    schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array())
}

fn is_of_type(names: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    };
    match names {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}
