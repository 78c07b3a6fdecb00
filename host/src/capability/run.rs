//! The interface `run`: the run a plugin is in.

use super::{
    bindings::holdfast::run::run::{Host, Level},
    run_log::{Admission, clean},
    seconds,
    session::Session,
};
use crate::model::{
    job::Trigger,
    run::{LogLevel, Progress},
};
use std::time::Duration;

impl Host for Session {
    async fn id(&mut self) -> wasmtime::Result<u64> {
        Ok(self.gate.context.run.0)
    }

    async fn settings(&mut self) -> wasmtime::Result<String> {
        Ok(self.gate.settings.clone())
    }

    async fn trigger(&mut self) -> wasmtime::Result<String> {
        let word = match self.gate.context.trigger {
            Trigger::Schedule { .. } => "schedule",
            Trigger::Person { .. } => "person",
            Trigger::Event { .. } => "event",
            Trigger::Again { .. } => "again",
        };
        Ok(word.to_owned())
    }

    async fn dry_run(&mut self) -> wasmtime::Result<bool> {
        Ok(self.gate.context.dry_run)
    }

    async fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(seconds(self.gate.clock.now()))
    }

    async fn remaining(&mut self) -> wasmtime::Result<u64> {
        Ok(u64::try_from((self.gate.context.deadline - self.gate.clock.now()).num_seconds()).unwrap_or(0))
    }

    async fn cancelled(&mut self) -> wasmtime::Result<bool> {
        Ok(self.gate.context.cancel.is_cancelled())
    }

    async fn log(&mut self, level: Level, text: String) -> wasmtime::Result<()> {
        let text = clean(&text);
        let level = match level {
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        if level == LogLevel::Error {
            self.last_error = Some(text.clone());
        }
        let since_start = self.started.elapsed();
        self.say(level, text, since_start);
        Ok(())
    }

    async fn progress(&mut self, done: u64, total: u64, note: String) -> wasmtime::Result<()> {
        self.gate.context.sink.progress(Progress { done, total, note: clean(&note) });
        Ok(())
    }
}

impl Session {
    fn say(&mut self, level: LogLevel, text: String, since_start: Duration) {
        if let Admission::Keep { dropped_before } = self.log.admit(since_start, text.len()) {
            self.tell_dropped(dropped_before);
            self.gate.context.sink.log(level, text);
        }
    }

    fn tell_dropped(&self, lines: u64) {
        if lines > 0 {
            let text =
                format!("{lines} log lines were dropped here: the run said more than its log limit allows");
            self.gate.context.sink.log(LogLevel::Warn, text);
        }
    }

    /// Ends the log: says how many lines at its end were dropped.
    pub fn close_log(&self) {
        self.tell_dropped(self.log.dropped());
    }
}
