//! Machine code for a package: made in a bounded child process, kept in a cache, believed only with its seal.
//!
//! Compiling takes as long and as much memory as the package wants, so it happens in a child of our own binary that
//! bounds itself and is killed when its time is up. What it writes is machine code that the appliance will run, so each
//! file is sealed with a keyed hash under this installation's secret: a file that was changed, or put there by somebody
//! else, is compiled again and never loaded.

use super::{engine, package::Package};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::{
    ffi::OsString,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    time::Duration,
};
use wasmtime::{Engine, component::Component};

/// The hidden command that makes our binary the compiling child.
pub const CHILD_COMMAND: &str = "compile-plugin";
/// Most of a child's words that are kept.
const WORDS: usize = 2000;

/// Why there is no machine code.
#[derive(Debug, thiserror::Error)]
pub enum CompilePlugin {
    /// The package itself does not compile.
    #[error(
        "plugin {plugin} does not compile: {reason}; it was not installed; ask its author for a corrected build"
    )]
    Refused {
        /// Which.
        plugin: String,
        /// The compiler's words.
        reason: String,
    },
    /// The child ran out of its bounds.
    #[error(
        "plugin {plugin} needs more than {} s or {} MiB to compile; it was not installed and nothing else was disturbed; ask \
         its author for a smaller build", bounds.time.as_secs(), bounds.memory >> 20
    )]
    TooCostly {
        /// Which.
        plugin: String,
        /// The bounds.
        bounds: Bounds,
    },
    /// The appliance could not do its part.
    #[error(
        "plugin {plugin} could not be compiled: {doing}: {source}; nothing was installed; check the data disk and try again"
    )]
    Io {
        /// Which.
        plugin: String,
        /// At what.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Good machine code that this engine does not take.
    #[error(
        "plugin {plugin} cannot be loaded: {reason}; nothing runs; restart the appliance, and report this if it stays"
    )]
    Load {
        /// Which.
        plugin: String,
        /// wasmtime's words.
        reason: String,
    },
}

/// What the child may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Address space, in bytes.
    pub memory: u64,
    /// Wall clock and CPU.
    pub time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { memory: 2 << 30, time: Duration::from_secs(60) }
    }
}

/// Compiles packages and keeps the result.
pub struct Compiler {
    engine: Engine,
    program: PathBuf,
    cache: PathBuf,
    secret: [u8; 32],
    bounds: Bounds,
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl Compiler {
    /// A compiler with its cache in `directory`; `program` is the binary that knows [`CHILD_COMMAND`].
    pub fn open(
        engine: &Engine,
        program: PathBuf,
        directory: &Path,
        bounds: Bounds,
    ) -> std::io::Result<Self> {
        let cache = directory.join("compiled");
        fs::create_dir_all(&cache)?;
        fs::set_permissions(&cache, fs::Permissions::from_mode(0o700))?;
        let secret = secret(&directory.join("compiled.secret"))?;
        let one_at_a_time = tokio::sync::Mutex::new(());
        Ok(Self { engine: engine.clone(), program, cache, secret, bounds, one_at_a_time })
    }

    /// The component, from the cache or compiled now.
    pub async fn component(&self, package: &Package) -> Result<Component, CompilePlugin> {
        let _turn = self.one_at_a_time.lock().await;
        let name = self.name(package);
        if let Some(component) = self.load_sealed(&name, package)? {
            return Ok(component);
        }
        self.compile(&name, package).await?;
        self.load_sealed(&name, package)?.ok_or_else(|| CompilePlugin::Load {
            plugin: package.manifest.id.to_string(),
            reason: "the file just written is not there as it was written".to_owned(),
        })
    }

    /// Machine code fits one package, one engine and one version of this binary.
    fn name(&self, package: &Package) -> String {
        let mut fits = DefaultHasher::new();
        self.engine.precompile_compatibility_hash().hash(&mut fits);
        env!("CARGO_PKG_VERSION").hash(&mut fits);
        format!("{}-{:016x}", package.digest, fits.finish())
    }

    fn seal(&self, name: &str, code: &[u8]) -> blake3::Hash {
        let mut seal = blake3::Hasher::new_keyed(&self.secret);
        seal.update(name.as_bytes()).update(b"\0").update(code);
        seal.finalize()
    }

    fn load_sealed(&self, name: &str, package: &Package) -> Result<Option<Component>, CompilePlugin> {
        let path = self.cache.join(name);
        let (Ok(code), Ok(seal)) = (fs::read(&path), fs::read_to_string(path.with_extension("seal"))) else {
            return Ok(None);
        };
        let expected = blake3::Hash::from_hex(seal.trim()).ok();
        if expected != Some(self.seal(name, &code)) {
            tracing::warn!(
                plugin = %package.manifest.id,
                "the compiled form of this plugin was changed on disk; it is not used and is compiled again"
            );
            return Ok(None);
        }
        #[expect(unsafe_code, reason = "wasmtime cannot check machine code; the seal does")]
        // SAFETY: `code` must come from `precompile_component` of a compatible engine. The keyed hash over these very
        // bytes, under a secret only this installation has, was made by `compile` below over what the child wrote, and
        // the name in it binds package, engine and version. The bytes checked are the bytes loaded: no file is mapped.
        let component = unsafe { Component::deserialize(&self.engine, &code) };
        component.map(Some).map_err(|source| CompilePlugin::Load {
            plugin: package.manifest.id.to_string(),
            reason: source.to_string(),
        })
    }

    async fn compile(&self, name: &str, package: &Package) -> Result<(), CompilePlugin> {
        let plugin = package.manifest.id.to_string();
        let io = |doing| {
            let plugin = plugin.clone();
            move |source| CompilePlugin::Io { plugin, doing, source }
        };
        let place = tempfile::tempdir_in(&self.cache).map_err(io("making a directory"))?;
        let (input, output) = (place.path().join("in"), place.path().join("out"));
        fs::write(&input, &package.bytes).map_err(io("writing the package"))?;
        let child = tokio::process::Command::new(&self.program)
            .args([
                OsString::from(CHILD_COMMAND),
                input.into(),
                output.clone().into(),
                self.bounds.memory.to_string().into(),
                self.bounds.time.as_secs().to_string().into(),
            ])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(io("starting the compiler"))?;
        let Ok(ended) = tokio::time::timeout(self.bounds.time, child.wait_with_output()).await else {
            return Err(CompilePlugin::TooCostly { plugin, bounds: self.bounds });
        };
        let ended = ended.map_err(io("waiting for the compiler"))?;
        if ended.status.code() == Some(i32::from(REFUSED)) {
            let words = String::from_utf8_lossy(&ended.stderr);
            let reason = words.trim().chars().take(WORDS).collect();
            return Err(CompilePlugin::Refused { plugin, reason });
        }
        if !ended.status.success() {
            return Err(CompilePlugin::TooCostly { plugin, bounds: self.bounds });
        }
        let code = fs::read(&output).map_err(io("reading the compiler's output"))?;
        let path = self.cache.join(name);
        let seal = self.seal(name, &code).to_hex().to_string();
        fs::rename(&output, &path).map_err(io("keeping the compiler's output"))?;
        fs::write(path.with_extension("seal"), seal).map_err(io("sealing the compiler's output"))
    }

    /// Forgets machine code of packages that are not `kept`, and of other engines.
    pub fn sweep(&self, kept: &[Package]) {
        let names: Vec<String> = kept.iter().map(|package| self.name(package)).collect();
        let Ok(entries) = fs::read_dir(&self.cache) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if path.is_file() && !names.iter().any(|name| name == stem) {
                // What cannot be removed now is removed at the next start.
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// This installation's secret, made on first use.
fn secret(path: &Path) -> std::io::Result<[u8; 32]> {
    if let Ok(kept) = fs::read(path)
        && let Ok(secret) = kept.try_into()
    {
        return Ok(secret);
    }
    let mut secret = [0; 32];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut secret)
        .map_err(|_| std::io::Error::other("the system gave no random bytes"))?;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(&secret)?;
    file.sync_all()?;
    Ok(secret)
}

/// The child's exit code for a package that does not compile.
const REFUSED: u8 = 3;
/// The child's exit code for anything else.
const BROKEN: u8 = 4;

/// If this process was started as the compiling child, compiles and says with which code to exit. Call it first in
/// `main`: before threads, logging or anything else.
pub fn run_as_child(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    arguments.next();
    if arguments.next()? != CHILD_COMMAND {
        return None;
    }
    let (input, output) = (PathBuf::from(arguments.next()?), PathBuf::from(arguments.next()?));
    let memory = arguments.next()?.to_str()?.parse().ok()?;
    let seconds = arguments.next()?.to_str()?.parse().ok()?;
    Some(child(&input, &output, memory, seconds))
}

fn child(input: &Path, output: &Path, memory: u64, seconds: u64) -> ExitCode {
    let bounds =
        [(Resource::As, memory), (Resource::Cpu, seconds), (Resource::Core, 0), (Resource::Fsize, memory)];
    for (resource, bound) in bounds {
        if setrlimit(resource, Rlimit { current: Some(bound), maximum: Some(bound) }).is_err() {
            return ExitCode::from(BROKEN);
        }
    }
    let compiled = fs::read(input)
        .map_err(|error| (BROKEN, error.to_string()))
        .and_then(|bytes| {
            let engine = Engine::new(&engine::config()).map_err(|error| (BROKEN, error.to_string()))?;
            engine.precompile_component(&bytes).map_err(|error| (REFUSED, format!("{error:#}")))
        })
        .and_then(|code| fs::write(output, code).map_err(|error| (BROKEN, error.to_string())));
    match compiled {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, words)) => {
            // The parent reads it; if it is gone, nobody needs it.
            let _ = writeln!(std::io::stderr(), "{words}");
            ExitCode::from(code)
        }
    }
}
