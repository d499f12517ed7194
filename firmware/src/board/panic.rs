//! How a program ends on all boards, by a panic or a fault: its message is kept over a restart and said,
//! and the board restarts.

use core::cell::UnsafeCell;
use core::fmt::{self, Write as _};
use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use embedded_io::Write as _;

use super::failure::{Cause, Clipped, Failure, Message, Record};
use super::{Selected, arch};
use crate::protocol::{BREAK, OWN};
use crate::serial::Text;

/// A record's words, as loading and storing a whole one at once takes much code.
type Words = [u32; size_of::<Record>() / size_of::<u32>()];

/// A record that start-up neither clears nor fills.
struct Kept(UnsafeCell<MaybeUninit<Words>>);

// SAFETY: all accesses are volatile, by the program's one thread or by the handler that has ended it.
unsafe impl Sync for Kept {}

// SAFETY: the section holds uninitialized variables only, as this one is.
#[unsafe(link_section = ".uninit.failure")]
static KEPT: Kept = Kept(UnsafeCell::new(MaybeUninit::uninit()));

/// Whether the program is ending: a panic on the way leads straight to the restart.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

impl Kept {
    #[inline(never)]
    fn load(&self) -> Record {
        let mut words: Words = [0; _];
        for (index, word) in words.iter_mut().enumerate() {
            // SAFETY: the kept words are as many. Whatever they hold after power-up is a value, and
            // a volatile read takes it as it is.
            *word = unsafe { self.0.get().cast::<u32>().add(index).read_volatile() };
        }
        bytemuck::cast(words)
    }

    #[inline(never)]
    fn store(&self, record: &Record) {
        let words: &Words = bytemuck::cast_ref(record);
        for (index, word) in words.iter().enumerate() {
            // SAFETY: the kept words are as many, and no reference to them exists.
            unsafe { self.0.get().cast::<u32>().add(index).write_volatile(*word) };
        }
    }

    fn update(&self, change: impl FnOnce(&mut Record)) {
        let mut record = self.load();
        change(&mut record);
        self.store(&record);
    }
}

/// Makes the message of the program before this one known, and forgets older ones.
pub(super) fn age_message() {
    KEPT.update(Record::age);
}

/// The program is up. Where it has not failed, the next failure is the first in a row; what had a message has
/// been counted with that, so that failures count before it is up, too.
pub(super) fn count_start(failure: Option<Failure>) {
    match failure.map(|failure| failure.cause) {
        Some(Cause::Ended(_)) => {}
        Some(Cause::Watchdog) => KEPT.update(|record| record.count(true)),
        None => forget_failures(),
    }
}

/// The program runs well: the next failure is the first in a row.
pub(super) fn forget_failures() {
    KEPT.update(|record| record.count(false));
}

/// Why the program had to restart; the chip tells whether the watchdog was the reason.
pub(super) fn failure(watchdog: bool) -> Option<Failure> {
    let record = KEPT.load();
    let cause = match record.message() {
        Some(message) => Cause::Ended(message),
        None if watchdog => Cause::Watchdog,
        None => return None,
    };
    Some(Failure {
        cause,
        in_a_row: record.in_a_row(),
    })
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let Some(place) = info.location() else {
        end(format_args!("panic: {}", info.message()));
    };
    // The libraries' files lie deep.
    let file = place.file();
    let last = file.bytes().rposition(|byte| byte == b'/');
    let file = match last {
        Some(last) if file.starts_with('/') => file.get(last + 1..).unwrap_or(file),
        _ => file,
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
    KEPT.update(|record| {
        record.write(&message);
        record.count(true);
    });
    let mut serial = Selected::last_words();
    let _ = writeln!(Text(&mut serial), "{BREAK}{OWN}{message}");
    let _ = serial.flush();
    #[cfg(feature = "defmt")]
    defmt::error!("{=str}", message.as_str());
    arch::restart()
}
