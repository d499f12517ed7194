//! What `boards.toml` says of the board that this firmware is built for; the build writes it.
#![allow(dead_code, reason = "some boards need less than others")]

include!(concat!(env!("OUT_DIR"), "/facts.rs"));
