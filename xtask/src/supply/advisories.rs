//! `cargo xtask advisories`: looks the dependencies up in the RustSec database, and says of which day that is.
//!
//! The database is fetched. Where it is out of reach a copy that an earlier run left is used, as long as it
//! is not old; without one nothing is checked, which the summary of `cargo xtask test` says.

use std::fs;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use host::toolchain::tools::DENY;
use jiff::Timestamp;

use crate::command::Invocation;

/// Where the database is.
const SERVER: &str = "github.com:443";

/// How cargo-deny calls its copies.
const COPY: &str = "advisory-db-";

/// A copy of more days says nothing of what is known today.
const MOST_DAYS: i64 = 30;

/// Runs `advisories`.
pub fn run() -> anyhow::Result<()> {
    let deny = Invocation::new(DENY.program());
    let is_reachable = reachable(SERVER);
    if let Some(why) = unavailable_with(is_reachable, &copies()) {
        bail!("{why}");
    }
    let deny = if is_reachable {
        deny
    } else {
        println!("{SERVER} cannot be reached: checking against the copy of an earlier run");
        deny.args(["--offline"])
    };
    let result = deny.args(["--all-features", "check", "advisories"]).run();
    for copy in copies() {
        println!("{}", copy.line(Timestamp::now()));
    }
    result
}

/// Why nothing can be checked here.
pub fn unavailable() -> Option<String> {
    unavailable_with(reachable(SERVER), &copies())
}

fn unavailable_with(is_reachable: bool, copies: &[DatabaseCopy]) -> Option<String> {
    let now = Timestamp::now();
    let newest = copies.iter().map(|copy| copy.days(now)).min();
    match newest {
        _ if is_reachable => None,
        Some(days) if days <= MOST_DAYS => None,
        Some(days) => Some(format!(
            "{SERVER} cannot be reached, and the copy of the RustSec database is {days} days old"
        )),
        None => Some(format!(
            "{SERVER} cannot be reached, and there is no copy of the RustSec database"
        )),
    }
}

/// A copy of the database on this machine.
#[derive(Debug)]
struct DatabaseCopy {
    path: PathBuf,
    /// When the newest advisory in it was written.
    date: Timestamp,
}

impl DatabaseCopy {
    fn read(path: PathBuf) -> anyhow::Result<Self> {
        let date = Invocation::parse("git -C")
            .args([path.display().to_string()])
            .args(["log", "-1", "--format=%cI"])
            .read()?;
        let date = date
            .trim()
            .parse()
            .with_context(|| format!("{} has no date", path.display()))?;
        Ok(Self { path, date })
    }

    fn days(&self, now: Timestamp) -> i64 {
        (now.as_second() - self.date.as_second()) / (24 * 60 * 60)
    }

    fn line(&self, now: Timestamp) -> String {
        format!(
            "the newest entry of the database is of {}, {} days ago ({})",
            self.date.strftime("%Y-%m-%d"),
            self.days(now),
            self.path.display()
        )
    }
}

/// The copies that cargo-deny keeps beside what cargo keeps.
fn copies() -> Vec<DatabaseCopy> {
    crate::homes::cargo()
        .map(|home| copies_below(&home.join("advisory-dbs")))
        .unwrap_or_default()
}

fn copies_below(folder: &Path) -> Vec<DatabaseCopy> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(COPY))
        .filter_map(|entry| DatabaseCopy::read(entry.path()).ok())
        .collect()
}

fn reachable(host: &str) -> bool {
    host.to_socket_addrs()
        .into_iter()
        .flatten()
        .any(|address| TcpStream::connect_timeout(&address, Duration::from_secs(3)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(days: i64) -> DatabaseCopy {
        let date = Timestamp::now().as_second() - days * 24 * 60 * 60;
        DatabaseCopy {
            path: "copy".into(),
            date: Timestamp::from_second(date).expect("a date"),
        }
    }

    #[test]
    fn what_cannot_be_looked_up_today_is_called_unchecked() {
        assert_eq!(unavailable_with(true, &[]), None);
        assert_eq!(unavailable_with(false, &[copy(400), copy(MOST_DAYS)]), None);
        let old = unavailable_with(false, &[copy(400)]).expect("too old");
        assert!(old.contains("is 400 days old"), "{old}");
        let none = unavailable_with(false, &[]).expect("none");
        assert!(none.contains("there is no copy"), "{none}");
    }

    #[test]
    fn a_copy_tells_its_date() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("advisory-db-1");
        fs::create_dir_all(&database).expect("a folder");
        fs::create_dir(folder.path().join("other")).expect("a folder");
        let git = Invocation::parse("git -C").args([database.display().to_string()]);
        let (name, mail) = ("user.name=an-owl", "user.email=owl@example.org");
        let commit = ["-c", name, "-c", mail, "commit", "--quiet", "--allow-empty"];
        git.clone().args(["init", "--quiet"]).run().expect("made");
        git.args(commit)
            .args(["--message", "all that is known"])
            .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")
            .run()
            .expect("committed");
        let copies = copies_below(folder.path());
        let now = "2026-01-12T12:00:00Z".parse().expect("a date");
        let lines: Vec<_> = copies.iter().map(|copy| copy.line(now)).collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("of 2026-01-02, 10 days ago"), "{lines:?}");
    }

    #[test]
    fn every_unmaintained_crate_that_is_put_up_with_has_a_reason_and_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let read = |name: &str| fs::read_to_string(root.join(name)).expect("it is there");
        let settings: toml::Table = read("deny.toml").parse().expect("TOML");
        let lock = read("Cargo.lock");
        let entries = settings["advisories"]["ignore"].as_array().expect("a list");
        assert!(!entries.is_empty());
        for entry in entries {
            let reason = entry["reason"].as_str().expect("a reason");
            let (name, why) = reason.split_once(": ").expect("of a crate");
            assert!(lock.contains(&format!("\nname = \"{name}\"\n")), "{name}");
            assert!(why.len() > 20, "{why}");
        }
    }
}
