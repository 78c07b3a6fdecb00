//! A progress bar on a terminal, and nothing at all elsewhere.

use crate::model::run::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{io::IsTerminal, time::Duration};

/// Progress of one piece of work.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar on standard error, if that is a terminal and `wanted`.
    pub fn new(title: &str, wanted: bool) -> Self {
        let target = match wanted && std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar =
            ProgressBar::with_draw_target(None, target).with_style(waiting()).with_prefix(title.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// Shows how far it is. Units are bytes when `bytes`.
    pub fn show(&self, progress: &Progress, bytes: bool) {
        if progress.total > 0 {
            if self.0.length() != Some(progress.total) {
                self.0.set_length(progress.total);
                self.0.set_style(measured(bytes));
            }
            self.0.set_position(progress.done.min(progress.total));
        }
        self.0.set_message(super::one_line(&progress.note));
    }

    /// Prints a line above the bar, or to standard error where there is none.
    pub fn line(&self, text: &str) {
        if self.0.is_hidden() {
            eprintln!("{text}");
        } else {
            self.0.println(text);
        }
    }

    /// Takes the bar away.
    pub fn end(self) {
        self.0.finish_and_clear();
    }
}

fn waiting() -> ProgressStyle {
    style("{spinner} {prefix}  {wide_msg} {elapsed}")
}

fn measured(bytes: bool) -> ProgressStyle {
    match bytes {
        true => {
            style("{spinner} {prefix} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} {eta}  {wide_msg}")
        }
        false => style("{spinner} {prefix} [{bar:24}] {pos}/{len} {eta}  {wide_msg}"),
    }
}

/// The templates are constants; one with an error in it would only lose its looks.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
