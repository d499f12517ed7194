//! A static variable whose memory is handed out once.

use core::cell::{Cell, UnsafeCell};

use critical_section::Mutex;

/// A value that someone may take for ever.
pub struct Once<T> {
    value: UnsafeCell<T>,
    is_taken: Mutex<Cell<bool>>,
}

// SAFETY: only `take` gives access to the value, and it does so once.
unsafe impl<T: Send> Sync for Once<T> {}

impl<T> Once<T> {
    /// A value that nobody has taken yet.
    pub const fn new(value: T) -> Self {
        Once {
            value: UnsafeCell::new(value),
            is_taken: Mutex::new(Cell::new(false)),
        }
    }

    /// Takes it; `None` if somebody has it.
    #[allow(clippy::mut_from_ref, reason = "it answers with one reference ever")]
    pub fn take(&'static self) -> Option<&'static mut T> {
        if critical_section::with(|section| self.is_taken.borrow(section).replace(true)) {
            return None;
        }
        // SAFETY: nobody else has taken it, and nobody will.
        Some(unsafe { &mut *self.value.get() })
    }
}
