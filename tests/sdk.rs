//! The SDK's client against a real gateway over HTTP.

mod broadcast;
mod echo;
mod lost_answer;
