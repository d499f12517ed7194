//! Reports of runs.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inkling_fuzz::runs::report(bytes));
