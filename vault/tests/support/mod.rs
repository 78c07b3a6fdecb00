//! What the vault's tests share: disks in memory, a vault in a temporary directory, one-line backup and restore.
#![allow(dead_code, unreachable_pub, reason = "each test crate uses its own part of this")]

pub mod faults;

use std::io;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use holdfast_vault::*;
use parking_lot::Mutex;

pub const BLOCK: usize = 16 << 10;

/// A disk in memory that says what is a hole, and can be told to misbehave.
#[derive(Default)]
pub struct MemoryDisk {
    pub bytes: Mutex<Vec<u8>>,
    pub holes: Mutex<Vec<(u64, u64)>>,
    pub reads: Mutex<Vec<(u64, usize)>>,
    pub fail_at: Mutex<Option<u64>>,
    pub resize_at: Mutex<Option<(u64, u64)>>,
    size: Mutex<Option<u64>>,
}

impl MemoryDisk {
    pub fn new(bytes: Vec<u8>) -> Arc<Self> {
        Arc::new(Self { bytes: Mutex::new(bytes), ..Self::default() })
    }
}

impl DiskReader for MemoryDisk {
    fn size(&self) -> io::Result<u64> {
        Ok(self.size.lock().unwrap_or(self.bytes.lock().len() as u64))
    }

    fn extents(&self, offset: u64, length: u64) -> io::Result<Vec<Extent>> {
        let mut extents = Vec::new();
        let mut at = offset;
        let end = offset + length;
        for (start, stop) in self.holes.lock().iter() {
            let (start, stop) = ((*start).clamp(at, end), (*stop).clamp(at, end));
            if start < stop {
                if at < start {
                    extents.push(Extent { offset: at, length: start - at, hole: false });
                }
                extents.push(Extent { offset: start, length: stop - start, hole: true });
                at = stop;
            }
        }
        if at < end {
            extents.push(Extent { offset: at, length: end - at, hole: false });
        }
        Ok(extents)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.reads.lock().push((offset, buffer.len()));
        let end = offset + buffer.len() as u64;
        if self.fail_at.lock().is_some_and(|at| (offset..end).contains(&at)) {
            return Err(io::Error::other("unreadable sector"));
        }
        if let Some((at, size)) = *self.resize_at.lock()
            && (offset..end).contains(&at)
        {
            *self.size.lock() = Some(size);
        }
        let bytes = self.bytes.lock();
        let offset = offset as usize;
        buffer.copy_from_slice(&bytes[offset..offset + buffer.len()]);
        Ok(())
    }
}

/// A target in memory.
#[derive(Default)]
pub struct MemoryTarget {
    pub bytes: Mutex<Vec<u8>>,
    pub fixed: bool,
    pub written: Mutex<u64>,
}

impl DiskWriter for MemoryTarget {
    fn name(&self) -> String {
        "memory".into()
    }

    fn prepare(&self, size: u64) -> io::Result<u64> {
        let mut bytes = self.bytes.lock();
        if !self.fixed {
            bytes.resize(size as usize, 0);
        }
        Ok(bytes.len() as u64)
    }

    fn is_blank(&self) -> bool {
        !self.fixed
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let offset = offset as usize;
        buffer.copy_from_slice(&self.bytes.lock()[offset..offset + buffer.len()]);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = offset as usize;
        self.bytes.lock()[offset..offset + data.len()].copy_from_slice(data);
        *self.written.lock() += data.len() as u64;
        Ok(())
    }

    fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
        self.bytes.lock()[offset as usize..(offset + length) as usize].fill(0);
        Ok(())
    }

    fn finish(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Small packs, so that a few hundred kilobytes make several; no minimum that stands in a test's way.
pub fn settings() -> Settings {
    Settings {
        pack_size: 64 << 10,
        grace_secs: 86_400,
        minimum: MinimumRetention { points: 1, age_secs: 0 },
        ..Settings::default()
    }
}

/// The key of all vaults of a test run.
pub fn key() -> VaultKey {
    static KEY: std::sync::OnceLock<VaultKey> = std::sync::OnceLock::new();
    KEY.get_or_init(|| VaultKey::generate().unwrap()).clone()
}

pub fn day(number: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + number * 86_400, 0).unwrap()
}

pub fn request(server: &str, number: i64, disks: Vec<BackupDisk>) -> BackupRequest {
    BackupRequest {
        server: Server { id: server.into(), name: format!("{server}.example") },
        created: day(number),
        consistency: Consistency::Crash,
        definition: serde_json::json!({"cpus": 2}),
        tags: vec!["nightly".into()],
        disks,
        parent: Parent::Newest,
    }
}

/// Backs up one disk named "root".
pub async fn back_up(vault: &Vault, server: &str, number: i64, bytes: &[u8]) -> Result<RecoveryPoint> {
    let disk = BackupDisk::new("root", MemoryDisk::new(bytes.to_vec()));
    Ok(vault.backup(request(server, number, vec![disk]), &Control::new()).await?.point)
}

/// The content of a point's disk.
pub async fn restored(vault: &Vault, point: PointId, disk: &str) -> Result<Vec<u8>> {
    let target = Arc::new(MemoryTarget::default());
    let request =
        RestoreRequest { point, disk: disk.into(), target: target.clone(), only_what_differs: false };
    vault.restore_disk(request, &Control::new()).await?;
    let bytes = target.bytes.lock().clone();
    Ok(bytes)
}

/// Bytes that no compressor makes smaller, the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Text-like bytes.
pub fn words(seed: u64, length: usize) -> Vec<u8> {
    let noise = noise(seed, length / 4 + 1);
    let mut bytes: Vec<u8> = noise.iter().flat_map(|n| format!("{:04}", n % 50).into_bytes()).collect();
    bytes.truncate(length);
    bytes
}
