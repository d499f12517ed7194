//! What the program needs from a board, and the board it is built for.
//!
//! Each board is one file here (boards that differ only in addresses share one), one cargo feature of the
//! same name, and one entry in the table `boards.toml`, which the module `facts` takes constants from.
//! With no board feature, as on the PC, only the trait, the words about failures and what a board is
//! told by remain.
//!
//! Besides the trait a board has three functions: `start` brings it up; `last_words` gives a port for
//! the last message of a panic and `clock` the time for logs, both with nothing else to rely on. Chips
//! with a boot loader on USB have `restart_into_boot_loader` too.

use embedded_hal::digital::OutputPin;
use embedded_io::{Read, ReadReady, Write};

use failure::Failure;
use inkling_store::Keeper;

pub mod failure;
pub mod identity;
#[cfg(not(target_os = "none"))]
pub mod wired;

/// The hardware behind the program: a serial line, a clock, a light and perhaps some entropy.
pub trait Board {
    /// The name under which the host knows the board; also its cargo feature.
    const NAME: &'static str;

    /// How fast [`Board::ticks`] counts.
    const TICKS_PER_SECOND: u32;

    /// The serial port that carries text and console.
    ///
    /// Writing may wait for a UART to drain, but must not wait for a reader that may never come: a
    /// port that nobody reads answers `Ok(0)`.
    type Serial: Read + ReadReady + Write;

    /// The activity light.
    type Led: OutputPin;

    /// The serial port.
    fn serial(&mut self) -> &mut Self::Serial;

    /// The activity light.
    fn led(&mut self) -> &mut Self::Led;

    /// A counter that runs at [`Board::TICKS_PER_SECOND`] and wraps around.
    fn ticks(&mut self) -> u32;

    /// True randomness for the first seed; `None` where there is none, as on emulators.
    fn entropy(&mut self) -> Option<u64>;

    /// The most bytes of stack that were in use since start-up, where that is known.
    fn deepest_stack(&self) -> Option<usize> {
        None
    }

    /// Restarts the board some seconds after the last call, so that it cannot hang for ever; the
    /// first call arms it. Boards without a watchdog do nothing.
    fn feed_watchdog(&mut self) {}

    /// The program has run well for a while: failures in a row are counted from here.
    fn is_well(&mut self) {}

    /// Why the program had to restart, if it had to.
    fn failure(&self) -> Option<Failure> {
        None
    }

    /// Copies a model to where reading it takes less time than from flash, if there is such a place
    /// and it has the room.
    fn copy_to_ram(_image: &[u8]) -> Option<&'static [u8]> {
        None
    }

    /// What keeps models in the board's flash, where the program can write there.
    fn store(&mut self) -> Option<&mut dyn Keeper> {
        None
    }

    /// Restarts the program. What the board has said has left it by then, or is lost.
    fn restart(&mut self) {
        #[cfg(all(feature = "board", target_os = "none"))]
        arch::restart();
    }

    /// Whether [`Board::start_boot_loader`] does anything.
    fn has_boot_loader(&self) -> bool {
        false
    }

    /// Restarts the board into the boot loader of its chip, which takes a new program over USB. Where
    /// there is one, this does not return.
    fn start_boot_loader(&mut self) {}

    /// Whether a reader has opened the serial port since the last call. A port that cannot tell
    /// answers no.
    fn has_new_reader(&mut self) -> bool {
        false
    }
}

// What follows is for firmware: the board that it is built for, and what its core needs.

#[cfg(all(feature = "cortex-m", target_os = "none"))]
mod cortex_m;
#[cfg(all(feature = "esp32c3", target_os = "none"))]
mod esp32c3;
#[cfg(feature = "board")]
pub(crate) mod facts;
#[cfg(all(any(feature = "microbit", feature = "nrf52"), target_os = "none"))]
mod guard;
#[cfg(all(feature = "board", target_os = "none"))]
mod image;
#[cfg(all(any(feature = "microbit", feature = "stm32f4"), target_os = "none"))]
mod inbox;
#[cfg(all(feature = "board", feature = "defmt", target_os = "none"))]
mod logger;
#[cfg(all(feature = "microbit", target_os = "none"))]
mod microbit;
#[cfg(all(feature = "store", target_os = "none"))]
mod model_flash;
#[cfg(all(feature = "mps2", target_os = "none"))]
mod mps2;
#[cfg(all(feature = "nrf52", target_os = "none"))]
mod nrf52;
#[cfg(all(feature = "board", target_os = "none"))]
pub mod once;
#[cfg(all(feature = "board", target_os = "none"))]
mod panic;
pub mod patience;
#[cfg(all(feature = "board", target_os = "none"))]
mod port;
#[cfg(all(feature = "board", target_os = "none"))]
#[allow(
    dead_code,
    reason = "boards over a hardware abstraction layer need none"
)]
mod register;
#[cfg(all(any(feature = "esp32c3", feature = "riscv-virt"), target_os = "none"))]
mod riscv;
#[cfg(all(feature = "riscv-virt", target_os = "none"))]
mod riscv_virt;
#[cfg(all(feature = "stm32f4", target_os = "none"))]
mod stm32f4;

#[cfg(all(feature = "rp", target_os = "none"))]
mod pico;
#[cfg(all(feature = "usb", target_os = "none"))]
mod usb;

#[cfg(all(feature = "cortex-m", target_os = "none"))]
use self::cortex_m as arch;
#[cfg(all(any(feature = "esp32c3", feature = "riscv-virt"), target_os = "none"))]
use self::riscv as arch;

#[cfg(all(feature = "board", target_os = "none"))]
pub use arch::{entry, spin};
/// The board that this firmware is built for.
#[cfg(all(feature = "esp32c3", target_os = "none"))]
pub use esp32c3::Esp32c3 as Selected;
#[cfg(all(feature = "board", target_os = "none"))]
pub use image::{linked_image, models};
/// The board that this firmware is built for.
#[cfg(all(feature = "microbit", target_os = "none"))]
pub use microbit::Microbit as Selected;
/// The board that this firmware is built for.
#[cfg(all(feature = "mps2", target_os = "none"))]
pub use mps2::Mps2 as Selected;
/// The board that this firmware is built for.
#[cfg(all(feature = "nrf52", target_os = "none"))]
pub use nrf52::Nrf52 as Selected;
/// The board that this firmware is built for.
#[cfg(all(feature = "rp", target_os = "none"))]
pub use pico::Pico as Selected;
/// The board that this firmware is built for.
#[cfg(all(feature = "riscv-virt", target_os = "none"))]
pub use riscv_virt::RiscvVirt as Selected;
/// The board that this firmware is built for.
#[cfg(all(feature = "stm32f4", target_os = "none"))]
pub use stm32f4::Stm32f4 as Selected;

/// Brings up the board.
#[cfg(all(feature = "board", target_os = "none"))]
#[must_use]
pub fn start() -> Selected {
    arch::guard_stack();
    panic::age_message();
    let board = Selected::start();
    panic::count_start(board.failure());
    board
}
