//! What parses, what does not, and what the help says.

use crate::cli::Holdfast;
use clap::{CommandFactory, Parser};

#[test]
fn the_definition_of_the_command_line_is_sound() {
    Holdfast::command().debug_assert();
}

#[test]
fn what_the_readme_shows_parses() {
    for line in [
        "about --json",
        "--data /srv/holdfast server list",
        "server add db1 --disk /srv/db1.raw --disk data=/dev/vg0/data --tag linux --rpo 24h",
        "server set db1 --rpo 90m",
        "vault create local /srv/vault --grace 7d --minimum-points 3",
        "vault attach nas /mnt/nas/vault --key-file key.txt",
        "backup db1 db2",
        "backup db1 --vault local --no-wait",
        "points",
        "points db1 --vault local --json",
        "points hold 4f6d --reason insurer",
        "points --vault /srv/vault --key-file key.txt --json",
        "restore db1 --to /tmp/db1.raw",
        "restore db1@latest --to /tmp/db1.qcow2 --format qcow2",
        "restore db1@4f6d --to /tmp/ --vault /srv/vault --key-file key.txt",
        "points --server db1",
        "vault verify local --read-data",
        "vault prune local",
        "vault key local --to local.key",
        "state export --now",
        "verify local --read-data",
        "verify --vault /srv/vault --key-file key.txt --read-data",
        "prune --dry-run",
        "job add nightly --plugin holdfast.backup --job backup --set vault=local --set servers=db1 --zone Europe/Berlin --keep-daily 7",
        "job add check --task verify --vault local --overlap queue --timeout 5s",
        "job run nightly --dry-run",
        "schedule preview x --blackout 08:00-18:00@mon,tue",
        "runs",
        "runs 7 --log --follow",
        "runs cancel 7",
        "plugin grant holdfast.backup servers --tag linux",
        "plugin revoke holdfast.backup retention",
        "plugin keygen --out my.key",
        "plugin pack a.wasm --manifest plugin.toml --out a.plugin",
        "plugin sign a.plugin --key my.key --out a.signed",
        "serve --listen 0.0.0.0:8470 --zone Europe/Berlin",
        "serve --data /srv/holdfast --listen 127.0.0.1:0 --no-tls --accept-unsigned-plugins",
        "try",
        "try --once --json",
        "try --image /srv/db1.qcow2",
        "alerts --all",
        "alerts resolve 3",
        "users add ada --role owner --password-file -",
        "token create monitoring --role viewer --expires 90d",
        "state export",
        "state import state.json",
        "--url https://box:8470 --token-file t --fingerprint 0000000000000000000000000000000000000000000000000000000000000000 about",
    ] {
        let words = std::iter::once("holdfast").chain(line.split(' '));
        if let Err(error) = Holdfast::try_parse_from(words) {
            panic!("`holdfast {line}` does not parse: {error}");
        }
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for line in [
        "",
        "server add DB1 --disk /x",
        "server add db1 --disk /x --rpo soon",
        "server add db1 --disk /x --format vdi",
        "points --key-file key.txt",
        "restore db1",
        "restore db1@newest --to /x",
        "job add nightly",
        "job add nightly --plugin a.b --task prune",
        "plugin grant holdfast.backup everything",
        "runs seven",
        "runs --state sleeping",
        "users add ada --role root",
        "--url https://box --data /x about",
        "--fingerprint 00 about",
    ] {
        let words = std::iter::once("holdfast").chain(line.split(' ').filter(|word| !word.is_empty()));
        assert!(Holdfast::try_parse_from(words).is_err(), "`holdfast {line}` was accepted");
    }
}

#[test]
fn the_help_names_every_command_and_exit_code() {
    insta::assert_snapshot!(Holdfast::command().term_width(110).render_help());
}
