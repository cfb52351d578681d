//! The SDK's client against a real gateway over HTTP.

mod broadcast;
mod devices;
mod echo;
mod ended_session;
mod files;
mod groups;
mod live;
mod lost_answer;
mod readable;
mod signing_up;
