//! An object store in memory that misbehaves on command: fails from its n-th change on, or waits before each operation
//! until the test lets it go on.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::*;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What happens to the change at which a crash is set, and to all after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// It does not happen.
    Before,
    /// It happens, but nobody hears of it; what follows does not happen.
    After,
}

/// The misbehaving store. Handles made with [`handle`](Self::handle) share the objects and misbehave each on its own.
pub struct Faulty {
    objects: Arc<InMemory>,
    changes: AtomicUsize,
    operations: AtomicUsize,
    crash_at: Mutex<Option<(usize, Crash)>>,
    pub full: Mutex<bool>,
    gate: Option<Gate>,
}

/// Lets operations through one by one.
#[derive(Default)]
struct Gate {
    allowed: AtomicUsize,
    passed: AtomicUsize,
    waiting: AtomicUsize,
    changed: Notify,
}

impl Faulty {
    pub fn new() -> Arc<Self> {
        Self::around(Arc::new(InMemory::new()), None)
    }

    /// A handle on the same objects with no faults.
    pub fn handle(&self) -> Arc<Self> {
        Self::around(self.objects.clone(), None)
    }

    /// A handle on the same objects that waits before each operation.
    pub fn gated(&self) -> Arc<Self> {
        Self::around(self.objects.clone(), Some(Gate::default()))
    }

    fn around(objects: Arc<InMemory>, gate: Option<Gate>) -> Arc<Self> {
        let (changes, operations) = Default::default();
        let (crash_at, full) = Default::default();
        Arc::new(Self { objects, changes, operations, crash_at, full, gate })
    }

    /// A copy of all objects as they are now, in a store of its own.
    pub async fn snapshot(&self) -> Arc<Self> {
        let copy = InMemory::new();
        for meta in self.objects.list(None).try_collect::<Vec<_>>().await.unwrap() {
            let bytes = self.objects.get(&meta.location).await.unwrap().bytes().await.unwrap();
            copy.put(&meta.location, bytes.into()).await.unwrap();
        }
        Self::around(Arc::new(copy), None)
    }

    pub fn crash_at(&self, change: usize, how: Crash) {
        *self.crash_at.lock() = Some((change, how));
    }

    pub fn changes(&self) -> usize {
        self.changes.load(SeqCst)
    }

    pub fn operations(&self) -> usize {
        self.operations.load(SeqCst)
    }

    pub async fn paths(&self) -> Vec<Path> {
        let mut paths: Vec<Path> =
            self.objects.list(None).map_ok(|meta| meta.location).try_collect().await.unwrap();
        paths.sort();
        paths
    }

    pub async fn read(&self, path: &Path) -> Vec<u8> {
        self.objects.get(path).await.unwrap().bytes().await.unwrap().to_vec()
    }

    pub async fn write(&self, path: &Path, bytes: Vec<u8>) {
        self.objects.put(path, bytes.into()).await.unwrap();
    }

    pub async fn remove(&self, path: &Path) {
        self.objects.delete(path).await.unwrap();
    }

    /// Lets `count` more operations through.
    pub fn allow(&self, count: usize) {
        let gate = self.gate.as_ref().unwrap();
        gate.allowed.fetch_add(count, SeqCst);
        gate.changed.notify_waiters();
    }

    /// Waits until all allowed operations passed and another one waits, or `done` is true.
    pub async fn settled(&self, done: impl Fn() -> bool) {
        let gate = self.gate.as_ref().unwrap();
        let waits = || gate.waiting.load(SeqCst) > 0 && gate.passed.load(SeqCst) == gate.allowed.load(SeqCst);
        while !(done() || waits()) {
            tokio::task::yield_now().await;
        }
    }

    async fn enter(&self) {
        self.operations.fetch_add(1, SeqCst);
        let Some(gate) = &self.gate else { return };
        gate.waiting.fetch_add(1, SeqCst);
        loop {
            let changed = gate.changed.notified();
            let passed = gate.passed.load(SeqCst);
            if passed < gate.allowed.load(SeqCst)
                && gate.passed.compare_exchange(passed, passed + 1, SeqCst, SeqCst).is_ok()
            {
                break;
            }
            if gate.passed.load(SeqCst) >= gate.allowed.load(SeqCst) {
                changed.await;
            }
        }
        gate.waiting.fetch_sub(1, SeqCst);
    }

    /// Whether this change happens, and whether its caller hears so.
    fn change(&self) -> (bool, Result<()>) {
        let number = self.changes.fetch_add(1, SeqCst);
        if *self.full.lock() {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return (false, Err(Error::Generic { store: "faulty", source: source.into() }));
        }
        let failure = || Error::Generic { store: "faulty", source: "the power went out".into() };
        match *self.crash_at.lock() {
            Some((at, how)) if number == at => (how == Crash::After, Err(failure())),
            Some((at, _)) if number > at => (false, Err(failure())),
            _ => (true, Ok(())),
        }
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

/// A shared handle that can be moved into streams.
#[derive(Clone, Debug)]
pub struct Shared(pub Arc<Faulty>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

#[async_trait]
impl ObjectStore for Shared {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.0.enter().await;
        let (happens, heard) = self.0.change();
        let result = match happens {
            true => Some(self.0.objects.put_opts(path, payload, options).await?),
            false => None,
        };
        heard?;
        Ok(result.unwrap())
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        unimplemented!("the vault does not use multipart uploads")
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.enter().await;
        self.0.objects.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let shared = self.0.clone();
        paths
            .then(move |path| {
                let shared = shared.clone();
                async move {
                    let path = path?;
                    shared.enter().await;
                    let (happens, heard) = shared.change();
                    if happens {
                        shared.objects.delete(&path).await?;
                    }
                    heard.map(|()| path)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let shared = self.0.clone();
        let prefix = prefix.cloned();
        futures::stream::once(async move {
            shared.enter().await;
            shared.objects.list(prefix.as_ref()).collect::<Vec<_>>().await
        })
        .flat_map(futures::stream::iter)
        .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.objects.copy_opts(from, to, options).await
    }
}

impl Faulty {
    /// The place of a vault in this store.
    pub fn place(self: &Arc<Self>) -> holdfast_vault::VaultStore {
        holdfast_vault::VaultStore::objects(Arc::new(Shared(self.clone())), "", "memory")
    }
}
