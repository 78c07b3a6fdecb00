//! Connections to one export. A caller holds a slot while its request runs; there are as many slots as the server
//! allows connections, and connections are opened only when that many callers come at once.

use parking_lot::{Condvar, Mutex};

use super::connection::Connection;

#[derive(Debug)]
pub(crate) struct Pool {
    state: Mutex<State>,
    freed: Condvar,
    slots: usize,
}

#[derive(Debug)]
struct State {
    idle: Vec<Connection>,
    busy: usize,
}

/// The right to use one connection. It may have none yet, or have lost it; what it holds at the end is kept for others.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    pool: &'a Pool,
    pub(crate) connection: Option<Connection>,
}

impl Pool {
    pub(crate) fn new(first: Connection, slots: usize) -> Self {
        let state = Mutex::new(State { idle: vec![first], busy: 0 });
        Self { state, freed: Condvar::new(), slots: slots.max(1) }
    }

    /// Waits for a slot. The wait ends, because everyone who holds one is bound by the request timeout.
    pub(crate) fn take(&self) -> Slot<'_> {
        let mut state = self.state.lock();
        while state.busy >= self.slots {
            self.freed.wait(&mut state);
        }
        state.busy += 1;
        Slot { pool: self, connection: state.idle.pop() }
    }

    /// Drops idle connections: when one broke, the server has most likely restarted and the others are dead too.
    pub(crate) fn drop_idle(&self) {
        let idle = std::mem::take(&mut self.state.lock().idle);
        drop(idle);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state.lock();
        state.busy -= 1;
        state.idle.extend(self.connection.take());
        self.pool.freed.notify_one();
    }
}
