//! The history of runs. Which changes are legal is `run::state`'s to know; here a run is a record with a number.

use super::{Engine, StoreError, Table, Transaction, key::Key, logs::Logs};
use crate::model::{
    name::{JobName, RunId},
    run::{Run, RunState},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;

/// The mark that counts runs.
pub(super) const COUNTER: &str = "runs";

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Only of this job.
    pub job: Option<JobName>,
    /// Only in this state.
    pub state: Option<RunState>,
    /// Only older than this one (to turn pages).
    pub before: Option<RunId>,
    /// At most so many; 0 is all.
    pub limit: usize,
}

/// How much history to keep.
#[derive(Debug, Clone, Copy)]
pub struct RunHistory {
    /// Newest runs of each job.
    pub per_job: usize,
    /// Nothing older, except the job's newest run.
    pub age: TimeDelta,
}

impl Default for RunHistory {
    fn default() -> Self {
        Self { per_job: 2_000, age: TimeDelta::days(90) }
    }
}

/// Runs, newest and past.
#[derive(Clone)]
pub struct Runs {
    table: Table<RunId, Run>,
    index: Table<String, u64>,
    marks: Table<String, u64>,
    logs: Logs,
}

impl Runs {
    pub(super) fn new(engine: &Arc<Engine>) -> Self {
        Self {
            table: Table::new("runs", engine),
            index: Table::new("index", engine),
            marks: Table::new("marks", engine),
            logs: Logs::new(engine),
        }
    }

    /// Records a new run and gives it its number; the draft's own is not looked at.
    pub async fn create(&self, draft: Run) -> Result<Run, StoreError> {
        let this = self.clone();
        self.table.engine.commit(move |transaction| this.create_in(transaction, draft)).await
    }

    /// As [`Runs::create`], together with other changes.
    pub fn create_in(&self, transaction: &mut Transaction<'_>, mut draft: Run) -> Result<Run, StoreError> {
        let number = self.marks.get_in(transaction, &COUNTER.to_owned())?.unwrap_or(0) + 1;
        self.marks.put_in(transaction, &COUNTER.to_owned(), &number)?;
        draft.id = RunId(number);
        self.put_in(transaction, &draft)?;
        Ok(draft)
    }

    /// Changes a run; `change` says what and may refuse. None is: there is no such run.
    pub async fn update<E>(
        &self,
        id: RunId,
        change: impl FnOnce(&mut Run) -> Result<(), E> + Send + 'static,
    ) -> Result<Option<Run>, E>
    where
        E: From<StoreError> + Send + 'static,
    {
        let this = self.clone();
        self.table
            .engine
            .commit(move |transaction| {
                let Some(mut run) = this.table.get_in(transaction, &id)? else { return Ok(None) };
                change(&mut run)?;
                this.put_in(transaction, &run)?;
                Ok(Some(run))
            })
            .await
    }

    fn put_in(&self, transaction: &mut Transaction<'_>, run: &Run) -> Result<(), StoreError> {
        self.table.put_in(transaction, &run.id, run)?;
        for (key, present) in index_of(run) {
            match present {
                true => self.index.put_in(transaction, &key, &run.id.0)?,
                false => self.index.remove_in(transaction, &key),
            }
        }
        Ok(())
    }

    /// One run.
    pub fn get(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        self.table.get(&id)
    }

    /// Runs, newest first.
    pub fn list(&self, filter: &RunFilter) -> Result<Vec<Run>, StoreError> {
        let limit = if filter.limit == 0 { usize::MAX } else { filter.limit };
        let fits = |run: &Run| filter.state.is_none_or(|state| run.state == state);
        let before = filter.before.map(|id| id.stored());
        let Some(job) = &filter.job else {
            return self.table.newest("", before.as_deref(), limit, fits);
        };
        let mut found = Vec::new();
        let mut broken = None;
        self.index.newest(&of_job(job), before.as_deref(), limit, |id| {
            match self.table.get(&RunId(*id)) {
                Ok(Some(run)) if fits(&run) => {
                    found.push(run);
                    true
                }
                Ok(_) => false,
                Err(error) => {
                    broken = Some(error);
                    true
                }
            }
        })?;
        broken.map_or(Ok(found), Err)
    }

    /// The newest run of a job.
    pub fn newest_of(&self, job: &JobName) -> Result<Option<Run>, StoreError> {
        let filter = RunFilter { job: Some(job.clone()), limit: 1, ..RunFilter::default() };
        Ok(self.list(&filter)?.pop())
    }

    /// The runs that are queued or started, oldest first.
    pub fn unsettled(&self) -> Result<Vec<Run>, StoreError> {
        let ids = self.index.list_prefix(UNSETTLED)?;
        ids.into_iter().filter_map(|id| self.table.get(&RunId(id)).transpose()).collect()
    }

    /// Log lines of runs.
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Deletes settled runs, and their logs, that the history need not keep. Says how many.
    pub async fn prune(&self, keep: RunHistory, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let this = self.clone();
        let gone = self
            .table
            .engine
            .commit(move |transaction| {
                let gone = this.superfluous(transaction, keep, now)?;
                for run in &gone {
                    this.table.remove_in(transaction, &run.id);
                    for (key, _) in index_of(run) {
                        this.index.remove_in(transaction, &key);
                    }
                }
                Ok::<_, StoreError>(gone)
            })
            .await?;
        for run in &gone {
            self.logs.remove(run.id)?;
        }
        Ok(gone.len())
    }

    fn superfluous(
        &self,
        transaction: &Transaction<'_>,
        keep: RunHistory,
        now: DateTime<Utc>,
    ) -> Result<Vec<Run>, StoreError> {
        let mut seen = std::collections::HashMap::<JobName, usize>::new();
        let mut gone = Vec::new();
        for (_, run) in self.table.list_in(transaction, "")?.into_iter().rev() {
            let rank = seen.entry(run.job.clone()).or_default();
            *rank += 1;
            let old = run.ended.is_some_and(|ended| now - ended > keep.age);
            if run.state.is_settled() && *rank > 1 && (*rank > keep.per_job || old) {
                gone.push(run);
            }
        }
        Ok(gone)
    }
}

const UNSETTLED: &str = "runs/unsettled/";

fn of_job(job: &JobName) -> String {
    format!("runs/of/{job}/")
}

/// The index entries of a run: key, and whether it is there now.
pub(super) fn index_of(run: &Run) -> [(String, bool); 2] {
    let id = run.id.stored();
    [(format!("{}{id}", of_job(&run.job)), true), (format!("{UNSETTLED}{id}"), !run.state.is_settled())]
}
