//! What is sent to a store of models.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inkling_fuzz::store::store(bytes));
