//! Files for boards that show themselves as drives: a firmware with the model that was chosen, put together by
//! the code that `inkling flash` has for it.

use inkling_engine::AlignedImage;
use inkling_load::{Footprint, Load, ModelPlace, elf, uf2};

/// A UF2 file for chips of a family: what another one holds for it, with a model at its place.
///
/// # Errors
/// A sentence about what does not fit together.
pub fn uf2(
    firmware: &[u8],
    image: &[u8],
    family: u32,
    place: ModelPlace,
) -> Result<Vec<u8>, String> {
    let mut families = uf2::decode(firmware).map_err(|error| unusable(&error))?;
    let load = families
        .remove(&Some(family))
        .ok_or("the firmware is for another board")?;
    Ok(uf2::encode(&with_model(load, image, place)?, family))
}

/// An Intel hex file: what another one holds, with a model at its place.
///
/// # Errors
/// A sentence about what does not fit together.
pub fn hex(firmware: &[u8], image: &[u8], place: ModelPlace) -> Result<Vec<u8>, String> {
    let firmware = String::from_utf8_lossy(firmware);
    let load = Load::from_hex(&firmware).map_err(|error| unusable(&error))?;
    in_hex(&with_model(load, image, place)?)
}

/// An Intel hex file of a linked firmware that has the model in its midst: the model that it has is replaced by
/// this one.
///
/// # Errors
/// A sentence about what does not fit together.
pub fn hex_of_elf(firmware: &[u8], image: &[u8]) -> Result<Vec<u8>, String> {
    check(image)?;
    let room = Footprint::read(firmware).map_err(|error| unusable(&error))?;
    check_room(image, room.model_bytes)?;
    let mut firmware = firmware.to_vec();
    elf::replace_model(&mut firmware, image).map_err(|error| unusable(&error))?;
    in_hex(&Load::from_elf(&firmware).map_err(|error| unusable(&error))?)
}

fn with_model(mut load: Load, image: &[u8], place: ModelPlace) -> Result<Load, String> {
    check(image)?;
    check_room(image, place.bytes.into())?;
    match place.fill(&mut load, Some(image)) {
        Ok(true) => Ok(load),
        Ok(false) => Err("the firmware reaches into the place of models".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn check(image: &[u8]) -> Result<(), String> {
    let image = AlignedImage::new(image);
    image.model().map(drop).map_err(|error| error.to_string())
}

fn check_room(image: &[u8], room: u64) -> Result<(), String> {
    let bytes = image.len();
    match bytes as u64 > room {
        true => Err(format!(
            "the model has {bytes} bytes, and the board has room for {room}"
        )),
        false => Ok(()),
    }
}

fn in_hex(load: &Load) -> Result<Vec<u8>, String> {
    let hex = load.to_hex().map_err(|error| error.to_string())?;
    Ok(hex.into_bytes())
}

fn unusable(error: &dyn std::fmt::Display) -> String {
    format!("the firmware: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let file = uf2(&firmware, image.bytes(), FAMILY, usual).unwrap();
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
            let error = uf2(&firmware, image, family, place).unwrap_err();
            assert!(error.contains(sentence), "{error}");
        }
        assert!(uf2(b"no", image.bytes(), FAMILY, usual).is_err());
    }

    #[test]
    fn a_hex_file_holds_firmware_and_model_at_their_places() {
        let mut load = Load::default();
        load.insert(0, &[1; 9000]).unwrap();
        load.insert(0x4_0000, &[0xFF; 256]).unwrap();
        let firmware = load.to_hex().unwrap().into_bytes();
        let image = inkling_engine::writer::made_up(9, 10, 1, 1);
        let place = |bytes| ModelPlace {
            address: 0x4_0000,
            bytes,
            takes_models: false,
        };
        let file = hex(&firmware, image.bytes(), place(1 << 18)).unwrap();
        let read = Load::from_hex(str::from_utf8(&file).unwrap()).unwrap();
        let parts: Vec<_> = read.parts().collect();
        assert_eq!(parts, [(0, &[1; 9000][..]), (0x4_0000, image.bytes())]);
        let error = hex(&firmware, image.bytes(), place(100)).unwrap_err();
        assert!(error.contains("has room for 100"), "{error}");
        let error = hex(b"no", image.bytes(), place(1 << 18)).unwrap_err();
        assert!(error.starts_with("the firmware: "), "{error}");
        let error = hex_of_elf(b"no", image.bytes()).unwrap_err();
        assert!(error.starts_with("the firmware: "), "{error}");
        assert!(
            hex_of_elf(b"no", b"no")
                .unwrap_err()
                .contains("not a model")
        );
    }
}
