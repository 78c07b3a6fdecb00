//! Where a run's words go: cleaned, numbered, limited, into the store; and news of them to whoever watches.

use super::{RunNews, cancel::Live};
use crate::{
    capability::context::RunSink,
    clock::SharedClock,
    model::run::{LogLevel, LogLine, Progress},
    store::Logs,
};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::broadcast;

/// The longest line, in characters.
const LONGEST_LINE: usize = 4_000;
/// Lines of one run that are kept.
const LINES: u64 = 5_000;
/// Bytes of one run's lines that are kept.
const BYTES: usize = 2 << 20;
/// Warnings and errors that are kept beyond either limit.
const SPARE: u64 = 200;

/// The log and progress of one run.
pub(super) struct RunLog {
    live: Arc<Live>,
    logs: Logs,
    clock: SharedClock,
    news: broadcast::Sender<RunNews>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    lines: u64,
    bytes: usize,
    full: bool,
}

impl RunLog {
    pub(super) fn new(
        live: Arc<Live>,
        logs: Logs,
        clock: SharedClock,
        news: broadcast::Sender<RunNews>,
    ) -> Self {
        Self { live, logs, clock, news, kept: Mutex::default() }
    }

    fn keep(&self, kept: &mut Kept, level: LogLevel, text: String) {
        kept.lines += 1;
        kept.bytes += text.len();
        let line = LogLine { at: self.clock.now(), level, text };
        match self.logs.append(self.live.run, kept.lines, &line) {
            Ok(()) => {
                let _nobody = self.news.send(RunNews::Log(self.live.run, kept.lines));
            }
            Err(error) => tracing::warn!(run = %self.live.run, %error, "a log line was lost"),
        }
    }
}

impl RunSink for RunLog {
    fn log(&self, level: LogLevel, text: String) {
        let mut kept = self.kept.lock();
        let matters = level >= LogLevel::Warn;
        if kept.lines >= LINES || kept.bytes >= BYTES {
            if !kept.full {
                kept.full = true;
                let text = "this run has said as much as is kept; from here on only warnings and errors, and not all";
                self.keep(&mut kept, LogLevel::Warn, text.to_owned());
            }
            if !matters || kept.lines >= LINES + SPARE {
                return;
            }
        }
        self.keep(&mut kept, level, clean(&text));
    }

    fn progress(&self, progress: Progress) {
        let progress = Progress { note: clean(&progress.note), ..progress };
        self.live.set_progress(progress.clone());
        let _nobody = self.news.send(RunNews::Progress(self.live.run, progress));
    }
}

/// Without control characters, which could repaint a terminal, and not too long. Lines stay one line.
fn clean(text: &str) -> String {
    let mut cleaned: String = text
        .trim_end()
        .chars()
        .take(LONGEST_LINE)
        .map(|c| if c == '\n' || c == '\t' { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_direction(*c))
        .collect();
    if text.trim_end().chars().count() > LONGEST_LINE {
        cleaned.push('…');
    }
    cleaned
}

/// Characters that reorder what follows them.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::HandClock, model::name::RunId, store::Store};
    use chrono::DateTime;

    fn log() -> (tempfile::TempDir, Store, RunLog) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let live = Arc::new(Live::new(RunId(1)));
        let clock = HandClock::new(DateTime::UNIX_EPOCH);
        let log = RunLog::new(live, store.runs.logs().clone(), clock, broadcast::channel(4).0);
        (directory, store, log)
    }

    #[test]
    fn nothing_in_a_line_can_repaint_a_terminal_or_fill_the_page() {
        assert_eq!(clean("a\x1b[2Jb\nc\u{202e}d\r\n"), "a[2Jb cd");
        assert_eq!(clean(&"ä".repeat(5_000)).chars().count(), LONGEST_LINE + 1);
    }

    #[test]
    fn a_flood_is_cut_off_but_errors_still_get_through_for_a_while() {
        let (_directory, store, log) = log();
        for number in 0..LINES + 500 {
            log.log(LogLevel::Info, format!("line {number}"));
        }
        log.log(LogLevel::Error, "the end".into());
        for _ in 0..SPARE * 2 {
            log.log(LogLevel::Error, "again".into());
        }
        let lines = store.runs.logs().read(RunId(1), LINES - 1, 1000).unwrap();
        assert_eq!(lines[1].line.level, LogLevel::Warn);
        assert_eq!(lines[2].line.text, "the end");
        assert_eq!(lines.len() as u64, SPARE + 1);
    }
}
