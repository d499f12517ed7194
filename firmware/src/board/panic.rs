//! How a program ends on all boards, by a panic or a fault: its message is kept over a restart and said,
//! and the board restarts.

use core::cell::UnsafeCell;
use core::fmt::{self, Write as _};
use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use embedded_io::Write as _;

use super::failure::{Cause, Clipped, Failure, Message, Record, row_of, row_words};
use super::{Selected, arch};
use crate::protocol::{BREAK, OWN};
use crate::serial::Text;

/// A record is kept as words, as loading and storing a whole one at once takes much code.
const RECORD_WORDS: usize = size_of::<Record>() / size_of::<u32>();

/// Words that start-up neither clears nor fills.
struct Kept<const COUNT: usize>(UnsafeCell<MaybeUninit<[u32; COUNT]>>);

// SAFETY: all accesses are volatile, by the program's one thread or by the handler that has ended it.
unsafe impl<const COUNT: usize> Sync for Kept<COUNT> {}

/// Why the program ended.
// SAFETY: the section holds uninitialized variables only, as this one is.
#[unsafe(link_section = ".uninit.failure")]
static RECORD: Kept<RECORD_WORDS> = Kept::new();

/// How often it failed in a row.
// SAFETY: as above.
#[unsafe(link_section = ".uninit.row")]
static ROW: Kept<2> = Kept::new();

/// Whether the program is ending: a panic on the way leads straight to the restart.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

impl<const COUNT: usize> Kept<COUNT> {
    const fn new() -> Self {
        Kept(UnsafeCell::new(MaybeUninit::uninit()))
    }

    #[inline(never)]
    fn load(&self) -> [u32; COUNT] {
        let mut words = [0; COUNT];
        for (index, word) in words.iter_mut().enumerate() {
            // SAFETY: the kept words are as many. Whatever they hold after power-up is a value, and
            // a volatile read takes it as it is.
            *word = unsafe { self.0.get().cast::<u32>().add(index).read_volatile() };
        }
        words
    }

    #[inline(never)]
    fn store(&self, words: [u32; COUNT]) {
        for (index, word) in words.into_iter().enumerate() {
            // SAFETY: the kept words are as many, and no reference to them exists.
            unsafe { self.0.get().cast::<u32>().add(index).write_volatile(word) };
        }
    }
}

/// Makes the message of the program before this one known, and forgets older ones.
pub(super) fn age_message() {
    let record: Record = bytemuck::cast(RECORD.load());
    RECORD.store(bytemuck::cast(record.aged()));
}

/// Takes note of whether the program starts because it failed.
pub(super) fn count(is_failure: bool) {
    let row = match is_failure {
        true => row_of(ROW.load()).saturating_add(1),
        false => 0,
    };
    ROW.store(row_words(row));
}

/// The program runs well by now: the next failure is the first in a row.
pub(super) fn forget_row() {
    ROW.store(row_words(0));
}

/// Why the program had to restart; the chip tells whether the watchdog was the reason.
pub(super) fn failure(watchdog: bool) -> Option<Failure> {
    let record: Record = bytemuck::cast(RECORD.load());
    let cause = match record.message() {
        Some(message) => Cause::Ended(message),
        None if watchdog => Cause::Watchdog,
        None => return None,
    };
    Some(Failure {
        cause,
        in_a_row: row_of(ROW.load()),
    })
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let Some(place) = info.location() else {
        end(format_args!("panic: {}", info.message()));
    };
    // The libraries' files lie deep.
    let file = match place.file() {
        file if file.starts_with('/') => file.rsplit('/').next().unwrap_or(file),
        file => file,
    };
    end(format_args!(
        "panic: {file}:{}: {}",
        place.line(),
        info.message()
    ))
}

/// Ends the program with a message, which is told after the restart. It says what happened, and is put
/// behind "restarted after a".
#[inline(never)]
pub(super) fn end(what: fmt::Arguments<'_>) -> ! {
    arch::disable_interrupts();
    if IS_ENDING.load(Ordering::Relaxed) {
        arch::restart();
    }
    IS_ENDING.store(true, Ordering::Relaxed);
    let mut message = Message::new();
    // A message that is too long is cut off.
    let _ = Clipped(&mut message).write_fmt(what);
    RECORD.store(bytemuck::cast(Record::new(&message)));
    let mut serial = Selected::last_words();
    let _ = writeln!(Text(&mut serial), "{BREAK}{OWN}{message}");
    let _ = serial.flush();
    #[cfg(feature = "defmt")]
    defmt::error!("{=str}", message.as_str());
    arch::restart()
}
