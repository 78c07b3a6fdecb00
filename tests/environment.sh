# shellcheck shell=bash
# What ./try, tests/run and .ci/run share: where the repository, cargo and cargo's output are. Sourced.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The file system programs live where an ordinary user's path does not look, and rustup's where only a
# new login shell does.
PATH=$PATH:/usr/sbin:/sbin:${CARGO_HOME:-$HOME/.cargo}/bin
export PATH
if ! command -v cargo >/dev/null; then
    echo "cargo is missing. Install the Rust toolchain with rustup (https://rustup.rs), then start again." >&2
    exit 1
fi

# A relative directory means relative to where the user stands, not to where we go.
if [[ -n ${CARGO_TARGET_DIR:-} && $CARGO_TARGET_DIR != /* ]]; then export CARGO_TARGET_DIR=$PWD/$CARGO_TARGET_DIR; fi

# rust-toolchain.toml counts for whoever stands beside it, so cargo always runs there.
in_repo() (cd "$repo" && "$@")

# Of the whole workspace, though one binary is wanted: cargo settles the features of shared dependencies
# among the packages it is asked for, and a build of one package would compile wasmtime a second time.
build_holdfast() { in_repo cargo build --workspace --bin holdfast; }

target_directory() {
    in_repo cargo metadata --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}
