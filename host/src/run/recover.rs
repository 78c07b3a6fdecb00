//! After a start: what an earlier boot left queued or started was interrupted. It is recorded so, and asked for again
//! where that is wanted.

use super::{
    Runs,
    state::{self, MoveRun},
};
use crate::model::{
    job::{Job, Task, Trigger, Work},
    name::RunId,
    run::{Progress, Run},
};

/// How often in a row a run is run again by itself: what stops the appliance each time is better left alone.
const IN_A_ROW: usize = 3;

/// What was found at the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Runs that were interrupted.
    pub interrupted: Vec<RunId>,
    /// Runs that stand in for them.
    pub again: Vec<RunId>,
}

impl Runs {
    /// Settles what earlier boots left, then asks for what is wanted again. Call once, before anything else is asked for.
    pub async fn recover(&self) -> Result<Recovered, MoveRun> {
        let mut found = Recovered::default();
        let mut wanted = Vec::new();
        for run in self.0.store.runs.unsettled()? {
            if run.boot.as_ref() == Some(&self.0.boot) {
                continue;
            }
            let job = self.0.store.jobs.get(&run.job)?;
            let again = wanted_again(&run, job.as_ref(), self.in_a_row(&run)?);
            let (ended, now) = (state::interrupted(&run, again), self.0.clock.now());
            let progress: Progress = run.progress.clone();
            self.0.store.runs.update(run.id, move |run| state::end(run, ended, progress, now)).await?;
            found.interrupted.push(run.id);
            if again {
                wanted.push((run, job.is_some()));
            }
        }
        for (run, is_job) in wanted {
            match self.again(&run, is_job).await {
                Ok(id) => found.again.push(id),
                Err(error) => {
                    tracing::error!(run = %run.id, %error, "an interrupted run could not be run again")
                }
            }
        }
        Ok(found)
    }

    async fn again(&self, run: &Run, is_job: bool) -> Result<RunId, super::RequestRun> {
        let trigger = Trigger::Again { of: run.id };
        let new = match is_job {
            true => self.request(&run.job, trigger, run.dry_run).await?,
            false => self.request_once(run.job.clone(), run.work.clone(), trigger).await?,
        };
        Ok(new.id)
    }

    /// How many runs in a row, up to this one, were run again after an interruption.
    fn in_a_row(&self, run: &Run) -> Result<usize, MoveRun> {
        let mut count = 0;
        let mut at = run.clone();
        while let Trigger::Again { of } = at.trigger {
            count += 1;
            match self.0.store.runs.get(of)? {
                Some(before) if count < IN_A_ROW => at = before,
                _ => break,
            }
        }
        Ok(count)
    }
}

/// Whether an interrupted run is run again: its job wants it, or it is work of our own that somebody waits for.
fn wanted_again(run: &Run, job: Option<&Job>, in_a_row: usize) -> bool {
    let wanted = match job {
        Some(job) => job.rerun_interrupted && job.enabled,
        None => matches!(&run.work, Work::Task { task: Task::Restore { .. } | Task::Verify { .. } }),
    };
    wanted && in_a_row < IN_A_ROW
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        job::RestoreFormat,
        name::{JobName, VaultName},
        run::RunState,
    };
    use chrono::DateTime;

    fn run(work: Task) -> Run {
        Run {
            id: RunId(1),
            job: JobName::new("a").unwrap(),
            work: Work::Task { task: work },
            trigger: Trigger::Person { who: "console".into() },
            dry_run: false,
            state: RunState::Started,
            queued: DateTime::UNIX_EPOCH,
            started: None,
            ended: None,
            boot: None,
            message: None,
            cause: None,
            progress: Progress::default(),
        }
    }

    fn job(rerun: bool, enabled: bool) -> Job {
        serde_json::from_value(serde_json::json!({
            "name": "a", "work": {"type": "task", "task": {"task": "export-state"}},
            "rerun_interrupted": rerun, "enabled": enabled
        }))
        .unwrap()
    }

    #[test]
    fn a_job_decides_whether_it_is_run_again_but_not_for_ever() {
        let run = run(Task::ExportState);
        assert!(wanted_again(&run, Some(&job(true, true)), 0));
        assert!(wanted_again(&run, Some(&job(true, true)), 2));
        assert!(!wanted_again(&run, Some(&job(true, true)), 3));
        assert!(!wanted_again(&run, Some(&job(false, true)), 0));
        assert!(!wanted_again(&run, Some(&job(true, false)), 0));
    }

    #[test]
    fn a_restore_somebody_waits_for_is_run_again_and_a_forgotten_job_is_not() {
        let restore = Task::Restore {
            vault: VaultName::new("local").unwrap(),
            point: "00".into(),
            disk: None,
            target: "/tmp".into(),
            format: RestoreFormat::Raw,
            overwrite: false,
        };
        assert!(wanted_again(&run(restore), None, 0));
        assert!(!wanted_again(&run(Task::ExportState), None, 0));
    }
}
