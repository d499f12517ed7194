//! Fails as it is told to at power-up, and converses like the main program once that has restarted it: what
//! a board does when a program fails can be seen on the serial port.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering};

use embedded_io::{Read, Write};
use firmware::board::failure::{Cause, MANY};
use firmware::board::once::Once;
use firmware::board::{self, Board, Selected, entry};
use firmware::session::{Memory, Session};

static MEMORY: Once<Memory> = Once::new(Memory::new());

/// What the panic says that comes again and again.
const AGAIN: &str = "once more";

/// Asks at the first start, and converses at later ones.
#[entry]
fn main() -> ! {
    fail_before_it_is_up();
    let mut board = board::start();
    match board.failure() {
        None => fail(&mut board),
        Some(failure) => assert!(
            !is_again(&failure.cause) || failure.in_a_row >= MANY,
            "{AGAIN}"
        ),
    }
    let memory = MEMORY.take().expect("the program starts once");
    Session::new(board, board::models(), memory).run()
}

/// How often it is still to fail before the board is up; kept over restarts, and noise after power-up.
// SAFETY: the section holds uninitialized variables only, as this one is.
#[unsafe(link_section = ".uninit.fail")]
static EARLY: MaybeUninit<AtomicU32> = MaybeUninit::uninit();

/// What tells a number from noise, in all but the lowest byte.
const MARK: u32 = u32::from_be_bytes(*b"soo\0");

fn early() -> &'static AtomicU32 {
    // SAFETY: whatever memory holds after power-up is a value.
    unsafe { EARLY.assume_init_ref() }
}

/// Fails at once, if it was told to do so as often.
fn fail_before_it_is_up() {
    let left = early().load(Ordering::Relaxed).wrapping_sub(MARK);
    if (1..=MANY).contains(&left) {
        early().store(MARK + left - 1, Ordering::Relaxed);
        panic!("before it was up");
    }
}

fn is_again(cause: &Cause) -> bool {
    matches!(cause, Cause::Ended(message) if message.ends_with(AGAIN))
}

/// Asks how, and does it.
fn fail(board: &mut Selected) {
    let _ = board.serial().write_all(b"# fail how?\n");
    let mut letter = [0];
    let _ = board.serial().read(&mut letter);
    match letter {
        [b'p'] => panic!("as it was told to"),
        [b'a'] => panic!("{AGAIN}"),
        [b'o'] => drop(black_box(overflow(0))),
        [b'j'] => jump(NOWHERE),
        [b'h'] => hang(board),
        [b'e'] => {
            early().store(MARK + MANY, Ordering::Relaxed);
            board.restart();
        }
        _ => {}
    }
}

/// Where no board has memory.
const NOWHERE: usize = 0x7000_0000;

/// Fills the stack and goes on.
#[inline(never)]
fn overflow(depth: u32) -> u32 {
    let frame = black_box([depth; 16]);
    let deeper = match depth {
        u32::MAX => 0,
        _ => overflow(depth + 1),
    };
    frame
        .iter()
        .fold(deeper, |sum, word| sum.wrapping_add(*word))
}

fn jump(address: usize) {
    // The lowest bit is that of Thumb code.
    let address = black_box(address | usize::from(cfg!(target_arch = "arm")));
    // SAFETY: none; that is what happens here.
    let nowhere: extern "C" fn() =
        unsafe { core::mem::transmute(core::ptr::without_provenance::<()>(address)) };
    nowhere();
}

/// Stands still with the watchdog on.
fn hang(board: &mut Selected) {
    board.feed_watchdog();
    loop {
        core::hint::spin_loop();
    }
}
