//! Examples of the members that many types of this dialect share: the same name means the same
//! everywhere, so its example stands here once. What has one of its own keeps it.

use serde_json::{Value, json};
use utoipa::openapi::schema::{ArrayItems, Schema};
use utoipa::openapi::{OpenApi as Document, RefOr};

const KEY: &str = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=";
const IDENTITY: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const SIGNATURE: &str = "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv1\
    8FlbviRlUUFDjnoQCw==";
const CIPHERTEXT: &str = "q83vEjRWeJA=";

/// Gives the members of all types an example, as far as it is known what they hold.
pub(super) fn add(document: &mut Document) {
    let types = document.components.iter_mut().flat_map(|all| all.schemas.values_mut());
    types.for_each(add_to);
}

fn add_to(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            object.properties.iter_mut().for_each(|(name, member)| give(name, member));
        }
        RefOr::T(Schema::OneOf(choice)) => choice.items.iter_mut().for_each(add_to),
        _ => {}
    }
}

fn give(name: &str, member: &mut RefOr<Schema>) {
    match member {
        RefOr::T(Schema::Object(text)) if text.example.is_none() && text.examples.is_empty() => {
            text.example = example(name);
        }
        RefOr::T(Schema::Array(list))
            if list.example.is_none() && is_list_of_texts(&list.items) =>
        {
            list.example = example(name);
        }
        _ => {}
    }
}

fn is_list_of_texts(items: &ArrayItems) -> bool {
    matches!(items, ArrayItems::RefOrSchema(items) if matches!(**items, RefOr::T(Schema::Object(_))))
}

fn example(name: &str) -> Option<Value> {
    let example = match name {
        "identity_pubkey" | "from_identity_pubkey" => json!(IDENTITY),
        "prekey_pubkey" | "signed_prekey_pub" | "ephemeral_pubkey" | "sender_prekey_pub"
        | "otpk_used" | "one_time_prekey" | "key" => json!(KEY),
        "signed_prekey_sig" | "signature" | "identity_proof" => json!(SIGNATURE),
        "one_time_prekeys" => json!([KEY]),
        "ciphertext" => json!(CIPHERTEXT),
        "header" => json!({ "dh_pubkey": KEY, "pn": 0, "n": 1 }),
        "logical_msg_id" => json!("m-1"),
        "device_label" => json!("iPhone 15 Pro"),
        // Answers never have one.
        "push_token" => json!("apns_or_fcm_token"),
        "enrollment_token" => json!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ4In0.c2ln"),
        "last_seen" | "read_at" => json!("2025-11-02T14:30:00Z"),
        "name" => json!("Project Team"),
        _ => return None,
    };
    Some(example)
}
