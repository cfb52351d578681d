//! The SDK's client against a real gateway over HTTP.

mod broadcast;
mod echo;
mod ended_session;
mod lost_answer;
mod signing_up;
