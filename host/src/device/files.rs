//! Files that others made, on the drives of boards or out of the net: read no further than they can
//! sensibly be long, and never followed to another place.

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::Path;

/// Longer than any linked firmware, even one with all that debuggers want.
pub const LINKED_BYTES: u64 = 256 << 20;

/// Longer than any file for a flash, even one that takes a line for each byte.
pub const LOADABLE_BYTES: u64 = 64 << 20;

/// Reads a whole file, whatever kind it is of.
///
/// # Errors
/// When it cannot be read, or is longer than `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let bytes = first(File::open(path)?, most.saturating_add(1))?;
    if bytes.len() as u64 > most {
        let why = format!("it is longer than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// Reads the first bytes of a plain file, `most` of them at most: a link, a pipe or a device is none.
///
/// # Errors
/// When it cannot be read or is no plain file.
pub fn read_plain(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path, Access::Read)?;
    first(file, most)
}

/// Creates a plain file, or empties the one that is there. It is locked until it is closed, so that two
/// programs never mix what they write.
///
/// # Errors
/// When it cannot be written, another program has it locked, or what has its name is no plain file, or has
/// other names too.
pub fn create_plain(path: &Path) -> io::Result<File> {
    let file = open(path, Access::Write)?;
    // Where files cannot be locked, people have to look after that themselves.
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    file.set_len(0)?;
    Ok(file)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

fn first(file: File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn not_plain() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "what has this name is no plain file of its own",
    )
}

#[cfg(unix)]
fn open(path: &Path, access: Access) -> io::Result<File> {
    use std::os::unix::fs::MetadataExt;

    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;

    // A pipe without another end must not be waited for.
    let always = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let flags = match access {
        Access::Read => OFlags::RDONLY,
        Access::Write => OFlags::WRONLY | OFlags::CREATE,
    };
    let file = match rustix::fs::open(path, always | flags, Mode::from_raw_mode(0o666)) {
        Ok(file) => File::from(file),
        // A link; a pipe that nobody reads.
        Err(Errno::LOOP | Errno::NXIO) => return Err(not_plain()),
        Err(error) => return Err(error.into()),
    };
    let data = file.metadata()?;
    let has_other_names = access == Access::Write && data.nlink() > 1;
    if !data.is_file() || has_other_names {
        return Err(not_plain());
    }
    Ok(file)
}

#[cfg(not(unix))]
fn open(path: &Path, access: Access) -> io::Result<File> {
    match std::fs::symlink_metadata(path) {
        Ok(data) if !data.is_file() => return Err(not_plain()),
        Err(error) if access == Access::Read => return Err(error),
        _ => {}
    }
    match access {
        Access::Read => File::open(path),
        Access::Write => File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path),
    }
}

// Elsewhere pipes are not made like this.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use tempfile::TempDir;

    use super::*;

    /// A folder with one thing of each kind that is no plain file of its own.
    fn traps() -> (TempDir, [&'static str; 4]) {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("target"), "kept").unwrap();
        symlink(path("target"), path("link")).unwrap();
        symlink(path("nowhere"), path("dangling")).unwrap();
        symlink("/dev/zero", path("device")).unwrap();
        mknodat(
            CWD,
            path("pipe"),
            FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();
        (folder, ["link", "dangling", "device", "pipe"])
    }

    #[test]
    fn only_plain_files_are_read_and_only_their_beginning() {
        let (folder, traps) = traps();
        for name in traps {
            assert!(read_plain(&folder.path().join(name), 10).is_err(), "{name}");
        }
        assert!(read_plain(folder.path(), 10).is_err());
        assert!(read_plain(Path::new("/dev/zero"), 10).is_err());
        let target = folder.path().join("target");
        assert_eq!(read_plain(&target, 3).unwrap(), b"kep");
        assert_eq!(read(&target, 4).unwrap(), b"kept");
        let error = read(&target, 3).unwrap_err().to_string();
        assert_eq!(error, "it is longer than 3 bytes");
        assert!(read(Path::new("/dev/zero"), 1000).is_err());
    }

    #[test]
    fn only_plain_files_are_written_and_nothing_behind_a_link() {
        let (folder, traps) = traps();
        fs::hard_link(folder.path().join("target"), folder.path().join("twin")).unwrap();
        for name in traps.iter().chain(&["twin"]) {
            let error = create_plain(&folder.path().join(name)).unwrap_err();
            assert_eq!(error.to_string(), not_plain().to_string(), "{name}");
        }
        let target = folder.path().join("target");
        assert_eq!(fs::read(&target).unwrap(), b"kept");
        assert!(!folder.path().join("nowhere").exists());
        fs::remove_file(folder.path().join("twin")).unwrap();
        create_plain(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"");
        create_plain(&folder.path().join("new")).unwrap();
    }
}
