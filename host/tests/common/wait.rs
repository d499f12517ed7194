//! How tests wait: for a state, never for a moment.
//!
//! On a busy machine anything may take long, and what is shown for a moment only may be gone before a
//! test looks. So every wait is patient, what has come is kept, and no test measures time.

use std::process::{Child, Output};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what must happen: many times what the busiest machine takes. It only
/// decides how long a failing test takes.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Waits until there is something, and answers with it.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits for a program to end by itself; one that does not is ended.
#[track_caller]
pub fn ended(mut child: Child) -> Output {
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            panic!("it did not end, and said: {output:?}");
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}
