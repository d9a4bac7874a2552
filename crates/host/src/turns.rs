//! Turns: who runs next where not all can. Parties take turns, however many calls each has waiting, and the calls of
//! one party go in the order they came.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// So many may go at once.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Mutex<Line>>);

#[derive(Debug)]
struct Line {
    free: usize,
    /// Parties that wait, in the order of their turns.
    order: VecDeque<String>,
    waiting: HashMap<String, VecDeque<oneshot::Sender<Turn>>>,
}

type Waits<'t> = Pin<Box<dyn Future<Output = Turn> + Send + 't>>;

/// A turn; whoever drops it lets the next one go.
#[derive(Debug)]
pub struct Turn(Option<Turns>);

impl Turns {
    pub fn new(count: usize) -> Turns {
        let line = Line { free: count, order: VecDeque::new(), waiting: HashMap::new() };
        Turns(Arc::new(Mutex::new(line)))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn, if nobody has to wait for one.
    pub fn now(&self) -> Option<Turn> {
        let mut line = self.line();
        line.free = line.free.checked_sub(1)?;
        Some(Turn(Some(self.clone())))
    }

    pub async fn take(&self, party: &str) -> Turn {
        loop {
            let waits = {
                let mut line = self.line();
                if let Some(free) = line.free.checked_sub(1) {
                    line.free = free;
                    return Turn(Some(self.clone()));
                }
                let (sender, waits) = oneshot::channel();
                match line.waiting.get_mut(party) {
                    Some(own) => own.push_back(sender),
                    None => {
                        line.waiting.insert(party.to_string(), VecDeque::from([sender]));
                        line.order.push_back(party.to_string());
                    }
                }
                waits
            };
            if let Ok(turn) = waits.await {
                return turn;
            }
        }
    }

    /// Works on a future while it has a turn, which it hands on whenever it waits for something. Adds up how long it
    /// waited for turns.
    pub(crate) async fn share<T>(
        &self,
        party: &str,
        waited: &mut Duration,
        future: impl Future<Output = T>,
    ) -> T {
        let mut future = pin!(future);
        let mut line: Option<(Instant, Waits<'_>)> = None;
        poll_fn(|cx| {
            let taken = match &mut line {
                // Nobody overtakes those who stand in line already.
                Some((_, waits)) => waits.as_mut().poll(cx),
                None => match self.now() {
                    Some(turn) => Poll::Ready(turn),
                    None => {
                        let mut waits: Waits<'_> = Box::pin(self.take(party));
                        let taken = waits.as_mut().poll(cx);
                        line = Some((Instant::now(), waits));
                        taken
                    }
                },
            };
            let Poll::Ready(turn) = taken else { return Poll::Pending };
            if let Some((since, _)) = line.take() {
                *waited += since.elapsed();
            }
            let polled = future.as_mut().poll(cx);
            drop(turn);
            polled
        })
        .await
    }
}

impl Line {
    /// The next in line.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let party = self.order.pop_front()?;
        let own = self.waiting.get_mut(&party)?;
        let next = own.pop_front();
        if own.is_empty() {
            self.waiting.remove(&party);
        } else {
            self.order.push_back(party);
        }
        next
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(turns) = self.0.take() else { return };
        loop {
            let next = {
                let mut line = turns.line();
                match line.next() {
                    Some(next) => next,
                    None => {
                        line.free += 1;
                        return;
                    }
                }
            };
            match next.send(Turn(Some(turns.clone()))) {
                Ok(()) => return,
                // Whoever waited has gone; the turn is for the one after.
                Err(mut back) => back.0 = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// One party's thousand calls, and one call of another that came last.
    #[tokio::test]
    async fn attack_35_a_crowd_of_one_party_keeps_no_other_waiting() {
        let turns = Turns::new(1);
        let first = turns.take("crowd").await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let wait = |party: &'static str| {
            let (turns, order) = (turns.clone(), order.clone());
            tokio::spawn(async move {
                let turn = turns.take(party).await;
                order.lock().unwrap().push(party);
                drop(turn);
            })
        };
        let mut all: Vec<_> = (0..1000).map(|_| wait("crowd")).collect();
        tokio::task::yield_now().await;
        all.push(wait("other"));
        all.push(wait("third"));
        // One that gives up in between takes nobody's turn along.
        let gone = wait("other");
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        gone.abort();
        drop(first);
        for task in all {
            task.await.unwrap();
        }
        let order = order.lock().unwrap();
        let at = |party: &str| order.iter().position(|known| *known == party).unwrap();
        assert!(at("other") <= 2 && at("third") <= 3, "{} {}", at("other"), at("third"));
        assert_eq!(turns.line().free, 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_more_go_at_once_than_there_are_turns() {
        let (turns, running, most) =
            (Turns::new(2), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = (0..64).map(|at| {
            let (turns, running, most) = (turns.clone(), running.clone(), most.clone());
            tokio::spawn(async move {
                let mut waited = Duration::ZERO;
                let steps = async {
                    for _ in 0..20 {
                        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                    }
                };
                turns.share(&format!("{}", at % 3), &mut waited, steps).await;
            })
        });
        for task in work.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        assert!(most.load(Ordering::SeqCst) <= 2, "{most:?}");
        assert_eq!(turns.line().free, 2);
    }
}
