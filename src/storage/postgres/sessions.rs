//! Sessions and the tokens that act for them.
