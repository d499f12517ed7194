//! Writes the transliterations of all characters as a text and where in it each lies. The library's own table
//! has an address for each, which makes two and a half megabytes of a program for a tenth of that.

#![allow(clippy::disallowed_macros, reason = "cargo is told things so")]

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    let mut all: Vec<&str> = ('\0'..=char::MAX).map(unidecode::unidecode_char).collect();
    let mut places = Vec::new();
    let mut known = HashMap::new();
    let mut text = String::new();
    // The longest first, for many a short one lies in a long one.
    all.sort_unstable_by_key(|form| std::cmp::Reverse(form.len()));
    for form in all {
        known.entry(form).or_insert_with(|| {
            let start = text.find(form).unwrap_or_else(|| {
                text.push_str(form);
                text.len() - form.len()
            });
            start << 8 | form.len()
        });
    }
    for code in 0..=u32::from(char::MAX) {
        // What is no character has no form, and behind the basic plane there are none.
        let form = char::from_u32(code).map_or("", unidecode::unidecode_char);
        places.push(u32::try_from(known[form])?);
    }
    let end = places.iter().rposition(|place| place & 0xFF != 0);
    places.truncate(end.map_or(0, |end| end + 1));
    let out = env::var("OUT_DIR")?;
    let places: Vec<u8> = places.into_iter().flat_map(u32::to_le_bytes).collect();
    fs::write(Path::new(&out).join("places.bin"), places)?;
    fs::write(Path::new(&out).join("forms.txt"), text)?;
    Ok(())
}
