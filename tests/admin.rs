//! The operator's API, over the real router on a real database.

mod accounts;
mod codes;
mod invites;
mod mode;
mod sessions;
mod set_aside;
mod tokens;
mod world;
