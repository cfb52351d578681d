//! The document for tools that know nothing newer than OpenAPI 3.0.
//!
//! Version 3.1 writes schemas in JSON Schema of 2020, and 3.0 in a dialect of its own from before.
//! This file goes through the document and finds what 3.0 does not know outside of schemas;
//! [`schema`] does the same within them. What can be said in other words is; what cannot is left out
//! and told.

mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A document of version 3.0, and what it lacks.
#[derive(Debug)]
pub struct Reduced {
    /// The document.
    pub document: Value,
    /// What was left out, a line each: the keyword and the place (a JSON pointer).
    pub lost: Vec<String>,
}

/// Writes a document of version 3.1 in the words of 3.0.
pub(super) fn reduce(mut document: Value) -> Reduced {
    let mut reduction = Reduction { types: types(&document), ..Reduction::default() };
    reduction.document(&mut document);
    reduction.put_back_definitions(&mut document);
    Reduced { document, lost: reduction.lost }
}

/// The types of those schemas that have one, by what refers to them.
fn types(document: &Value) -> BTreeMap<String, Value> {
    let schemas = document["components"]["schemas"].as_object();
    let typed = schemas.into_iter().flatten().filter(|(_, schema)| schema["type"].is_string());
    typed
        .map(|(name, schema)| (format!("#/components/schemas/{name}"), schema["type"].clone()))
        .collect()
}

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// What is known on the way through a document.
#[derive(Default)]
struct Reduction {
    /// Where we are, a JSON pointer.
    place: String,
    lost: Vec<String>,
    /// The types of the document's schemas, by what refers to them.
    types: BTreeMap<String, Value>,
    /// Schemas that were defined within others (`$defs`), by the pointer that led to them.
    definitions: BTreeMap<String, Value>,
}

/// What is done with one part of a document.
type Step = fn(&mut Reduction, &mut Value);

impl Reduction {
    fn document(&mut self, document: &mut Value) {
        document["openapi"] = "3.0.3".into();
        self.lose(document, &["webhooks", "jsonSchemaDialect", "$schema", "$self"]);
        self.below(document, "info", |it, info| {
            it.lose(info, &["summary"]);
            it.below(info, "license", |it, license| it.lose(license, &["identifier"]));
        });
        if document.get("paths").is_none() {
            document["paths"] = Value::Object(Map::new());
        }
        self.each(document, "paths", Self::path);
        self.below(document, "components", Self::components);
    }

    fn components(&mut self, components: &mut Value) {
        self.lose(components, &["pathItems"]);
        let steps: [(&str, Step); 6] = [
            ("schemas", Self::schema),
            ("responses", Self::response),
            ("parameters", Self::parameter),
            ("requestBodies", Self::body),
            ("headers", Self::parameter),
            ("callbacks", Self::callback),
        ];
        for (name, step) in steps {
            self.each(components, name, step);
        }
        self.below(components, "securitySchemes", |it, schemes| {
            let is_unknown = |scheme: &Value| scheme["type"] == "mutualTLS";
            let unknown = schemes.as_object().into_iter().flatten();
            let unknown = unknown.filter(|(_, scheme)| is_unknown(scheme));
            let names: Vec<_> = unknown.map(|(name, _)| name.clone()).collect();
            it.lose(schemes, &names.iter().map(String::as_str).collect::<Vec<_>>());
        });
    }

    fn path(&mut self, path: &mut Value) {
        self.each(path, "parameters", Self::parameter);
        for method in METHODS {
            self.below(path, method, Self::operation);
        }
    }

    fn operation(&mut self, operation: &mut Value) {
        self.each(operation, "parameters", Self::parameter);
        self.below(operation, "requestBody", Self::body);
        self.each(operation, "responses", Self::response);
        self.each(operation, "callbacks", Self::callback);
    }

    fn callback(&mut self, callback: &mut Value) {
        self.members(callback, Self::path);
    }

    /// A parameter, or a header, which is one without a name.
    fn parameter(&mut self, parameter: &mut Value) {
        self.reference(parameter);
        self.below(parameter, "schema", Self::schema);
        self.each(parameter, "content", Self::content);
    }

    fn body(&mut self, body: &mut Value) {
        self.reference(body);
        self.each(body, "content", Self::content);
    }

    fn response(&mut self, response: &mut Value) {
        self.body(response);
        self.each(response, "headers", Self::parameter);
    }

    fn content(&mut self, content: &mut Value) {
        self.below(content, "schema", Self::schema);
        self.each(content, "encoding", |it, encoding| {
            it.each(encoding, "headers", Self::parameter);
        });
    }

    /// A reference to anything but a schema: 3.0 passes over what stands beside it.
    fn reference(&mut self, value: &mut Value) {
        if value.get("$ref").is_some() {
            self.lose(value, &["summary", "description"]);
        }
    }

    /// Takes members out, and tells those that were there.
    fn lose(&mut self, from: &mut Value, names: &[&str]) {
        let Some(members) = from.as_object_mut() else { return };
        for name in names.iter().filter(|name| members.remove(**name).is_some()) {
            self.tell(name);
        }
    }

    fn tell(&mut self, what: &str) {
        self.lost.push(format!("`{what}` at #{}", self.place));
    }

    /// Goes to a member, if it is there.
    fn below(&mut self, value: &mut Value, name: &str, step: Step) {
        if let Some(member) = value.get_mut(name) {
            self.at(name, member, step);
        }
    }

    /// Goes to each item, or member, of a member.
    fn each(&mut self, value: &mut Value, name: &str, step: Step) {
        let Some(member) = value.get_mut(name) else { return };
        let length = self.enter(name);
        self.members(member, step);
        self.place.truncate(length);
    }

    fn members(&mut self, value: &mut Value, step: Step) {
        match value {
            Value::Object(members) => {
                members.iter_mut().for_each(|(name, member)| self.at(name, member, step));
            }
            Value::Array(items) => {
                let items = items.iter_mut().enumerate();
                items.for_each(|(index, item)| self.at(&index.to_string(), item, step));
            }
            _ => {}
        }
    }

    fn at(&mut self, name: &str, value: &mut Value, step: Step) {
        let length = self.enter(name);
        step(self, value);
        self.place.truncate(length);
    }

    /// Goes one step further, and says how long the way was until here.
    fn enter(&mut self, name: &str) -> usize {
        let length = self.place.len();
        self.place.push('/');
        self.place.push_str(&name.replace('~', "~0").replace('/', "~1"));
        length
    }

    /// Gives the schemas of `$defs` a place among the others, under names that are free.
    fn put_back_definitions(&mut self, document: &mut Value) {
        let mut names = BTreeMap::new();
        for (pointer, schema) in std::mem::take(&mut self.definitions) {
            let last = pointer.rsplit('/').next().unwrap_or_default().to_owned();
            let schemas = &mut document["components"]["schemas"];
            let mut name = last.clone();
            let mut number = 2;
            while schemas.get(&name).is_some() {
                name = format!("{last}{number}");
                number += 1;
            }
            schemas[name.as_str()] = schema;
            names.insert(pointer, format!("#/components/schemas/{name}"));
        }
        if !names.is_empty() {
            refer(document, &names);
        }
    }
}

/// Lets references lead to where their targets are now.
fn refer(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref")
                && let Some(name) = names.get(target)
            {
                target.clone_from(name);
            }
            members.values_mut().for_each(|member| refer(member, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| refer(item, names)),
        _ => {}
    }
}
