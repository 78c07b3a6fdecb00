//! The binary. Everything is in the library, so that tests can reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: a compiling child must bound itself before it has threads.
    if let Some(code) = holdfast::plugin::compile::run_as_child(std::env::args_os()) {
        return code;
    }
    holdfast::cli::main()
}
