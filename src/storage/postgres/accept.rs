//! Storing messages: the messages of a whole group share their statements.
