//! What may follow what in the life of a run. Pure.

use crate::{
    model::{
        name::RunId,
        run::{EndCause, Ended, Progress, Run, RunState},
    },
    store::StoreError,
};
use chrono::{DateTime, Utc};

/// Why a run's record was not changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MoveRun {
    /// The run is somewhere else.
    #[error(
        "run {run} is {from:?} and cannot become {to:?}; its record was not changed; this is a bug in the appliance"
    )]
    Illegal {
        /// Which run.
        run: RunId,
        /// Where it is.
        from: RunState,
        /// Where it should go.
        to: RunState,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether a run in `from` may become `to`.
pub(super) fn may_follow(from: RunState, to: RunState) -> bool {
    use RunState::{Cancelled, Degraded, Failed, Interrupted, Queued, Refused, Started, Succeeded};
    match from {
        Queued => matches!(to, Started | Cancelled | Refused | Interrupted),
        Started => matches!(to, Succeeded | Degraded | Failed | Cancelled | Refused | Interrupted),
        Succeeded | Degraded | Failed | Cancelled | Refused | Interrupted => false,
    }
}

/// The run begins in this boot.
pub(super) fn start(run: &mut Run, boot: &str, now: DateTime<Utc>) -> Result<(), MoveRun> {
    go(run, RunState::Started)?;
    run.started = Some(now);
    run.boot = Some(boot.to_owned());
    Ok(())
}

/// The run has ended.
pub(super) fn end(
    run: &mut Run,
    ended: Ended,
    progress: Progress,
    now: DateTime<Utc>,
) -> Result<(), MoveRun> {
    go(run, ended.state)?;
    run.ended = Some(now);
    run.cause = Some(ended.cause);
    run.message = Some(ended.message);
    run.progress = progress;
    Ok(())
}

/// The end of a run that the appliance stopped under.
pub(super) fn interrupted(run: &Run, again: bool) -> Ended {
    let what = match run.state {
        RunState::Queued => "the appliance stopped before this run began",
        _ => {
            "the appliance stopped while this run was under way; what it had finished is kept and used again"
        }
    };
    let next = if again { "it is run again now" } else { "run it again when it is wanted" };
    Ended { state: RunState::Interrupted, cause: EndCause::Crash, message: format!("{what}; {next}") }
}

fn go(run: &mut Run, to: RunState) -> Result<(), MoveRun> {
    if !may_follow(run.state, to) {
        return Err(MoveRun::Illegal { run: run.id, from: run.state, to });
    }
    run.state = to;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use RunState::{Cancelled, Degraded, Failed, Interrupted, Queued, Refused, Started, Succeeded};

    const ALL: [RunState; 8] =
        [Queued, Started, Succeeded, Degraded, Failed, Cancelled, Refused, Interrupted];

    #[test]
    fn nothing_follows_a_settled_state_and_nothing_goes_back() {
        for from in ALL {
            for to in ALL {
                assert!(!(from.is_settled() && may_follow(from, to)), "{from:?} to {to:?}");
            }
            assert!(!may_follow(from, Queued));
        }
    }

    #[test]
    fn only_a_started_run_can_have_done_something() {
        for to in [Succeeded, Degraded, Failed] {
            assert!(may_follow(Started, to));
            assert!(!may_follow(Queued, to));
        }
    }

    #[test]
    fn every_unsettled_state_can_be_left_by_a_crash_and_by_a_person() {
        for from in [Queued, Started] {
            assert!(may_follow(from, Interrupted));
            assert!(may_follow(from, Cancelled));
        }
    }
}
