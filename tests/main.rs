//! Behaviour, seen from outside: one binary, one module for each part.

mod architecture;
mod durability;
mod interop;
mod program;
