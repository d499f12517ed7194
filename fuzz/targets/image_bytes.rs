//! Model images, as any bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inkling_fuzz::image::raw(bytes));
