//! Version 1, as the original's documentation and clients have it. The numbers in comments are
//! those of the cases in which documentation and server differ.

mod creating;
mod deleting;
mod describing;
mod files;
mod keeping;
mod letters;
mod logs;
mod reading;
mod secrets;
mod sending;
mod shapes;
mod vectors;
pub mod world;
mod xml;
