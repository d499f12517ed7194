//! A watchdog that the first feeding arms: programs that do not feed one must not meet it.

/// The watchdog before and after.
pub(super) enum Guard<Idle, Armed> {
    /// It does not run.
    Idle(Idle),
    /// It runs and wants to be fed.
    Armed(Armed),
    /// It runs since before a restart, and cannot be had.
    Strange,
}

impl<Idle, Armed> Guard<Idle, Armed> {
    /// The armed watchdog, which `arm` makes of an idle one.
    pub(super) fn armed(&mut self, arm: impl FnOnce(Idle) -> Option<Armed>) -> Option<&mut Armed> {
        *self = match core::mem::replace(self, Guard::Strange) {
            Guard::Idle(idle) => arm(idle).map_or(Guard::Strange, Guard::Armed),
            guard => guard,
        };
        match self {
            Guard::Armed(watchdog) => Some(watchdog),
            _ => None,
        }
    }
}
