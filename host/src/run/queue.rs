//! Who may run and who waits. Pure: it is told what happens and says what follows.
//!
//! One run of a job at a time, a limit for all together, first come first served among those that may run.

use crate::model::{
    name::{JobName, RunId},
    schedule::OverlapPolicy,
};
use std::collections::{BTreeMap, VecDeque};

/// How a request stands to the other runs of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// One of a job, with its overlap policy.
    Job(OverlapPolicy),
    /// Work that is no job's: waits for nothing but the common limit.
    Once,
}

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Admission {
    /// Queue it.
    Enter,
    /// Queue it, and cancel these first.
    Replace(Vec<RunId>),
    /// Record it as refused because of this run.
    Refuse {
        /// The run that is in the way.
        because_of: RunId,
        /// Whether that one only waits.
        waits: bool,
    },
}

/// Runs that are under way or wait.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    limit: usize,
    running: BTreeMap<RunId, Place>,
    waiting: VecDeque<(RunId, Place)>,
    closed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    job: JobName,
    once: bool,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, running: BTreeMap::new(), waiting: VecDeque::new(), closed: false }
    }

    /// What to do with a request for `job`.
    pub(super) fn consider(&self, job: &JobName, turn: Turn) -> Admission {
        let Turn::Job(policy) = turn else { return Admission::Enter };
        let of_job = |place: &Place| !place.once && place.job == *job;
        let running = self.running.iter().find(|(_, place)| of_job(place)).map(|(id, _)| *id);
        let waiting = self.waiting.iter().find(|(_, place)| of_job(place)).map(|(id, _)| *id);
        match (policy, running, waiting) {
            (_, None, None) | (OverlapPolicy::Queue, Some(_), None) => Admission::Enter,
            (OverlapPolicy::Replace, running, waiting) => {
                Admission::Replace(running.into_iter().chain(waiting).collect())
            }
            (OverlapPolicy::Skip, Some(because_of), _) => Admission::Refuse { because_of, waits: false },
            (OverlapPolicy::Skip | OverlapPolicy::Queue, _, Some(because_of)) => {
                Admission::Refuse { because_of, waits: true }
            }
        }
    }

    /// The request was recorded as this run and waits now.
    pub(super) fn enter(&mut self, run: RunId, job: &JobName, turn: Turn) {
        self.waiting.push_back((run, Place { job: job.clone(), once: turn == Turn::Once }));
    }

    /// The next run that may begin, if there is one; it counts as running from now on.
    pub(super) fn next(&mut self) -> Option<RunId> {
        if self.closed || self.running.len() >= self.limit {
            return None;
        }
        let busy = |place: &Place| !place.once && self.running.values().any(|other| other == place);
        let at = self.waiting.iter().position(|(_, place)| !busy(place))?;
        let (run, place) = self.waiting.remove(at)?;
        self.running.insert(run, place);
        Some(run)
    }

    /// Nothing begins any more; what waits goes on waiting.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// A waiting run will not begin; says whether it waited.
    pub(super) fn withdraw(&mut self, run: RunId) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|(waiting, _)| *waiting != run);
        self.waiting.len() < before
    }

    /// A run has ended.
    pub(super) fn ended(&mut self, run: RunId) {
        self.running.remove(&run);
    }

    /// Whether a run of the job is under way or waits.
    pub(super) fn has(&self, job: &JobName) -> bool {
        let waiting = self.waiting.iter().map(|(_, place)| place);
        self.running.values().chain(waiting).any(|place| place.job == *job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn job(number: u8) -> JobName {
        JobName::new(format!("job{number}")).unwrap()
    }

    const SKIP: Turn = Turn::Job(OverlapPolicy::Skip);
    const QUEUE: Turn = Turn::Job(OverlapPolicy::Queue);
    const REPLACE: Turn = Turn::Job(OverlapPolicy::Replace);

    fn with_running(run: u64, of: &JobName) -> Queue {
        let mut queue = Queue::new(4);
        queue.enter(RunId(run), of, SKIP);
        assert_eq!(queue.next(), Some(RunId(run)));
        queue
    }

    #[test]
    fn skip_refuses_while_one_runs_or_waits() {
        let mut queue = with_running(1, &job(1));
        let refused = Admission::Refuse { because_of: RunId(1), waits: false };
        assert_eq!(queue.consider(&job(1), SKIP), refused);
        assert_eq!(queue.consider(&job(2), SKIP), Admission::Enter);
        queue.ended(RunId(1));
        assert_eq!(queue.consider(&job(1), SKIP), Admission::Enter);
        queue.enter(RunId(2), &job(1), SKIP);
        let refused = Admission::Refuse { because_of: RunId(2), waits: true };
        assert_eq!(queue.consider(&job(1), SKIP), refused);
    }

    #[test]
    fn queue_waits_once() {
        let mut queue = with_running(1, &job(1));
        assert_eq!(queue.consider(&job(1), QUEUE), Admission::Enter);
        queue.enter(RunId(2), &job(1), QUEUE);
        let refused = Admission::Refuse { because_of: RunId(2), waits: true };
        assert_eq!(queue.consider(&job(1), QUEUE), refused);
        assert_eq!(queue.next(), None);
        queue.ended(RunId(1));
        assert_eq!(queue.next(), Some(RunId(2)));
    }

    #[test]
    fn replace_names_what_must_go_and_still_waits_for_its_end() {
        let mut queue = with_running(1, &job(1));
        queue.enter(RunId(2), &job(1), QUEUE);
        assert_eq!(queue.consider(&job(1), REPLACE), Admission::Replace(vec![RunId(1), RunId(2)]));
        assert!(queue.withdraw(RunId(2)));
        assert!(!queue.withdraw(RunId(1)));
        queue.enter(RunId(3), &job(1), REPLACE);
        assert_eq!(queue.next(), None);
        queue.ended(RunId(1));
        assert_eq!(queue.next(), Some(RunId(3)));
    }

    #[test]
    fn single_pieces_of_work_run_side_by_side_up_to_the_limit() {
        let mut queue = Queue::new(2);
        for run in 1..=3 {
            assert_eq!(queue.consider(&job(1), Turn::Once), Admission::Enter);
            queue.enter(RunId(run), &job(1), Turn::Once);
        }
        assert_eq!((queue.next(), queue.next(), queue.next()), (Some(RunId(1)), Some(RunId(2)), None));
    }

    #[test]
    fn a_job_that_must_wait_does_not_hold_up_the_others() {
        let mut queue = with_running(1, &job(1));
        queue.enter(RunId(2), &job(1), QUEUE);
        queue.enter(RunId(3), &job(2), SKIP);
        assert_eq!(queue.next(), Some(RunId(3)));
    }

    proptest! {
        #[test]
        fn no_job_ever_runs_twice_and_the_limit_holds(
            steps in prop::collection::vec((0u8..4, 0u8..5, prop::sample::select(vec![SKIP, QUEUE, REPLACE])), 1..120)
        ) {
            let mut queue = Queue::new(3);
            let mut running: Vec<(RunId, u8)> = Vec::new();
            let mut of: std::collections::HashMap<RunId, u8> = std::collections::HashMap::new();
            let mut last = 0;
            for (what, number, turn) in steps {
                if what == 0 && !running.is_empty() {
                    let (run, _) = running.remove(usize::from(number) % running.len());
                    queue.ended(run);
                } else if !matches!(queue.consider(&job(number), turn), Admission::Refuse { .. }) {
                    last += 1;
                    of.insert(RunId(last), number);
                    queue.enter(RunId(last), &job(number), turn);
                }
                while let Some(run) = queue.next() {
                    running.push((run, of[&run]));
                }
                prop_assert!(running.len() <= 3);
                let mut jobs: Vec<u8> = running.iter().map(|(_, job)| *job).collect();
                jobs.sort_unstable();
                jobs.dedup();
                prop_assert_eq!(jobs.len(), running.len());
            }
        }
    }
}
