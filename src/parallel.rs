//! Work on many items at a time. Of thousands of small files nearly all of the time is the kernel's, which finds and opens them on
//! as many processors as there are.

use std::thread;

/// For fewer items it would take longer to start a thread.
const LEAST_SHARE: usize = 100;
/// More threads than these wait for each other in the kernel.
const MOST_THREADS: usize = 4;

/// The results of `f` for each item, in their order.
pub fn map<T: Sync, R: Send>(items: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let share = items.len().div_ceil(threads).max(LEAST_SHARE);
    if items.len() <= share {
        return items.iter().map(f).collect();
    }
    let f = &f;
    thread::scope(|scope| {
        let parts: Vec<_> =
            items.chunks(share).map(|part| scope.spawn(move || part.iter().map(f).collect::<Vec<_>>())).collect();
        let join = |part: thread::ScopedJoinHandle<Vec<R>>| {
            part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        parts.into_iter().flat_map(join).collect()
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_results_have_the_order_of_the_items() {
        for count in [0, 1, 99, 100, 101, 1234] {
            let items: Vec<usize> = (0..count).collect();
            let doubled = super::map(&items, |item| item * 2);
            assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>(), "{count}");
        }
    }
}
