//! One schema: JSON Schema of 2020 in the words of OpenAPI 3.0.

use serde_json::{Map, Value, json};

use super::Reduction;

type Members = Map<String, Value>;

/// All that a schema may have in version 3.0, beside extensions.
const KNOWN: [&str; 36] = [
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "default",
    "deprecated",
    "description",
    "discriminator",
    "enum",
    "example",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "externalDocs",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "nullable",
    "oneOf",
    "pattern",
    "properties",
    "readOnly",
    "required",
    "title",
    "type",
    "uniqueItems",
    "writeOnly",
    "xml",
];

impl Reduction {
    /// Rewrites a schema and all schemas that it is made of.
    pub(super) fn schema(&mut self, schema: &mut Value) {
        if let Value::Bool(anything) = schema {
            *schema = if *anything { json!({}) } else { json!({ "not": {} }) };
        }
        if let Some(members) = schema.as_object_mut() {
            self.take_definitions(members);
            self.take_null_from_choices(members);
        }
        for parts in ["allOf", "anyOf", "oneOf", "properties"] {
            self.each(schema, parts, Self::schema);
        }
        for part in ["items", "not"] {
            self.below(schema, part, Self::schema);
        }
        if schema.get("additionalProperties").is_some_and(Value::is_object) {
            self.below(schema, "additionalProperties", Self::schema);
        }
        let Some(members) = schema.as_object_mut() else { return };
        write_types(members);
        write_bound(members, "minimum", "exclusiveMinimum", |inclusive, own| inclusive > own);
        write_bound(members, "maximum", "exclusiveMaximum", |inclusive, own| inclusive < own);
        write_content(members);
        if let Some(value) = members.remove("const") {
            members.insert("enum".to_owned(), json!([value]));
        }
        self.write_examples(members);
        write_reference(members);
        let is_unknown =
            |name: &&String| !KNOWN.contains(&name.as_str()) && !name.starts_with("x-");
        let unknown: Vec<String> = members.keys().filter(is_unknown).cloned().collect();
        self.lose(schema, &unknown.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Keeps the schemas that are defined within this one for later: 3.0 has one place for all.
    fn take_definitions(&mut self, members: &mut Members) {
        let Some(Value::Object(definitions)) = members.remove("$defs") else { return };
        let length = self.enter("$defs");
        for (name, mut definition) in definitions {
            self.at(&name, &mut definition, Self::schema);
            let before = self.enter(&name);
            self.definitions.insert(format!("#{}", self.place), definition);
            self.place.truncate(before);
        }
        self.place.truncate(length);
    }

    /// A choice between null and one other is that other, which may be null. 3.0 believes that of
    /// what has a type of its own.
    fn take_null_from_choices(&self, members: &mut Members) {
        for choice in ["oneOf", "anyOf"] {
            let Some(Value::Array(choices)) = members.get_mut(choice) else { continue };
            let is_null = |schema: &Value| schema["type"] == "null";
            if choices.len() != 2 || choices.iter().filter(|schema| is_null(schema)).count() != 1 {
                continue;
            }
            choices.retain(|schema| !is_null(schema));
            let Some(Value::Object(other)) = choices.pop() else { continue };
            members.remove(choice);
            members.insert("nullable".to_owned(), true.into());
            let target = other.get("$ref").and_then(Value::as_str);
            if let Some(kind) = target.and_then(|target| self.types.get(target)) {
                members.insert("type".to_owned(), kind.clone());
            }
            merge(members, other);
        }
    }

    /// 3.0 has room for one example.
    fn write_examples(&mut self, members: &mut Members) {
        let Some(Value::Array(mut examples)) = members.remove("examples") else { return };
        if !members.contains_key("example") && !examples.is_empty() {
            members.insert("example".to_owned(), examples.remove(0));
        }
        if !examples.is_empty() {
            self.tell("examples");
        }
    }
}

/// Adds all that another schema says, member by member where none is there yet.
fn merge(members: &mut Members, other: Members) {
    if other.keys().any(|name| members.contains_key(name) && name != "description") {
        return require(members, Value::Object(other));
    }
    for (name, member) in other {
        members.entry(name).or_insert(member);
    }
}

/// Adds a schema that has to fit as well.
fn require(members: &mut Members, schema: Value) {
    match members.entry("allOf").or_insert_with(|| json!([])) {
        Value::Array(all) => all.push(schema),
        other => *other = json!([schema]),
    }
}

/// 3.0 has one type for each schema, and null is none of them.
fn write_types(members: &mut Members) {
    let mut types = match members.remove("type") {
        Some(Value::Array(types)) => types,
        Some(one) => vec![one],
        None => return,
    };
    let count = types.len();
    types.retain(|name| name != "null");
    let is_nullable = types.len() < count;
    if let [name] = &types[..] {
        if name == "array" {
            members.entry("items").or_insert_with(|| json!({}));
        }
        members.insert("type".to_owned(), name.clone());
        if is_nullable {
            members.insert("nullable".to_owned(), true.into());
        }
        return;
    }
    if types.is_empty() {
        let null = json!({ "type": "object", "nullable": true, "enum": [null] });
        return members.extend(null.as_object().cloned().unwrap_or_default());
    }
    let choices = types.into_iter().map(|name| {
        let mut choice = Members::from_iter([("type".to_owned(), name)]);
        if is_nullable {
            choice.insert("nullable".to_owned(), true.into());
        }
        if choice["type"] == "array" {
            choice.insert("items".to_owned(), json!({}));
        }
        Value::Object(choice)
    });
    let choices: Vec<_> = choices.collect();
    require(members, json!({ "anyOf": choices }));
}

/// An exclusive bound is a number of its own in 3.1, and a word about the other one in 3.0. Where
/// there are both, one of them says nothing; `is_stricter` compares the inclusive one with it.
fn write_bound(
    members: &mut Members,
    inclusive: &str,
    exclusive: &str,
    is_stricter: fn(f64, f64) -> bool,
) {
    let Some(own) = members.get(exclusive).and_then(Value::as_f64) else { return };
    let Some(number) = members.remove(exclusive) else { return };
    let other = members.get(inclusive).and_then(Value::as_f64);
    if other.is_none_or(|other| !is_stricter(other, own)) {
        members.insert(inclusive.to_owned(), number);
        members.insert(exclusive.to_owned(), true.into());
    }
}

/// Bytes are a format of texts in 3.0.
fn write_content(members: &mut Members) {
    if members.contains_key("format") {
        return;
    }
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let (keyword, format) = match (text("contentEncoding"), text("contentMediaType")) {
        (Some("base64"), _) => ("contentEncoding", "byte"),
        (None, Some("application/octet-stream")) => ("contentMediaType", "binary"),
        _ => return,
    };
    members.remove(keyword);
    members.insert("format".to_owned(), format.into());
}

/// 3.0 passes over what stands beside a reference, but not over what stands around it.
fn write_reference(members: &mut Members) {
    if members.len() > 1
        && let Some(target) = members.remove("$ref")
    {
        require(members, json!({ "$ref": target }));
    }
}
