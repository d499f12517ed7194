//! What a board is sent.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inkling_fuzz::console::typed(bytes));
