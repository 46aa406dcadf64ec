//! Many futures at once on the current task, without spawning: a probe borrows what it works on.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// A future and, once it has ended, its result.
struct Slot<F: Future> {
    future: Pin<Box<F>>,
    result: Option<F::Output>,
}

/// Runs all to their end; results in the order of the futures. Each wake polls all that still run, which is cheap for
/// the dozens there are.
pub(crate) async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut slots: Vec<Slot<F>> =
        futures.into_iter().map(|future| Slot { future: Box::pin(future), result: None }).collect();
    poll_fn(|context| {
        let mut waiting = false;
        for slot in slots.iter_mut().filter(|slot| slot.result.is_none()) {
            match slot.future.as_mut().poll(context) {
                Poll::Ready(output) => slot.result = Some(output),
                Poll::Pending => waiting = true,
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    slots.into_iter().filter_map(|slot| slot.result).collect()
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
