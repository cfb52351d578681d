//! Version 2: requests as raw as they come, each refusal once, and what becomes of messages.

mod after_reading;
mod counting;
mod creating;
mod deleting;
mod files;
mod letters;
mod reading;
mod story;
mod times;
mod writing;
