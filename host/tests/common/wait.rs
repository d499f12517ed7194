//! How tests wait: for a state, never for a moment.
//!
//! On a busy machine anything may take long, and what is shown for a moment only may be gone before a
//! test looks. So every wait is patient, what has come is kept, and no test measures time.

use std::process::{Child, ExitStatus, Output};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what must happen: many times what the busiest machine takes. It only
/// decides how long a failing test takes.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Waits for a program to end by itself; one that does not is ended.
#[track_caller]
pub fn wait_for_end(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it did not end");
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// The same, and answers with what it has printed, which must be little or read meanwhile.
#[track_caller]
pub fn ended(mut child: Child) -> Output {
    wait_for_end(&mut child);
    child.wait_with_output().unwrap()
}
