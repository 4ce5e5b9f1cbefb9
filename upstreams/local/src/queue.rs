//! The jobs that no process has taken yet.

use std::collections::VecDeque;

use crate::job::Job;

/// The jobs that may wait.
pub(crate) const JOBS: usize = 1000;
/// The bytes that the events of waiting jobs may have together.
const BYTES: usize = 64 << 20;

/// A queue that is bounded by number and by size.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    jobs: VecDeque<Job>,
    bytes: usize,
}

impl Queue {
    /// Lets a job wait. It is given back where there is no room for it, even without those that nobody waits for.
    pub(crate) fn push(&mut self, job: Job) -> Option<Job> {
        if !self.has_room(&job) {
            self.jobs.retain(|job| !job.is_abandoned());
            self.bytes = self.jobs.iter().map(|job| job.event.len()).sum();
            if !self.has_room(&job) {
                return Some(job);
            }
        }
        self.bytes += job.event.len();
        self.jobs.push_back(job);
        None
    }

    /// The job that waits the longest, and that somebody waits for.
    pub(crate) fn pop(&mut self) -> Option<Job> {
        while let Some(job) = self.jobs.pop_front() {
            self.bytes -= job.event.len();
            if !job.is_abandoned() {
                return Some(job);
            }
        }
        None
    }

    /// A job alone always has room, however large its event is: nothing would ever make more.
    fn has_room(&self, job: &Job) -> bool {
        self.jobs.is_empty() || (self.jobs.len() < JOBS && self.bytes + job.event.len() <= BYTES)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use callgate_core::{RequestId, UpstreamError};
    use tokio::sync::oneshot;

    use super::*;
    use crate::job::Outcome;

    type Answer = oneshot::Receiver<Result<Outcome, UpstreamError>>;

    fn job(bytes: usize) -> (Job, Answer) {
        let (answer, answered) = oneshot::channel();
        let event = Bytes::from(vec![0; bytes]);
        (
            Job {
                event,
                id: RequestId::random(),
                trace: None,
                deadline: None,
                stream_deadline: None,
                max_body: 0,
                answer,
            },
            answered,
        )
    }

    /// As many as there is room for, of this size.
    fn fill(queue: &mut Queue, bytes: usize) -> Vec<Answer> {
        std::iter::from_fn(|| {
            let (job, answered) = job(bytes);
            queue.push(job).is_none().then_some(answered)
        })
        .collect()
    }

    #[test]
    fn the_queue_is_bounded_by_number_and_by_size() {
        assert_eq!(fill(&mut Queue::default(), 1).len(), JOBS);
        assert_eq!(fill(&mut Queue::default(), 10 << 20).len(), 6);
        assert_eq!(fill(&mut Queue::default(), BYTES + 1).len(), 1);
    }

    #[test]
    fn room_comes_back_with_the_jobs_that_are_taken() {
        let mut queue = Queue::default();
        let waiting = fill(&mut queue, 10 << 20);
        assert_eq!(queue.pop().unwrap().event.len(), 10 << 20);
        assert_eq!(fill(&mut queue, 10 << 20).len(), 1);
        drop(waiting);
    }

    #[test]
    fn jobs_that_nobody_waits_for_make_room_and_are_passed_over() {
        let mut queue = Queue::default();
        drop(fill(&mut queue, 10 << 20));
        let waiting = fill(&mut queue, 20 << 20);
        assert_eq!(waiting.len(), 3);
        drop(waiting);
        assert!(queue.pop().is_none());
        assert_eq!(queue.bytes, 0);
    }
}
