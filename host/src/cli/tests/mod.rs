//! The command line as people type it.

mod typing;
