//! Serial ports: which of them are boards, and how one is opened.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use serialport::{ErrorKind, SerialPortInfo, SerialPortType, UsbPortInfo};

use super::error::LineError;
use crate::device::Board;

/// What every board's UART runs at; USB ports take any speed.
const BAUD: u32 = 115_200;

/// How long a read waits before the caller gets its turn; writing may take as long per piece.
pub(super) const TICK: Duration = Duration::from_millis(20);

/// How long a connection over the network may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// What stands before an address on the network.
const TCP: &str = "tcp:";

/// What our own firmware calls its USB port, followed by the board's name.
const PRODUCT: &str = "Inkling on ";

/// The USB identity of a port that a board's console may be behind.
struct Identity {
    vendor: u16,
    /// `None` for all of the vendor's.
    product: Option<u16>,
    what: &'static str,
    boards: &'static [&'static str],
}

/// All of them. The first is our own, and only with [`PRODUCT`]: the identity is one for anybody.
const IDENTITIES: [Identity; 5] = [
    Identity {
        vendor: 0x1209,
        product: Some(0x0001),
        what: "Inkling",
        boards: &[],
    },
    Identity {
        vendor: 0x0D28,
        product: Some(0x0204),
        what: "DAPLink",
        boards: &["microbit", "microbit-v2"],
    },
    Identity {
        vendor: 0x1366,
        product: None,
        what: "J-Link",
        boards: &["nrf52840-dk"],
    },
    Identity {
        vendor: 0x0483,
        product: None,
        what: "ST-Link",
        boards: &["blackpill"],
    },
    Identity {
        vendor: 0x303A,
        product: Some(0x1001),
        what: "Espressif USB serial",
        boards: &["esp32c3"],
    },
];

impl Identity {
    fn of(usb: &UsbPortInfo) -> Option<&'static Identity> {
        IDENTITIES.iter().find(|identity| {
            identity.vendor == usb.vid && identity.product.is_none_or(|product| product == usb.pid)
        })
    }
}

/// A serial port that the system has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The name to open it by.
    pub name: String,
    /// What it is, as far as the system tells.
    pub what: String,
    /// The boards that it may be; none for a port of something else.
    pub boards: Vec<String>,
    /// It is our firmware that speaks USB there.
    is_own: bool,
}

impl Port {
    fn new(info: SerialPortInfo) -> Port {
        let name = info.port_name;
        let SerialPortType::UsbPort(usb) = info.port_type else {
            return Port {
                name,
                what: "serial port".into(),
                boards: Vec::new(),
                is_own: false,
            };
        };
        let product = usb.product.as_deref().unwrap_or_default();
        // Linux without libudev gives spaces as underscores.
        let plain = product.replace('_', " ");
        let own = plain.strip_prefix(PRODUCT).map(str::to_owned);
        let identity = Identity::of(&usb);
        let (boards, is_own) = match (identity, own) {
            (Some(identity), Some(board)) if identity.boards.is_empty() => (vec![board], true),
            (Some(identity), _) => (
                identity.boards.iter().map(ToString::to_string).collect(),
                false,
            ),
            (None, _) => (Vec::new(), false),
        };
        let what = match (plain.trim(), identity) {
            ("", Some(identity)) => identity.what.to_owned(),
            ("", None) => format!("USB device {:04x}:{:04x}", usb.vid, usb.pid),
            (product, _) => product.to_owned(),
        };
        Port {
            name,
            what,
            boards,
            is_own,
        }
    }

    /// Its name with what it is.
    #[must_use]
    pub fn described(&self) -> String {
        format!("{}, {}", self.name, self.what)
    }
}

/// All serial ports of the system.
///
/// # Errors
/// When the system does not tell.
pub fn all() -> Result<Vec<Port>, LineError> {
    // Looked at first because the crate does not survive that it is missing.
    if cfg!(target_os = "linux") && !Path::new("/sys/class/tty").is_dir() {
        return Ok(Vec::new());
    }
    let ports = serialport::available_ports().map_err(|error| LineError::Open {
        port: "the list of serial ports".into(),
        reason: error.to_string(),
    })?;
    let mut ports: Vec<_> = ports.into_iter().map(Port::new).collect();
    ports.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(ports)
}

/// The one port among `ports` that is a board's: of `board`, if one is named, else of any. A board
/// whose own USB port is there is not looked for behind its debugger's.
///
/// # Errors
/// When there is none, or more than one.
pub fn choose(board: Option<&Board>, ports: &[Port]) -> Result<String, LineError> {
    let fits = |port: &&Port| match board {
        Some(board) => port.boards.iter().any(|name| name == board.name),
        None => !port.boards.is_empty(),
    };
    let (mut right, others): (Vec<_>, Vec<_>) = ports.iter().partition(fits);
    let own = right.iter().filter(|port| port.is_own);
    let there: Vec<_> = own.flat_map(|port| &port.boards).collect();
    right.retain(|port| port.is_own || !port.boards.iter().all(|board| there.contains(&board)));
    let described = |ports: &[&Port]| ports.iter().map(|port| port.described()).collect();
    match right.as_slice() {
        [port] => Ok(port.name.clone()),
        [] => Err(LineError::NoBoard {
            others: described(&others),
        }),
        ports => Err(LineError::Several {
            ports: described(ports),
        }),
    }
}

/// The two directions of an open port.
pub(super) struct Streams {
    pub reader: Box<dyn Read + Send>,
    pub writer: Box<dyn Write + Send>,
}

/// Opens a port by its name, or a socket by `tcp:HOST:PORT`.
///
/// # Errors
/// When it is not there, busy, or not the user's to open.
pub(super) fn open(port: &str) -> Result<Streams, LineError> {
    match port.strip_prefix(TCP) {
        Some(address) => connect(address).map_err(|reason| LineError::Address {
            port: port.into(),
            reason,
        }),
        None => open_serial(port),
    }
}

fn connect(address: &str) -> io::Result<Streams> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(TICK))?;
                return Ok(Streams {
                    reader: Box::new(stream.try_clone()?),
                    writer: Box::new(stream),
                });
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn open_serial(port: &str) -> Result<Streams, LineError> {
    let explain = |error: serialport::Error| {
        let port = port.to_owned();
        match error.kind() {
            ErrorKind::Io(io::ErrorKind::PermissionDenied) => LineError::Permission { port },
            ErrorKind::Io(io::ErrorKind::NotFound) => LineError::NoPort { port },
            // The crate tells a busy port like this on Unix, and a missing one on Windows.
            ErrorKind::NoDevice if cfg!(unix) => LineError::Busy { port },
            ErrorKind::NoDevice => LineError::NoPort { port },
            _ => LineError::Open {
                port,
                reason: error.to_string(),
            },
        }
    };
    let reader = serialport::new(port, BAUD)
        .timeout(TICK)
        .open()
        .map_err(explain)?;
    let mut writer = reader.try_clone().map_err(explain)?;
    // USB ports of boards send only while somebody is there; other ports do not care.
    let _ = writer.write_data_terminal_ready(true);
    Ok(Streams { reader, writer })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::find;

    fn usb(name: &str, vid: u16, pid: u16, product: &str) -> Port {
        Port::new(SerialPortInfo {
            port_name: name.into(),
            port_type: SerialPortType::UsbPort(UsbPortInfo {
                vid,
                pid,
                serial_number: None,
                manufacturer: None,
                product: (!product.is_empty()).then(|| product.into()),
            }),
        })
    }

    fn builtin() -> Port {
        Port::new(SerialPortInfo {
            port_name: "/dev/ttyS0".into(),
            port_type: SerialPortType::Unknown,
        })
    }

    fn pico() -> Port {
        usb("/dev/ttyACM0", 0x1209, 1, "Inkling on pico")
    }

    #[test]
    fn boards_are_known_by_their_usb_identity() {
        let named = |port: Port| port.boards.join(" ");
        assert_eq!(named(pico()), "pico");
        assert_eq!(named(usb("", 0x1209, 1, "Inkling_on_pico2")), "pico2");
        assert_eq!(named(usb("", 0x1209, 1, "a keyboard")), "");
        assert_eq!(named(usb("", 0x0D28, 0x0204, "")), "microbit microbit-v2");
        assert_eq!(named(usb("", 0x1366, 0x1051, "J-Link")), "nrf52840-dk");
        assert_eq!(named(usb("", 0x0483, 0x374B, "STM32 STLink")), "blackpill");
        assert_eq!(named(usb("", 0x303A, 0x1001, "")), "esp32c3");
        assert_eq!(named(usb("", 0x0403, 0x6001, "FT232R")), "");
        assert_eq!(named(builtin()), "");
    }

    #[test]
    fn the_one_board_is_chosen_and_two_are_listed() {
        let microbit = || usb("/dev/ttyACM1", 0x0D28, 0x0204, "BBC micro:bit CMSIS-DAP");
        assert_eq!(choose(None, &[builtin(), pico()]).unwrap(), "/dev/ttyACM0");
        let board = find("microbit-v2").unwrap();
        let both = [builtin(), pico(), microbit()];
        assert_eq!(choose(Some(board), &both).unwrap(), "/dev/ttyACM1");
        let error = choose(None, &both).unwrap_err().to_string();
        assert!(
            error.contains("/dev/ttyACM0, Inkling on pico; /dev/ttyACM1, BBC"),
            "{error}"
        );
        let error = choose(None, &[builtin()]).unwrap_err().to_string();
        assert!(
            error.contains("--port (/dev/ttyS0, serial port)"),
            "{error}"
        );
        let error = choose(None, &[]).unwrap_err().to_string();
        assert!(error.ends_with("--port"), "{error}");
    }

    #[test]
    fn a_boards_own_port_is_preferred_to_its_debuggers() {
        let own = || usb("/dev/ttyACM0", 0x1209, 1, "Inkling on nrf52840-dk");
        let debugger = || usb("/dev/ttyACM1", 0x1366, 0x1051, "J-Link");
        let stranger = || usb("/dev/ttyACM2", 0x0483, 0x374B, "STM32 STLink");
        let board = find("nrf52840-dk").unwrap();
        for board in [None, Some(board)] {
            let chosen = choose(board, &[debugger(), own(), builtin()]);
            assert_eq!(chosen.unwrap(), "/dev/ttyACM0");
        }
        assert!(choose(None, &[debugger(), own(), stranger()]).is_err());
        assert!(choose(Some(board), &[own(), own()]).is_err());
    }

    #[test]
    fn a_port_that_is_not_there_is_named() {
        let error = |port: &str| open(port).err().unwrap().to_string();
        assert!(error("/dev/no-such-port").contains("/dev/no-such-port"));
        assert!(error("tcp:localhost").contains("tcp:HOST:PORT"));
    }
}
