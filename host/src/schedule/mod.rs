//! When jobs run by themselves.
//!
//! What flows in: schedules as people wrote them (`model::schedule`), the time, and the due time that was settled last.
//! What flows out: "this job is due now", handed to the room `run`, and the next times for the page.
//!
//! ```text
//!  text ─ cron ─▶ rule ─ next ─▶ due times in a zone ─ window ─▶ out of blackouts, jitter ─▶ start times
//!                                                                                             │
//!  last settled due time, now, boot ────────────────────────────────────────────▶ due ◀───────┘
//!                                                                                  │
//!                                                          ticker: the only loop ──┴─▶ run
//! ```
//!
//! A *due time* is what the rule names; a *start time* is when the run begins. A due time is settled once: by a run, by
//! being skipped, or by a later one that stands for it. Settling and recording the run are one transaction, so that a
//! power cut neither loses a start nor repeats it.
//!
//! The answers to what crontab leaves open (decision 0043): a time in a daylight-saving gap fires right after the gap;
//! in an overlap a rule with fixed hours fires the first time only, one for every hour fires by elapsed time; a clock
//! that jumps back starts nothing twice, one that jumps forward starts each job at most once.
//!
//! What it refuses to know: what a job does, and whether it may run now (`run`). All but the ticker is pure.

mod cron;
mod due;
mod next;
mod preview;
mod ticker;
mod window;

pub use cron::BadSchedule;
pub use due::{Decision, Fire, Moment, decide};
pub use preview::{next_run, preview};
pub use ticker::{Starts, Ticker};
pub use window::Timetable;
