//! Signals that ask the program to end, for commands that end in an orderly way.
//!
//! Ctrl-C, a polite `kill` and a terminal that is closed are one thing here: a flag to look at.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Once};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag as on_signal;

use crate::note;

/// The signals that ask for an orderly end.
#[cfg(unix)]
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// What a shell adds to the number of the signal that ended a program.
const EXIT_CODE_OF_SIGNAL_0: u8 = 128;

static HAPPENED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The signal that came last.
static SIGNAL: LazyLock<Arc<AtomicUsize>> =
    LazyLock::new(|| Arc::new(AtomicUsize::new(SIGINT as usize)));

/// From now on SIGINT, SIGTERM and SIGHUP only set what [`happened`] tells; a second SIGINT ends the
/// program at once. More than one call does no harm.
///
/// A signal that the program was started to ignore, as `nohup` does, stays ignored on Linux.
pub fn watch() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        let ignored = ignored();
        for signal in SIGNALS {
            if ignored & (1 << (signal - 1)) == 0
                && let Err(error) = register(signal)
            {
                note!("signal {signal} will end this at once: {error}");
            }
        }
    });
}

fn register(signal: i32) -> std::io::Result<()> {
    if signal == SIGINT {
        // What is registered first runs first, so the first Ctrl-C finds its flag unset.
        let pressed = Arc::new(AtomicBool::new(false));
        let status = i32::from(exit_code_of(signal));
        on_signal::register_conditional_shutdown(signal, status, Arc::clone(&pressed))?;
        on_signal::register(signal, pressed)?;
    }
    on_signal::register_usize(signal, Arc::clone(&SIGNAL), signal as usize)?;
    on_signal::register(signal, Arc::clone(&HAPPENED))?;
    Ok(())
}

/// The signals that are ignored, as a set of bits, as far as the system tells.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// Whether the program has been asked to end.
#[must_use]
pub fn happened() -> bool {
    HAPPENED.load(Ordering::Relaxed)
}

/// The exit code of a program that was asked to end: 130 after Ctrl-C, 143 after SIGTERM, 129 after
/// SIGHUP.
#[must_use]
pub fn exit_code() -> u8 {
    exit_code_of(SIGNAL.load(Ordering::Relaxed) as i32)
}

fn exit_code_of(signal: i32) -> u8 {
    u8::try_from(signal).map_or(u8::MAX, |signal| {
        EXIT_CODE_OF_SIGNAL_0.saturating_add(signal)
    })
}

/// What [`happened`] tells, as a flag to hand on.
#[must_use]
pub fn flag() -> Arc<AtomicBool> {
    Arc::clone(&HAPPENED)
}
