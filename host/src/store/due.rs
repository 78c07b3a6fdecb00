//! Which due time of each schedule was settled last: run, skipped or caught up. The schedule never looks before it, so
//! a clock that jumps backwards starts nothing twice.

use super::{Engine, StoreError, Table, Transaction, key::part};
use crate::model::{name::JobName, schedule::Schedule};
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Bookkeeping of due times.
#[derive(Clone)]
pub struct DueTimes {
    table: Table<String, DateTime<Utc>>,
}

impl DueTimes {
    pub(super) fn new(engine: &Arc<Engine>) -> Self {
        Self { table: Table::new("due", engine) }
    }

    /// The last due time that was settled for that rule of the job. A changed rule or zone is a new one.
    pub fn settled(&self, job: &JobName, rule: &Schedule) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.table.get(&place_of(job, rule))
    }

    /// Moves the last settled due time forward; it never moves back.
    pub async fn settle(
        &self,
        job: &JobName,
        rule: &Schedule,
        through: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (this, job, rule) = (self.clone(), job.clone(), rule.clone());
        self.table.engine.commit(move |transaction| this.settle_in(transaction, &job, &rule, through)).await
    }

    /// As [`DueTimes::settle`], together with other changes.
    pub fn settle_in(
        &self,
        transaction: &mut Transaction<'_>,
        job: &JobName,
        rule: &Schedule,
        through: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let place = place_of(job, rule);
        let before = self.table.get_in(transaction, &place)?;
        if before.is_none_or(|before| before < through) {
            self.table.put_in(transaction, &place, &through)?;
        }
        Ok(())
    }

    /// Sets the last settled due time, even back: only when the clock has proved to have been wrong.
    pub async fn restart(
        &self,
        job: &JobName,
        rule: &Schedule,
        from: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.table.put(&place_of(job, rule), &from).await
    }

    /// Forgets the bookkeeping of a job, if there is any.
    pub async fn forget(&self, job: &JobName) -> Result<(), StoreError> {
        if self.table.list_prefix(&format!("{job}/"))?.is_empty() {
            return Ok(());
        }
        let (this, job) = (self.clone(), job.clone());
        self.table.engine.commit(move |transaction| this.forget_in(transaction, &job)).await
    }

    /// Forgets the bookkeeping of a job that is no more, together with other changes.
    pub fn forget_in(&self, transaction: &mut Transaction<'_>, job: &JobName) -> Result<(), StoreError> {
        for (key, _) in self.table.list_in(transaction, &format!("{job}/"))? {
            self.table.remove_in(transaction, &key);
        }
        Ok(())
    }
}

fn place_of(job: &JobName, rule: &Schedule) -> String {
    format!("{job}/{}/{}", part(&rule.cron), part(&rule.zone))
}
