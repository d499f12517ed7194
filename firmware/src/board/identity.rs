//! What others tell a board with this firmware by: its USB identity, and the mark in its flash.
//!
//! The PC's programs take it from here too. Whoever makes boards for others sets it in this one place.

/// The USB vendor: 0x1209 is pid.codes', who give free products of theirs to open projects.
///
/// Together with the product 0x0001 it is what pid.codes keep for private tests: anybody's device may
/// have it, and none may be handed on with it. **Before you hand boards or firmware files to others,
/// get an identity of your own**, for example from <https://pid.codes>, and set both, here or in the
/// environment of every build, as `INKLING_USB_VENDOR` and `INKLING_USB_PRODUCT`: the firmware says
/// it, `inkling` finds boards by it, and `inkling flash --udev` allows it.
pub const USB_VENDOR: u16 = match option_env!("INKLING_USB_VENDOR") {
    Some(number) => hexadecimal(number),
    None => 0x1209,
};

/// The USB product, see [`USB_VENDOR`].
pub const USB_PRODUCT: u16 = match option_env!("INKLING_USB_PRODUCT") {
    Some(number) => hexadecimal(number),
    None => 0x0001,
};

/// Whether the identity is the one for tests, with which nothing may be handed on.
pub const IS_FOR_TESTS: bool = USB_VENDOR == 0x1209 && USB_PRODUCT <= 0x0010;

/// What stands before the board's name where the PC shows the USB device.
pub const USB_PRODUCT_PREFIX: &str = "Inkling on ";

/// What stands before the board's name in the firmware's flash; [`MARK_END`] stands behind it.
pub const MARK: &str = "Inkling firmware for ";

/// What ends the mark.
pub const MARK_END: u8 = b'\n';

/// A number such as `1209` or `0x1209`.
///
/// # Panics
/// When it is none of 16 bits; in a constant, that ends the build.
const fn hexadecimal(text: &str) -> u16 {
    let digits = match text.as_bytes() {
        [b'0', b'x' | b'X', digits @ ..] => digits,
        digits => digits,
    };
    // The compiler's own parser would take a sign too.
    assert!(
        matches!(digits, [b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]),
        "INKLING_USB_VENDOR and INKLING_USB_PRODUCT take hexadecimal numbers such as 0x1209"
    );
    let Ok(text) = core::str::from_utf8(digits) else {
        panic!("digits are text");
    };
    match u16::from_str_radix(text, 16) {
        Ok(number) => number,
        Err(_) => panic!(
            "INKLING_USB_VENDOR and INKLING_USB_PRODUCT take hexadecimal numbers such as 0x1209"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::hexadecimal;

    #[test]
    fn an_identity_is_read_with_and_without_its_prefix() {
        assert_eq!(hexadecimal("1209"), 0x1209);
        assert_eq!(hexadecimal("0xCafe"), 0xCAFE);
        for wrong in ["", "0x", "+12", "12345", "vendor"] {
            assert!(std::panic::catch_unwind(|| hexadecimal(wrong)).is_err());
        }
    }
}
