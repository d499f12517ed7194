//! Links only while nothing in the engine can panic: its panic handler needs a function that is
//! nowhere to be found. It is never run; a test of the package `host` links it for several cores.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;

use inkling_engine::{Generator, Model, Settings, State};

unsafe extern "C" {
    /// Exists nowhere: a linker that asks for it has found a way from the engine to a panic.
    safe fn the_engine_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    the_engine_can_panic()
}

/// Everything that the engine does, with an image that the compiler knows nothing about.
// SAFETY: no other symbol has this name, which is where the linker begins to look for what is used.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    let mut state = State::any();
    let model = Model::parse(black_box(&[]));
    let settings = black_box(Settings::default());
    let generator =
        model.and_then(|model| Generator::new(model, &mut state, settings, black_box(0)));
    if let Ok(mut generator) = generator {
        generator.restart(black_box(1));
        generator.set_settings(black_box(settings));
        black_box(generator.prompt_char(black_box('a')));
        black_box(generator.next_char());
        black_box(generator.advance(black_box(16)));
        black_box((generator.lstm().cells().last(), generator.lstm().hidden()));
    }
    loop {
        core::hint::spin_loop();
    }
}
