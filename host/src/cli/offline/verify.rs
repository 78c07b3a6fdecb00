//! `holdfast verify --vault DIR --key-file F`.

use super::{
    super::{
        context::Context,
        failure::Failure,
        show::{one_line, size},
    },
    open,
    watch::watch,
};
use holdfast_vault::{Control, VerifyReport, VerifyRequest};
use std::path::Path;

/// Checks the vault and names everything that is damaged.
pub(in super::super) async fn verify(
    context: &Context,
    directory: &Path,
    key_file: &Path,
    read_data: bool,
) -> Result<(), Failure> {
    let vault = open(directory, key_file).await?;
    let control = Control::new();
    let work = vault.verify(VerifyRequest { read_data }, &control);
    let report = watch("verify", !context.json, &control, work).await?;
    context.print(&report, |report| text(report, read_data))?;
    if report.is_clean() { Ok(()) } else { Err(Failure::Said) }
}

fn text(report: &VerifyReport, read_data: bool) -> String {
    let mut text = format!(
        "{} recovery points in {} objects, {} read\n",
        report.points,
        report.objects,
        size::human(report.bytes_read)
    );
    for damage in &report.damages {
        text.push_str(&format!("DAMAGED {}: {}\n", one_line(&damage.object), one_line(&damage.reason)));
        for hit in &damage.hits {
            let server = one_line(&hit.server);
            let disk = one_line(&hit.disk);
            let end = hit.offset.saturating_add(hit.length);
            text.push_str(&format!("  {server}@{} disk {disk}, bytes {} to {end}\n", hit.point, hit.offset));
        }
        if damage.hits.is_empty() {
            text.push_str("  no recovery point needs it\n");
        }
    }
    text.push_str(match (report.is_clean(), read_data) {
        (true, true) => "Intact: every byte was read and is what was written.\n",
        (true, false) => "Intact in its structure. Add --read-data to read and check every byte.\n",
        (false, _) => {
            "Damaged. What is not named above restores; take new recovery points of the servers that are.\n"
        }
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_vault::{Damage, DamagedRange};

    #[test]
    fn damage_is_named_down_to_the_bytes_of_a_disk() {
        let hit = DamagedRange {
            point: "4f6d1c8a2b3e4d5f60718293a4b5c6d7".parse().unwrap(),
            server: "db1".into(),
            disk: "disk0".into(),
            offset: 1 << 20,
            length: 16 << 10,
        };
        let report = VerifyReport {
            points: 2,
            objects: 9,
            bytes_read: 5 << 20,
            blocks_checked: 320,
            damages: vec![
                Damage { object: "packs/ab".into(), reason: "a frame does not open".into(), hits: vec![hit] },
                Damage { object: "packs/cd".into(), reason: "missing".into(), hits: vec![] },
            ],
        };
        insta::assert_snapshot!(text(&report, true));
        let clean = VerifyReport { damages: vec![], ..report };
        insta::assert_snapshot!(text(&clean, false));
    }
}
