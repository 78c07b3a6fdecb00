//! How things look on a terminal: aligned tables, sizes and ages that need no arithmetic, and nothing that a pipe or a
//! log would choke on.

mod progress;
pub mod size;
mod table;
pub mod time;

pub use progress::Bar;
pub use table::{Column, Table};

/// Text from elsewhere, safe to show: no control characters, one line.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}
