//! What holds for all of the document, whichever part described it.

use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{AnyOf, ArrayItems, KnownFormat, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{Components, Content, ObjectBuilder, OneOf, OpenApi, Ref, RefOr, Schema};

use crate::http::problem;

/// Which tags belong to which protocol, for tools that show them below each other.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Mixin", &["messages", "inbox", "sessions", "conversations", "attachments", "users"]),
    ("HushNet", &["HushNet"]),
    ("TextSecure", &["TextSecure"]),
    ("keyservice", &["keyservice"]),
    ("The gateway itself", &["blobs", "gateway"]),
];

/// Says once what every part would have to repeat.
pub(super) fn finish(document: &mut OpenApi) {
    operations(document).for_each(finish_operation);
    let components = document.components.get_or_insert_default();
    name_again(components);
    components.schemas.values_mut().for_each(open_choices);
    let groups = GROUPS.map(|(name, tags)| json!({ "name": name, "tags": tags }));
    let groups = Value::Array(groups.to_vec());
    document.extensions = Some(Extensions::from_iter([("x-tagGroups", groups)]));
}

fn operations(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(|item| {
        let changes = [&mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        changes.into_iter().chain([&mut item.get, &mut item.head]).flatten()
    })
}

fn finish_operation(operation: &mut Operation) {
    // Whoever reads the document by machine takes silence for an oversight.
    operation.security.get_or_insert_default();
    if let Some(RefOr::T(request)) = &mut operation.request_body {
        request.content.iter_mut().for_each(finish_content);
    }
    for answer in operation.responses.responses.values_mut() {
        if let RefOr::T(answer) = answer {
            answer.content.iter_mut().for_each(finish_content);
        }
    }
}

fn finish_content((media_type, content): (&String, &mut RefOr<Content>)) {
    let RefOr::T(content) = content else { return };
    match media_type.as_str() {
        "application/problem+json" if content.schema.is_none() => {
            content.schema = Some(Ref::from_schema_name(problem::Document::name()).into());
        }
        "application/octet-stream" => {
            let bytes = ObjectBuilder::new()
                .schema_type(SchemaType::Type(Type::String))
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)));
            content.schema = Some(bytes.into());
        }
        _ => {}
    }
}

/// Refers to a type by its name where it was written out again, as generics write their parameters:
/// otherwise each client would get the same type several times, under names that nobody chose.
fn name_again(components: &mut Components) {
    let has_members = |schema: &RefOr<Schema>| match schema {
        RefOr::T(Schema::Object(object)) => !object.properties.is_empty(),
        _ => false,
    };
    let schemas = components.schemas.iter().filter(|(_, schema)| has_members(schema));
    let named: Vec<_> = schemas.map(|(name, schema)| (name.clone(), schema.clone())).collect();
    let mut refer = |part: &mut RefOr<Schema>| {
        if let Some((name, _)) = named.iter().find(|(_, schema)| schema == part) {
            *part = Ref::from_schema_name(name).into();
        }
    };
    for schema in components.schemas.values_mut() {
        parts(schema).into_iter().for_each(|part| visit(part, &mut refer));
    }
}

/// A choice that is made by looking at members (`oneOf`, as serde's untagged enums are described)
/// may fit more than one of its schemas, such as an empty list does: `anyOf` is what is meant.
fn open_choices(schema: &mut RefOr<Schema>) {
    visit(schema, &mut |part: &mut RefOr<Schema>| {
        if let RefOr::T(Schema::OneOf(choice)) = part
            && choice.discriminator.is_none()
            && !choice.items.iter().any(is_null)
        {
            *part = RefOr::T(Schema::AnyOf(any_of(std::mem::take(choice))));
        }
    });
}

fn any_of(choice: OneOf) -> AnyOf {
    AnyOf {
        items: choice.items,
        schema_type: choice.schema_type,
        description: choice.description,
        default: choice.default,
        example: choice.example,
        examples: choice.examples,
        ..AnyOf::default()
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    let RefOr::T(Schema::Object(object)) = schema else { return false };
    object.schema_type == SchemaType::Type(Type::Null)
}

/// Calls `change` for a schema and for all that it is made of, the innermost first.
fn visit(schema: &mut RefOr<Schema>, change: &mut impl FnMut(&mut RefOr<Schema>)) {
    for part in parts(schema) {
        visit(part, change);
    }
    change(schema);
}

/// The schemas that a schema is made of.
fn parts(schema: &mut RefOr<Schema>) -> Vec<&mut RefOr<Schema>> {
    let RefOr::T(schema) = schema else { return Vec::new() };
    match schema {
        Schema::Object(object) => object.properties.values_mut().collect(),
        Schema::OneOf(choice) => choice.items.iter_mut().collect(),
        Schema::AnyOf(choice) => choice.items.iter_mut().collect(),
        Schema::AllOf(sum) => sum.items.iter_mut().collect(),
        Schema::Array(list) => match &mut list.items {
            ArrayItems::RefOrSchema(items) => vec![items],
            ArrayItems::False => Vec::new(),
        },
        _ => Vec::new(),
    }
}
