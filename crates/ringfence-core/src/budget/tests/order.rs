//! Parts are locked in ascending order, whichever a message touches first: so no two messages wait for each other.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard};

use super::super::{Counts, Latch, Limit, Subject, Subjects, Table, Usages};
use super::{ONE, address, limit, payer};

thread_local! {
    /// Where the locks are that this thread has taken, in its order.
    static TAKEN: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// The system's mutex, and a note of where it is.
#[derive(Debug)]
enum Noted {}

impl Latch for Noted {
    type Of<T: Debug> = Mutex<T>;
    type Held<'a, T: Debug + 'a> = MutexGuard<'a, T>;

    fn around<T: Debug>(value: T) -> Mutex<T> {
        Mutex::new(value)
    }

    fn lock<T: Debug>(of: &Mutex<T>) -> MutexGuard<'_, T> {
        TAKEN.with_borrow_mut(|taken| taken.push(std::ptr::from_ref(of).addr()));
        of.lock().unwrap()
    }
}

#[test]
fn parts_are_locked_in_ascending_order() {
    let pair = Subjects::from(Subject::Address).with(Subject::Operation);
    let limits = vec![
        limit(Subject::Address, Counts::Requests, 1, 1000),
        Limit::fixed("pair", pair, Counts::Requests, 1, 1000),
        limit(Subject::Network, Counts::Requests, 999, 1000),
    ];
    let table: Table<Noted> = Table::new(limits, 1_000_000).unwrap();
    let mut otherwise = 0;
    for n in 0..=255 {
        let payer = payer(address(n), None);
        otherwise += usize::from(!table.parts_of(&payer).is_sorted());
        let _charged = table.take(&payer, ONE, 5, &mut Usages::default());
        let taken = TAKEN.take();
        assert!(
            (1..=3).contains(&taken.len()) && taken.is_sorted(),
            "{taken:?}"
        );
    }
    // Most touch them in another.
    assert!(otherwise > 100);
}
