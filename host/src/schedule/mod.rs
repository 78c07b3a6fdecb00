//! The room `schedule`: it decides when a job starts, and never what it does.
//!
//! ```text
//!  model::Schedule ──check──▶ Timetable ──judge──▶ Wait │ Start │ Pass │ Restart
//!    (as written)            rule, zone,              │
//!                            windows, jitter          ▼
//!                          Store: jobs, due ◀──▶ ticker ──▶ Starts::start_due (records the run and settles, at once)
//! ```
//!
//! - `cron` reads a rule, `words` says it in words, `next` steps through its times in a time zone.
//! - `blackout` holds the windows in which nothing starts. `timetable` puts rule, zone, windows and jitter together.
//! - `check` turns what a person wrote into a timetable, or into every problem it has.
//! - `due` judges one rule at one moment. It is a pure function.
//! - `ticker` is the only loop and the only part that waits, reads a clock or calls anybody.
//!
//! Words used in this room: a *due time* is a time the rule names; a *start* is the due time after blackout windows and
//! jitter; a due time is *settled* when nothing more will happen for it or for any earlier time of that rule.
//!
//! The answers to daylight saving, missed times and jumping clocks are in `docs/decisions/0041-schedules.md`.

pub mod blackout;
pub mod check;
pub mod cron;
pub mod due;
pub mod next;
pub mod ticker;
pub mod timetable;
mod words;

pub use check::{CheckSchedule, check, check_all};
pub use due::Fire;
pub use ticker::{Starts, Ticker};
pub use timetable::{next_of, preview};
