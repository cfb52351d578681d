//! The `sealpost` command.

use std::process::ExitCode;

/// Ten thousand sockets come and go in pieces of all sizes; this one gives their room back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sealpost::cli::run()
}
