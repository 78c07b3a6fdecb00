//! How much a run may say: a burst of lines, a rate, and a size. Pure: the caller says when.

use std::time::Duration;

/// The longest line, in bytes.
pub const LINE: usize = 4 << 10;

/// What is left of a run's log limit.
#[derive(Debug, Clone)]
pub struct LogAllowance {
    bytes: u64,
    burst: f64,
    per_second: f64,
    tokens: f64,
    filled: Duration,
    dropped: u64,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is kept, after saying that so many before it were not.
    Keep {
        /// Lines dropped since the last kept one.
        dropped_before: u64,
    },
    /// It is counted and dropped.
    Drop,
}

impl LogAllowance {
    /// `lines_per_second` at most, as many at once, and `bytes` in all.
    pub fn new(bytes: u64, lines_per_second: u32) -> Self {
        let rate = f64::from(lines_per_second);
        Self { bytes, burst: rate, per_second: rate, tokens: rate, filled: Duration::ZERO, dropped: 0 }
    }

    /// A line of `length` bytes at `now` since the run began.
    pub fn admit(&mut self, now: Duration, length: usize) -> Admission {
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        if self.tokens < 1.0 || length > self.bytes {
            self.dropped += 1;
            return Admission::Drop;
        }
        self.tokens -= 1.0;
        self.bytes -= length;
        Admission::Keep { dropped_before: std::mem::take(&mut self.dropped) }
    }

    /// Lines dropped since the last kept one; asked at the end of a run.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// A line as it is kept: one line, no control characters, cut at [`LINE`] bytes on a character.
pub fn clean(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LINE));
    for c in text.trim_end().chars() {
        let c = if c == '\n' || c == '\t' { ' ' } else { c };
        if c.is_control() {
            continue;
        }
        if line.len() + c.len_utf8() > LINE - '…'.len_utf8() {
            line.push('…');
            break;
        }
        line.push(c);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_flood_is_dropped_and_counted_and_the_log_recovers() {
        let mut log = LogAllowance::new(1 << 20, 10);
        let kept = (0..1000).filter(|_| log.admit(Duration::ZERO, 1) != Admission::Drop).count();
        assert_eq!(kept, 10);
        assert_eq!(log.admit(Duration::from_secs(1), 1), Admission::Keep { dropped_before: 990 });
    }

    #[test]
    fn the_size_limit_holds_however_slowly_lines_come() {
        let mut log = LogAllowance::new(100, 10);
        let kept = (0..100).filter(|s| log.admit(Duration::from_secs(*s), 30) != Admission::Drop).count();
        assert_eq!(kept, 3);
    }

    proptest! {
        #[test]
        fn a_kept_line_is_short_and_has_no_control_characters(text in any::<String>()) {
            let line = clean(&text);
            prop_assert!(line.len() <= LINE);
            prop_assert!(!line.chars().any(char::is_control));
        }
    }
}
