//! Quantized tensors of a model.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inkling_fuzz::files::integers(bytes));
