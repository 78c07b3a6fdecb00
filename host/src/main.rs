//! The binary. Everything is in the library, so that tests can reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    match holdfast::plugin::compile::run_as_child(std::env::args_os()) {
        Some(code) => code,
        None => holdfast::cli::main(),
    }
}
