//! Many futures at once on the current task, without spawning: a probe borrows what it works on.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// A future until it has ended, then its result.
enum Slot<F: Future> {
    Running(Pin<Box<F>>),
    Done(Box<F::Output>),
}

/// Runs all to their end; results in the order of the futures. Each wake polls all that still run, which is cheap for
/// the dozens there are.
pub(crate) async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut slots: Vec<Slot<F>> = futures.into_iter().map(|future| Slot::Running(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut waiting = false;
        for slot in &mut slots {
            let Slot::Running(future) = slot else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(output) => *slot = Slot::Done(Box::new(output)),
                Poll::Pending => waiting = true,
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let done = |slot| match slot {
        Slot::Running(_) => None,
        Slot::Done(output) => Some(*output),
    };
    slots.into_iter().filter_map(done).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn later(value: u32) -> u32 {
        tokio::task::yield_now().await;
        value
    }

    #[test]
    fn results_keep_their_order() {
        fn check(count: u32) {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let all = runtime.map(|runtime| runtime.block_on(join_all((0..count).map(later))));
            assert_eq!(all.ok(), Some((0..count).collect()));
        }
        check(0);
        check(1);
        check(40);
    }
}
