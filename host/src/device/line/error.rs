//! What can go wrong on a line to a board, each in one sentence with what to do.

use std::io;

use crate::device::DeviceError;

/// Why a board cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// No board was found.
    #[error("no board was found: plug one in, or name its serial port with --port{}", in_brackets(.others))]
    NoBoard {
        /// Serial ports that are none of a known board.
        others: Vec<String>,
    },
    /// More than one board was found.
    #[error("several boards are there: name the serial port of one with --port: {}", .ports.join("; "))]
    Several {
        /// Their ports with what they are.
        ports: Vec<String>,
    },
    /// The port does not exist.
    #[error("there is no serial port {port}: plug the board in, or see `inkling monitor --list`")]
    NoPort {
        /// What was asked for.
        port: String,
    },
    /// Somebody else has it open.
    #[error("{port} is in use: close the program that has it open, such as another monitor")]
    Busy {
        /// The port.
        port: String,
    },
    /// The user may not open it.
    #[error("you may not open {port}: {advice}")]
    Permission {
        /// The port.
        port: String,
        /// What to do about it.
        advice: String,
    },
    /// The address after `tcp:` is none, or nobody listens there.
    #[error("cannot connect to {port}: {reason}; write it as tcp:HOST:PORT")]
    Address {
        /// What was asked for.
        port: String,
        /// The system's reason.
        reason: io::Error,
    },
    /// The port cannot be opened for another reason.
    #[error("cannot open {port}: {reason}")]
    Open {
        /// The port.
        port: String,
        /// The system's reason.
        reason: String,
    },
    /// The emulator ended.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl LineError {
    /// Whether the board may be there a moment later: waiting can mend it.
    pub(super) fn may_pass(&self) -> bool {
        // While a board is enumerated, its port exists before its permissions are set.
        !matches!(self, LineError::Several { .. })
    }
}

fn in_brackets(ports: &[String]) -> String {
    match ports {
        [] => String::new(),
        ports => format!(" ({})", ports.join("; ")),
    }
}
