//! The panic handler of all boards: keeps the message over a restart, says it, and restarts.

use core::cell::UnsafeCell;
use core::fmt::Write as _;
use core::mem::MaybeUninit;
use core::panic::PanicInfo;

use embedded_io::Write as _;

use super::failure::{Clipped, Failure, Message, Record};
use super::{Selected, arch};
use crate::protocol::{BREAK, OWN};
use crate::serial::Text;

/// A record's words, as loading and storing a whole one at once takes much code.
type Words = [u32; size_of::<Record>() / size_of::<u32>()];

/// A record that start-up neither clears nor fills.
struct Kept(UnsafeCell<MaybeUninit<Words>>);

// SAFETY: all accesses are volatile, by the program's one thread or by the panic handler that has
// ended it.
unsafe impl Sync for Kept {}

// SAFETY: the section holds uninitialized variables only, as this one is.
#[unsafe(link_section = ".uninit.failure")]
static KEPT: Kept = Kept(UnsafeCell::new(MaybeUninit::uninit()));

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
    fn store(&self, record: Record) {
        let words: Words = bytemuck::cast(record);
        for (index, word) in words.into_iter().enumerate() {
            // SAFETY: the kept words are as many, and no reference to them exists.
            unsafe { self.0.get().cast::<u32>().add(index).write_volatile(word) };
        }
    }
}

/// Makes the message of the program before this one known, and forgets older ones.
pub(super) fn age_message() {
    KEPT.store(KEPT.load().aged());
}

/// Why the program had to restart; the chip tells whether the watchdog was the reason.
pub(super) fn failure(watchdog: bool) -> Option<Failure> {
    match KEPT.load().message() {
        Some(message) => Some(Failure::Panic(message)),
        None => watchdog.then_some(Failure::Watchdog),
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    arch::disable_interrupts();
    let mut message = Message::new();
    // A message that is too long is cut off.
    let mut clipped = Clipped(&mut message);
    let _ = match info.location() {
        Some(place) => write!(
            clipped,
            "{}:{}: {}",
            place.file(),
            place.line(),
            info.message()
        ),
        None => write!(clipped, "{}", info.message()),
    };
    KEPT.store(Record::new(&message));
    let mut serial = Selected::last_words();
    let _ = writeln!(Text(&mut serial), "{BREAK}{OWN}panic: {message}");
    let _ = serial.flush();
    #[cfg(feature = "defmt")]
    defmt::error!("panic: {=str}", message.as_str());
    arch::restart()
}
