//! What the ticker reads and writes: jobs and their settled due times, from the store, and the room `run` to start them.

use crate::{
    model::{
        job::{Job, Trigger},
        name::JobName,
        schedule::Schedule,
    },
    run,
    schedule::{Book, Start},
    store::Store,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// The store as the ticker's book.
pub(super) struct StoreBook(pub(super) Store);

#[async_trait]
impl Book for StoreBook {
    fn jobs(&self) -> Result<Vec<Job>, String> {
        self.0.jobs.list().map_err(|error| error.to_string())
    }

    fn last_due(&self, job: &JobName, rule: &Schedule) -> Result<Option<DateTime<Utc>>, String> {
        self.0.due.settled(job, rule).map_err(|error| error.to_string())
    }

    async fn settle_due(&self, job: &JobName, rule: &Schedule, through: DateTime<Utc>) -> Result<(), String> {
        self.0.due.settle(job, rule, through).await.map_err(|error| error.to_string())
    }
}

/// The room `run` as the ticker's starter.
pub(super) struct RunStart(pub(super) run::Runs);

#[async_trait]
impl Start for RunStart {
    async fn start(&self, job: &JobName, trigger: Trigger) -> Result<(), String> {
        self.0.request(job, trigger, false).await.map(|_| ()).map_err(|error| error.to_string())
    }
}
