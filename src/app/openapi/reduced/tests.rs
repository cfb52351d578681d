use serde_json::{Value, json};

use super::{Reduced, reduce};

/// What becomes of one schema, and what it loses.
fn reduced(schema: &Value) -> (Value, Vec<String>) {
    let document = json!({
        "openapi": "3.1.0",
        "paths": {},
        "components": { "schemas": { "It": schema, "Name": { "type": "string" } } },
    });
    let Reduced { document, lost } = reduce(document);
    (document["components"]["schemas"]["It"].clone(), lost)
}

#[test]
fn what_can_be_said_in_other_words_is() {
    let name = json!({ "$ref": "#/components/schemas/Name" });
    let nothing = json!({ "type": "object", "nullable": true, "enum": [null] });
    let table = [
        (json!({ "type": "string" }), json!({ "type": "string" })),
        (json!({ "type": ["string", "null"] }), json!({ "type": "string", "nullable": true })),
        (
            json!({ "type": ["string", "integer"] }),
            json!({ "allOf": [{ "anyOf": [{ "type": "string" }, { "type": "integer" }] }] }),
        ),
        (json!({ "type": "null" }), json!({ "type": "object", "nullable": true, "enum": [null] })),
        (json!({ "type": "array" }), json!({ "type": "array", "items": {} })),
        (
            json!({ "oneOf": [{ "type": "null" }, name] }),
            json!({ "allOf": [name], "type": "string", "nullable": true }),
        ),
        (
            json!({ "oneOf": [{ "type": "null" }, { "type": "object", "description": "Hers." }] }),
            json!({ "type": "object", "description": "Hers.", "nullable": true }),
        ),
        (
            json!({ "type": "string", "oneOf": [{ "type": "null" }, { "type": "string" }] }),
            json!({ "type": "string", "allOf": [{ "type": "string" }], "nullable": true }),
        ),
        (
            json!({ "anyOf": [{ "type": "null" }, name, { "type": "string" }] }),
            json!({ "anyOf": [nothing, name, { "type": "string" }] }),
        ),
        (
            json!({ "$ref": "#/components/schemas/Name", "description": "Hers." }),
            json!({ "allOf": [name], "description": "Hers." }),
        ),
        (json!({ "const": "GROUP" }), json!({ "enum": ["GROUP"] })),
        (json!({ "examples": ["a"] }), json!({ "example": "a" })),
        (
            json!({ "exclusiveMinimum": 0, "exclusiveMaximum": 9 }),
            json!({
                "minimum": 0, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": true,
            }),
        ),
        (json!({ "exclusiveMinimum": 0, "minimum": 3 }), json!({ "minimum": 3 })),
        (
            json!({ "exclusiveMinimum": 3, "minimum": 3 }),
            json!({ "minimum": 3, "exclusiveMinimum": true }),
        ),
        (
            json!({ "type": "string", "contentEncoding": "base64" }),
            json!({ "type": "string", "format": "byte" }),
        ),
        (
            json!({ "type": "string", "contentMediaType": "application/octet-stream" }),
            json!({ "type": "string", "format": "binary" }),
        ),
        (
            json!({ "additionalProperties": { "type": ["integer", "null"] } }),
            json!({ "additionalProperties": { "type": "integer", "nullable": true } }),
        ),
        (json!({ "items": true, "not": false }), json!({ "items": {}, "not": { "not": {} } })),
        (json!({ "x-order": 1 }), json!({ "x-order": 1 })),
    ];
    for (schema, expected) in table {
        assert_eq!(reduced(&schema), (expected, Vec::new()), "{schema}");
    }
}

#[test]
fn what_has_no_words_is_left_out_and_told() {
    let schema = json!({
        "type": "object",
        "patternProperties": { "^a": {} },
        "properties": { "a/b": { "examples": ["a", "b"] } },
    });
    let (schema, lost) = reduced(&schema);
    assert_eq!(schema, json!({ "type": "object", "properties": { "a/b": { "example": "a" } } }));
    let place = "#/components/schemas/It";
    assert_eq!(
        lost,
        [
            format!("`examples` at {place}/properties/a~1b"),
            format!("`patternProperties` at {place}"),
        ]
    );
}

#[test]
fn schemas_within_schemas_get_a_free_name_among_the_others() {
    let inner = json!({ "const": 1 });
    let target = "#/components/schemas/It/$defs/It";
    let schema = json!({ "$defs": { "It": inner }, "items": { "$ref": target } });
    let document = json!({ "components": { "schemas": { "It": schema } } });
    let Reduced { document, lost } = reduce(document);
    let expected = json!({
        "It": { "items": { "$ref": "#/components/schemas/It2" } },
        "It2": { "enum": [1] },
    });
    assert_eq!(document["components"]["schemas"], expected);
    assert_eq!(lost, Vec::<String>::new());
}

#[test]
fn outside_of_schemas_only_what_is_newer_goes() {
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": "It", "license": { "name": "MIT", "identifier": "MIT" } },
        "webhooks": {},
        "components": {
            "pathItems": {},
            "securitySchemes": { "key": { "type": "apiKey" }, "tls": { "type": "mutualTLS" } },
        },
    });
    let Reduced { document, lost } = reduce(document);
    let expected = json!({
        "openapi": "3.0.3",
        "info": { "title": "It", "license": { "name": "MIT" } },
        "paths": {},
        "components": { "securitySchemes": { "key": { "type": "apiKey" } } },
    });
    assert_eq!(document, expected);
    let of_components = ["`pathItems` at #/components", "`tls` at #/components/securitySchemes"];
    assert_eq!(
        lost,
        [&["`webhooks` at #", "`identifier` at #/info/license"][..], &of_components].concat()
    );
}

#[test]
fn schemas_are_found_wherever_an_operation_has_them() {
    let schema = json!({ "type": ["string", "null"] });
    let content = json!({ "application/json": { "schema": schema } });
    let document = json!({ "paths": { "/a": {
        "parameters": [{ "schema": schema }],
        "post": {
            "parameters": [{ "content": content }],
            "requestBody": { "content": content },
            "responses": { "200": { "content": content, "headers": { "H": { "schema": schema } } } },
            "callbacks": { "c": { "{$url}": { "get": { "parameters": [{ "schema": schema }] } } } },
        },
    } } });
    let text = reduce(document).document.to_string();
    assert_eq!(text.matches(r#"{"nullable":true,"type":"string"}"#).count(), 6, "{text}");
}

#[test]
fn our_own_document_loses_nothing_but_the_identifier_of_its_license() {
    let document = super::super::openapi_document("").to_json().expect("a document of constants");
    let document = serde_json::from_str(&document).expect("JSON");
    assert_eq!(reduce(document).lost, ["`identifier` at #/info/license"]);
}
