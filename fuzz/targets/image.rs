//! Sound model images of any numbers, on every kernel.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inkling_fuzz::image::sound(bytes));
