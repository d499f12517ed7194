//! Ctrl-C, for commands that end in an orderly way.

use crate::note;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static HAPPENED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C only sets what [`happened`] tells. More than one call does no harm.
pub fn watch() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        if let Err(error) = ctrlc::set_handler(|| HAPPENED.store(true, Ordering::Relaxed)) {
            note!("Ctrl-C will end this at once: {error}");
        }
    });
}

/// Whether the user has pressed Ctrl-C.
pub fn happened() -> bool {
    HAPPENED.load(Ordering::Relaxed)
}
