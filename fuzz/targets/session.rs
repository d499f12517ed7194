//! What happens to a board.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inkling_fuzz::session::session(bytes));
