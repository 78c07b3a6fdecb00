//! Long work under way for a plugin: it runs in a task of its own, can be followed, awaited and cancelled, and is
//! cancelled when the plugin lets go of it.

use crate::model::run::Progress;
use parking_lot::Mutex;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::sync::watch;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// How an operation ended badly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// It failed; the text is for a person.
    #[error("{0}")]
    Failed(String),
    /// It was told to stop.
    #[error("it was cancelled")]
    Cancelled,
}

/// What the engine that does the work holds of it.
#[derive(Clone, Default)]
pub struct Work {
    cancel: CancellationToken,
    progress: Arc<Mutex<Progress>>,
}

impl Work {
    /// Cancelled when the work should stop.
    pub fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Tells how far it is.
    pub fn progress(&self, progress: Progress) {
        *self.progress.lock() = progress;
    }
}

type End = Result<String, OperationError>;

/// One piece of work under way.
pub struct Operation {
    work: Work,
    end: watch::Receiver<Option<End>>,
    _cancel_when_dropped: DropGuard,
}

impl Operation {
    /// Its progress, last known.
    pub fn progress(&self) -> Progress {
        self.work.progress.lock().clone()
    }

    /// Asks it to stop.
    pub fn cancel(&self) {
        self.work.cancel.cancel();
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<End> {
        let closed = self.end.has_changed().is_err();
        match self.end.borrow().clone() {
            None if closed => Some(Err(lost())),
            known => known,
        }
    }

    /// Waits for its end.
    pub fn wait(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut end = self.end.clone();
        async move {
            // An error means that the task is gone without a word; `ended` says so.
            let _ = end.wait_for(Option::is_some).await;
        }
    }
}

fn lost() -> OperationError {
    OperationError::Failed(
        "the appliance failed inside this operation, which is a bug in it; existing recovery points are intact; \
         run the job again and report the appliance's log"
            .to_owned(),
    )
}

/// The operations of one run: bounded in number, and all over before the run is.
pub struct OperationSpace {
    limit: u32,
    active: Arc<AtomicU32>,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

impl OperationSpace {
    /// Room for `limit` operations at once, all cancelled with `parent`.
    pub fn new(limit: u32, parent: &CancellationToken) -> Self {
        Self { limit, active: Arc::default(), tasks: TaskTracker::new(), cancel: parent.child_token() }
    }

    /// Whether there is room for one more; otherwise the limit.
    pub fn has_room(&self) -> Result<(), u32> {
        if self.active.load(Ordering::Acquire) < self.limit { Ok(()) } else { Err(self.limit) }
    }

    /// Begins an operation.
    pub fn begin<F>(&self, work: impl FnOnce(Work) -> F) -> Operation
    where
        F: Future<Output = End> + Send + 'static,
    {
        let cancel = self.cancel.child_token();
        let handle = Work { cancel: cancel.clone(), progress: Arc::default() };
        let (tell, end) = watch::channel(None);
        let place = Place::take(&self.active);
        let doing = work(handle.clone());
        self.tasks.spawn(async move {
            let _place = place;
            let ended = doing.await;
            let _ = tell.send(Some(ended));
        });
        Operation { work: handle, end, _cancel_when_dropped: cancel.drop_guard() }
    }

    /// Cancels what is left and waits until it has stopped.
    pub async fn finish(&self) {
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// One of the places that the limit counts; free again when the task is over, however it ends.
struct Place(Arc<AtomicU32>);

impl Place {
    fn take(active: &Arc<AtomicU32>) -> Self {
        active.fetch_add(1, Ordering::AcqRel);
        Self(active.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_operation_that_is_let_go_is_cancelled_and_frees_its_place() {
        let space = OperationSpace::new(1, &CancellationToken::new());
        let operation = space.begin(|work| async move {
            work.cancel().cancelled().await;
            Err(OperationError::Cancelled)
        });
        assert_eq!(space.has_room(), Err(1));
        let over = operation.wait();
        drop(operation);
        over.await;
        space.finish().await;
        assert_eq!(space.has_room(), Ok(()));
    }

    #[tokio::test]
    async fn an_operation_whose_engine_panics_ends_as_a_failure() {
        let space = OperationSpace::new(1, &CancellationToken::new());
        let operation = space.begin(|_| async { panic!("engine bug") });
        operation.wait().await;
        assert!(matches!(operation.ended(), Some(Err(OperationError::Failed(_)))));
    }

    #[tokio::test]
    async fn the_end_can_be_asked_for_again() {
        let space = OperationSpace::new(1, &CancellationToken::new());
        let operation = space.begin(|_| async { Ok("p1".to_owned()) });
        operation.wait().await;
        assert_eq!(operation.ended(), Some(Ok("p1".to_owned())));
        assert_eq!(operation.ended(), Some(Ok("p1".to_owned())));
    }
}
