//! ASCII forms of characters, as the library unidecode has them: `build.rs` writes its table more briefly.

/// All forms, one in or behind the other.
const FORMS: &str = include_str!(concat!(env!("OUT_DIR"), "/forms.txt"));

/// For each character up to the last one that has a form, four bytes: where it starts, and in the lowest byte
/// how long it is.
const PLACES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/places.bin"));

/// The ASCII form of a character; nothing where there is none.
pub(crate) fn ascii(c: char) -> &'static str {
    let (places, _) = PLACES.as_chunks();
    let place = places
        .get(c as usize)
        .copied()
        .map_or(0, u32::from_le_bytes);
    let (start, length) = (place as usize >> 8, place as usize & 0xFF);
    FORMS.get(start..start + length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_has_the_form_that_the_library_gives_it() {
        for c in '\0'..=char::MAX {
            assert_eq!(ascii(c), unidecode::unidecode_char(c), "{c:?}");
        }
        assert_eq!(ascii('北'), "Bei ");
    }

    #[test]
    fn the_table_is_brief() {
        assert!(
            PLACES.len() + FORMS.len() < 350_000,
            "{} + {}",
            PLACES.len(),
            FORMS.len()
        );
    }
}
