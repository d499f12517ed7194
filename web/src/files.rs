//! Files for boards that show themselves as drives: a firmware with the model that was chosen, put together by
//! the code that `inkling flash` has for it.

use inkling_engine::AlignedImage;
use inkling_load::{ModelPlace, uf2};

/// A UF2 file for chips of a family: what another one holds for it, with a model at its place.
///
/// # Errors
/// A sentence about what does not fit together.
pub fn combine(
    firmware: &[u8],
    image: &[u8],
    family: u32,
    place: ModelPlace,
) -> Result<Vec<u8>, String> {
    AlignedImage::new(image)
        .model()
        .map_err(|error| error.to_string())?;
    if image.len() > place.bytes as usize {
        return Err(format!(
            "the model has {} bytes, and the board has room for {}",
            image.len(),
            place.bytes
        ));
    }
    let mut families = uf2::decode(firmware).map_err(|error| format!("the firmware: {error}"))?;
    let mut load = families
        .remove(&Some(family))
        .ok_or("the firmware is for another board")?;
    match place.fill(&mut load, Some(image)) {
        Ok(true) => Ok(uf2::encode(&load, family)),
        Ok(false) => Err("the firmware reaches into the place of models".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkling_load::Load;

    const FAMILY: u32 = 0xE48B_FF56;

    #[test]
    fn a_file_holds_firmware_and_model_and_nothing_of_the_model_before() {
        let mut load = Load::default();
        load.insert(0x1000_0000, &[1; 9000]).unwrap();
        let mut with_other = load.clone();
        with_other.insert(0x1010_0000, &[0xFF; 256]).unwrap();
        let firmware = uf2::encode(&with_other, FAMILY);
        let image = inkling_engine::writer::made_up(9, 10, 1, 1);
        let place = |address, bytes| ModelPlace {
            address,
            bytes,
            takes_models: false,
        };
        let usual = place(0x1010_0000, 1 << 20);
        let file = combine(&firmware, image.bytes(), FAMILY, usual).unwrap();
        // Files have whole sectors, filled up with zeros.
        let read = uf2::decode(&file).unwrap().remove(&Some(FAMILY)).unwrap();
        let parts: Vec<_> = read.parts().collect();
        let [(0x1000_0000, program), (0x1010_0000, model)] = parts[..] else {
            panic!("{} parts", parts.len());
        };
        assert_eq!((program[0], program.len()), (1, 3 * 4096));
        assert_eq!(model[..image.bytes().len()], *image.bytes());

        let (small, within) = (place(0x1010_0000, 100), place(0x1000_1000, 1 << 20));
        for (image, family, place, sentence) in [
            (&b"INKL"[..], FAMILY, usual, "cut short"),
            (image.bytes(), FAMILY, small, "has room for 100"),
            (image.bytes(), 7, usual, "another board"),
            (image.bytes(), FAMILY, within, "reaches into"),
        ] {
            let error = combine(&firmware, image, family, place).unwrap_err();
            assert!(error.contains(sentence), "{error}");
        }
        assert!(combine(b"no", image.bytes(), FAMILY, usual).is_err());
    }
}
