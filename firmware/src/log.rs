//! Logging that costs nothing where it is off: defmt with the feature `defmt`, else nothing.
//!
//! Logs go to the debug channel only and never into the text on the serial port.

/// Logs what a person following the board's work wants to see.
macro_rules! info {
    ($format:literal $(, $value:expr)* $(,)?) => {{
        #[cfg(feature = "defmt")]
        ::defmt::info!($format $(, $value)*);
        #[cfg(not(feature = "defmt"))]
        let _ = ($(&$value,)*);
    }};
}

/// Logs what should not happen and was survived.
macro_rules! warning {
    ($format:literal $(, $value:expr)* $(,)?) => {{
        #[cfg(feature = "defmt")]
        ::defmt::warn!($format $(, $value)*);
        #[cfg(not(feature = "defmt"))]
        let _ = ($(&$value,)*);
    }};
}

pub(crate) use {info, warning};
