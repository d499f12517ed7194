//! What to do about a serial port that the user may not open.

use crate::device::flash::udev;

/// What is known about a port, and about who wants it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Situation {
    /// The group that may use the port, if one may.
    group: Option<String>,
    /// The user is in that group by now, but was not at the last log-in.
    has_joined: bool,
    /// The user sits at another machine: udev gives ports to people at this one.
    is_remote: bool,
    /// The rule that we write is about it.
    has_rule: bool,
}

/// Whether the user is logged in over SSH.
#[must_use]
pub fn is_remote() -> bool {
    ["SSH_CONNECTION", "SSH_TTY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// What somebody who may not open the port can do, as the end of a sentence.
pub(super) fn advice(port: &str, usb: Option<(u16, u16)>) -> String {
    let (group, has_joined) = group_of(port);
    let has_rule = usb.is_some_and(|(vendor, product)| udev::covers(vendor, product));
    advise(&Situation {
        group,
        has_joined,
        is_remote: is_remote(),
        has_rule: has_rule && cfg!(target_os = "linux"),
    })
}

fn advise(situation: &Situation) -> String {
    const RULE: &str = "`inkling flash --udev` writes the udev rule that allows it";
    let join = situation.group.as_ref().map(|group| {
        format!(
            "join its group {group}: `sudo usermod -aG {group} $USER`, then log out and in again"
        )
    });
    match (join, &situation.group) {
        (_, Some(group)) if situation.has_joined => {
            format!("you have joined its group {group}, which counts when you log out and in again")
        }
        (Some(join), _) if situation.is_remote => {
            format!("over SSH no udev rule allows it, so {join}")
        }
        (Some(join), _) if situation.has_rule => format!("{RULE}; or {join}"),
        (Some(join), _) => join,
        (None, _) if situation.has_rule && !situation.is_remote => RULE.into(),
        (None, _) => "no group may either; ask the administrator of this machine".into(),
    }
}

/// The group that may use a port, if the user is not in it, and whether they are from the next login on.
#[cfg(unix)]
fn group_of(port: &str) -> (Option<String>, bool) {
    use std::os::unix::fs::MetadataExt;

    const READ_AND_WRITE: u32 = 0o060;
    let Ok(data) = std::fs::metadata(port) else {
        return (None, false);
    };
    let is_root = data.gid() == 0;
    if is_root || data.mode() & READ_AND_WRITE != READ_AND_WRITE || is_member(data.gid()) {
        return (None, false);
    }
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let user = ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    let (name, has_joined) = in_list(&groups, data.gid(), user.as_deref());
    (Some(name), has_joined)
}

#[cfg(not(unix))]
fn group_of(_: &str) -> (Option<String>, bool) {
    (None, false)
}

#[cfg(unix)]
fn is_member(group: u32) -> bool {
    let groups = rustix::process::getgroups().unwrap_or_default();
    let own = rustix::process::getegid();
    groups.iter().chain([&own]).any(|id| id.as_raw() == group)
}

/// A group's name in a list as `/etc/group` is one, or else its number, and whether it lists the user.
#[cfg(unix)]
fn in_list(groups: &str, id: u32, user: Option<&str>) -> (String, bool) {
    for line in groups.lines() {
        let mut fields = line.split(':');
        if let (Some(name), _, Some(number)) = (fields.next(), fields.next(), fields.next())
            && number.parse() == Ok(id)
        {
            let members = fields.next().unwrap_or_default();
            let is_listed = user.is_some_and(|user| members.split(',').any(|one| one == user));
            return (crate::output::one_line(name), is_listed);
        }
    }
    (id.to_string(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialout() -> Situation {
        Situation {
            group: Some("dialout".into()),
            ..Situation::default()
        }
    }

    #[test]
    fn the_advice_for_a_port_helps_where_the_user_is() {
        let at_desk = advise(&Situation {
            has_rule: true,
            ..dialout()
        });
        assert!(
            at_desk.starts_with("`inkling flash --udev` writes"),
            "{at_desk}"
        );
        assert!(
            at_desk.contains("or join its group dialout: `sudo usermod -aG dialout"),
            "{at_desk}"
        );
        let remote = advise(&Situation {
            has_rule: true,
            is_remote: true,
            ..dialout()
        });
        assert!(remote.starts_with("over SSH no udev rule allows it, so join its group dialout"));
        let unknown = advise(&dialout());
        assert!(unknown.starts_with("join its group dialout"), "{unknown}");
        let joined = advise(&Situation {
            has_joined: true,
            ..dialout()
        });
        assert!(joined.contains("when you log out and in again"), "{joined}");
        assert!(advise(&Situation::default()).contains("administrator"));
        let rule = advise(&Situation {
            has_rule: true,
            ..Situation::default()
        });
        assert!(rule.ends_with("the udev rule that allows it"), "{rule}");
    }

    #[cfg(unix)]
    #[test]
    fn a_group_is_named_as_the_system_names_it() {
        let list = "root:x:0:\nbroken\ndialout:x:20:ada,grace\nuucp:x:14:\n";
        assert_eq!(in_list(list, 20, Some("grace")), ("dialout".into(), true));
        assert_eq!(in_list(list, 20, Some("gra")), ("dialout".into(), false));
        assert_eq!(in_list(list, 14, None), ("uucp".into(), false));
        assert_eq!(in_list(list, 99, Some("ada")), ("99".into(), false));
    }
}
