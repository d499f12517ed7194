//! UF2 files.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| inkling_fuzz::files::uf2_file(bytes));
