//! Cancellation reaches the guest, its operations, and, if need be, ends it by force.

use crate::bench::{Bench, context, words};
use holdfast::model::run::{EndCause, RunState};
use std::sync::atomic::Ordering;
use tokio_util::sync::CancellationToken;

async fn cancel_once_it_waits(job: &str) -> (Bench, holdfast::model::run::Ended) {
    let bench = Bench::with_guest().await;
    let (said, cancel) = (words(), CancellationToken::new());
    let mut progress = said.progress.subscribe();
    let ended = {
        let run = bench.run_in(job, context(said.clone(), cancel.clone()));
        let stop = async {
            progress.wait_for(|progress| progress.note.contains("waiting")).await.unwrap();
            cancel.cancel();
        };
        futures::join!(run, stop).0
    };
    (bench, ended)
}

#[tokio::test]
async fn a_guest_that_heeds_it_ends_as_cancelled_and_so_does_its_operation() {
    let (bench, ended) = cancel_once_it_waits("heed-cancel").await;
    assert_eq!((ended.state, ended.cause), (RunState::Cancelled, EndCause::Cancel), "{}", ended.message);
    assert_eq!(bench.memory.waiting.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_guest_that_ignores_it_is_ended_when_the_grace_is_over() {
    let (_, ended) = cancel_once_it_waits("ignore-cancel").await;
    assert_eq!((ended.state, ended.cause), (RunState::Cancelled, EndCause::Cancel));
    assert!(ended.message.contains("did not stop by itself"), "{}", ended.message);
}
