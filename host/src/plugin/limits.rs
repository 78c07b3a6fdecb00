//! What one run may use: the table of limits, and the limiter that holds memory and tables to it.
//!
//! wasmtime's own limiter counts each memory by itself; this one sums, because a component may hold many. A growth past
//! the limit traps at once: a guest told "no" would run into its own `unreachable` and say nothing of memory.

use crate::{
    capability::{run_log::LogAllowance, session::StateQuota},
    model::plugin::LimitsAsked,
};
use std::time::Duration;
use wasmtime::ResourceLimiter;

const MIB: usize = 1 << 20;
/// Memory of a usual plugin.
const MEMORY: usize = 128 * MIB;
/// Memory of a plugin that brings a whole interpreter: its component starts bigger than [`BIG_START`].
const MEMORY_BIG: usize = 512 * MIB;
const BIG_START: u64 = 16 << 20;
/// The most memory a manifest can ask for.
const MEMORY_CAP: usize = 1024 * MIB;
/// Elements of all tables; interpreters hold tens of thousands.
const TABLE_ELEMENTS: usize = 100_000;
/// Core instances, tables and memories of one component.
const INSTANCES: usize = 64;
const TABLES: usize = 64;
const MEMORIES: usize = 16;
const CPU: Duration = Duration::from_secs(60);
const CPU_CAP: Duration = Duration::from_secs(600);
const LOG: u64 = 4 << 20;
const LOG_CAP: u64 = 16 << 20;
/// Log lines a second, and as many at once.
const LOG_LINES: u32 = 200;
const STATE: u64 = 64 << 20;
const STATE_CAP: u64 = 256 << 20;
const STATE_KEYS: u64 = 10_000;
const OPERATIONS: u32 = 8;
const OPERATIONS_CAP: u32 = 32;
/// CPU of a settings check.
pub const CHECK_CPU: Duration = Duration::from_secs(1);
/// Wall clock of a settings check: it waits for nothing but the store.
pub const CHECK_WALL: Duration = Duration::from_secs(10);
/// Bytes the host copies for one call of the guest.
pub const HOSTCALL_BYTES: usize = 16 * MIB;
/// Handles a guest holds.
pub const HANDLES: usize = 4096;
/// From "cancelled" to the hard end.
pub const GRACE: Duration = Duration::from_secs(30);

/// The limits of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all memories.
    pub memory: usize,
    /// Elements of all tables.
    pub table_elements: usize,
    /// CPU time.
    pub cpu: Duration,
    /// Wall clock, besides the job's own.
    pub wall: Option<Duration>,
    /// Bytes of log.
    pub log: u64,
    /// Data kept between runs.
    pub state: StateQuota,
    /// Operations under way at once.
    pub operations: u32,
}

impl Limits {
    /// What a plugin gets: what it asks for up to the appliance's cap, otherwise the default. `initial_memory` is what its
    /// component starts with.
    pub fn of(asked: &LimitsAsked, initial_memory: u64) -> Self {
        let usual = if initial_memory > BIG_START { MEMORY_BIG } else { MEMORY };
        let memory =
            asked.memory_mib.and_then(|mib| usize::try_from(mib).ok()).map(|mib| mib.saturating_mul(MIB));
        let seconds = |asked: Option<u32>| asked.map(|seconds| Duration::from_secs(seconds.into()));
        let kib = |asked: Option<u32>| asked.map(|kib| u64::from(kib) << 10);
        Self {
            memory: memory.unwrap_or(usual).min(MEMORY_CAP),
            table_elements: TABLE_ELEMENTS,
            cpu: seconds(asked.cpu_seconds).unwrap_or(CPU).min(CPU_CAP),
            wall: seconds(asked.wall_seconds),
            log: kib(asked.log_kib).unwrap_or(LOG).min(LOG_CAP),
            state: StateQuota {
                bytes: kib(asked.state_kib).unwrap_or(STATE).min(STATE_CAP),
                keys: STATE_KEYS,
            },
            operations: asked.operations.unwrap_or(OPERATIONS).min(OPERATIONS_CAP),
        }
    }

    /// The log part.
    pub fn log_allowance(&self) -> LogAllowance {
        LogAllowance::new(self.log, LOG_LINES)
    }
}

/// Which limit a guest ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitReached {
    /// Memory.
    #[error("it asked for {wanted} bytes of memory and may have {limit}")]
    Memory {
        /// In all.
        wanted: usize,
        /// The limit.
        limit: usize,
    },
    /// Tables.
    #[error("it asked for {wanted} table elements and may have {limit}")]
    Tables {
        /// In all.
        wanted: usize,
        /// The limit.
        limit: usize,
    },
    /// CPU.
    #[error("it used its {} seconds of CPU", limit.as_secs_f64())]
    Cpu {
        /// The limit.
        limit: Duration,
    },
}

/// Holds one store to its memory and table limits, and remembers which one was hit.
#[derive(Debug)]
pub struct Limiter {
    memory: usize,
    memory_limit: usize,
    elements: usize,
    elements_limit: usize,
    reached: Option<LimitReached>,
}

impl Limiter {
    /// A limiter for a fresh store.
    pub fn new(limits: &Limits) -> Self {
        Self {
            memory: 0,
            memory_limit: limits.memory,
            elements: 0,
            elements_limit: limits.table_elements,
            reached: None,
        }
    }

    /// The limit that was hit, if one was.
    pub fn reached(&self) -> Option<LimitReached> {
        self.reached
    }

    /// Most memory held.
    pub fn memory(&self) -> usize {
        self.memory
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.memory.saturating_add(desired.saturating_sub(current));
        if wanted > self.memory_limit {
            let reached = LimitReached::Memory { wanted, limit: self.memory_limit };
            self.reached = Some(reached);
            return Err(reached.into());
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.memory = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.elements.saturating_add(desired.saturating_sub(current));
        if wanted > self.elements_limit {
            let reached = LimitReached::Tables { wanted, limit: self.elements_limit };
            self.reached = Some(reached);
            return Err(reached.into());
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.elements = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_summed_not_counted_one_by_one() {
        let limits = Limits { memory: 100, ..Limits::of(&LimitsAsked::default(), 0) };
        let mut limiter = Limiter::new(&limits);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 60, None).is_err());
        assert_eq!(limiter.reached(), Some(LimitReached::Memory { wanted: 120, limit: 100 }));
    }

    #[test]
    fn tables_are_summed_too_and_the_limit_says_which_it_was() {
        let limits = Limits { table_elements: 100, ..Limits::of(&LimitsAsked::default(), 0) };
        let mut limiter = Limiter::new(&limits);
        assert!(limiter.table_growing(0, 60, None).unwrap());
        assert!(limiter.table_growing(60, 101, None).is_err());
        assert_eq!(limiter.reached(), Some(LimitReached::Tables { wanted: 101, limit: 100 }));
    }

    #[test]
    fn a_growth_past_the_memorys_own_maximum_costs_nothing() {
        let limits = Limits { memory: 100, ..Limits::of(&LimitsAsked::default(), 0) };
        let mut limiter = Limiter::new(&limits);
        assert!(!limiter.memory_growing(0, 60, Some(50)).unwrap());
        assert!(limiter.memory_growing(0, 100, None).unwrap());
    }

    #[test]
    fn what_a_manifest_asks_is_capped() {
        let greedy = LimitsAsked {
            memory_mib: Some(u32::MAX),
            cpu_seconds: Some(u32::MAX),
            operations: Some(u32::MAX),
            log_kib: Some(u32::MAX),
            state_kib: Some(u32::MAX),
            wall_seconds: None,
        };
        let limits = Limits::of(&greedy, 0);
        assert_eq!((limits.memory, limits.cpu, limits.operations), (MEMORY_CAP, CPU_CAP, OPERATIONS_CAP));
        assert_eq!((limits.log, limits.state.bytes), (LOG_CAP, STATE_CAP));
    }

    #[test]
    fn a_component_that_starts_big_gets_room_for_an_interpreter() {
        let nothing = LimitsAsked::default();
        assert_eq!(Limits::of(&nothing, BIG_START + 1).memory, MEMORY_BIG);
        assert_eq!(Limits::of(&nothing, 1).memory, MEMORY);
    }
}
