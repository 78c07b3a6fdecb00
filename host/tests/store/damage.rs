//! Each file of the database flipped and cut at many places; the journal and the exports, too.

use crate::site::{assert_whole, at, copy, files, live};
use holdfast::store::{Healed, Store};
use std::{fs, path::Path};

const ROUNDS: u64 = 30;

/// A state with an export in the middle of its life.
async fn original() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    for round in 0..ROUNDS {
        live(&store, round).await;
        if round == ROUNDS / 2 {
            store.save_export(at(0)).await.unwrap();
        }
    }
    store.close();
    drop(store);
    directory
}

/// Opens a damaged copy; whatever it says, all of it must be there, and writable, and well at the next opening.
async fn opens_whole(data: &Path, case: &str) -> Option<Healed> {
    let opened = Store::open_healing(data, at(1)).unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_whole(&opened.store, ROUNDS, case);
    live(&opened.store, ROUNDS).await;
    opened.store.close();
    drop(opened.store);
    let again = Store::open_healing(data, at(2)).unwrap_or_else(|error| panic!("{case}, again: {error}"));
    assert_eq!(again.healed, None, "{case}, again");
    assert_whole(&again.store, ROUNDS + 1, case);
    opened.healed
}

fn spread(length: usize, count: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).map(|number| number * length / count + number % 7).collect();
    places.retain(|place| *place < length);
    places.dedup();
    places
}

#[tokio::test]
async fn an_undamaged_state_is_not_healed() {
    let original = original().await;
    assert_eq!(opens_whole(original.path(), "undamaged").await, None);
}

#[tokio::test]
async fn a_flipped_bit_anywhere_in_the_database_costs_nothing() {
    let original = original().await;
    let state = original.path().join("state");
    let mut healed = 0;
    for file in files(&state) {
        let whole = fs::read(state.join(&file)).unwrap();
        for place in spread(whole.len(), 50) {
            let copied = tempfile::tempdir().unwrap();
            copy(original.path(), copied.path());
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << (place % 8);
            fs::write(copied.path().join("state").join(&file), bytes).unwrap();
            let case = format!("bit {} of byte {place} of {}", place % 8, file.display());
            healed += usize::from(opens_whole(copied.path(), &case).await.is_some());
        }
    }
    assert!(healed > 10, "only {healed} cases were healed: the damage does not reach the records");
}

#[tokio::test]
async fn a_database_file_cut_short_anywhere_or_gone_costs_nothing() {
    let original = original().await;
    let state = original.path().join("state");
    for file in files(&state) {
        let whole = fs::read(state.join(&file)).unwrap();
        for length in spread(whole.len(), 16) {
            let copied = tempfile::tempdir().unwrap();
            copy(original.path(), copied.path());
            fs::write(copied.path().join("state").join(&file), &whole[..length]).unwrap();
            opens_whole(copied.path(), &format!("{} cut to {length}", file.display())).await;
        }
        let copied = tempfile::tempdir().unwrap();
        copy(original.path(), copied.path());
        fs::remove_file(copied.path().join("state").join(&file)).unwrap();
        opens_whole(copied.path(), &format!("{} removed", file.display())).await;
    }
    let copied = tempfile::tempdir().unwrap();
    copy(original.path(), copied.path());
    fs::remove_dir_all(copied.path().join("state")).unwrap();
    let healed = opens_whole(copied.path(), "the whole database removed").await.unwrap();
    assert!(healed.complete && healed.export_of == Some(at(0)) && healed.replayed > 0, "{healed:?}");
}

#[tokio::test]
async fn a_damaged_journal_or_export_beside_a_good_database_costs_nothing() {
    let original = original().await;
    for room in ["journal", "exports"] {
        let place = original.path().join(room);
        for file in files(&place) {
            let whole = fs::read(place.join(&file)).unwrap();
            for at in spread(whole.len(), 16) {
                let copied = tempfile::tempdir().unwrap();
                copy(original.path(), copied.path());
                let mut bytes = whole.clone();
                bytes[at] ^= 0x20;
                fs::write(copied.path().join(room).join(&file), &bytes).unwrap();
                opens_whole(copied.path(), &format!("byte {at} of {room}/{}", file.display())).await;
                fs::write(copied.path().join(room).join(&file), &whole[..at]).unwrap();
                assert_whole(&Store::open(copied.path()).unwrap(), ROUNDS, "cut");
            }
        }
        let copied = tempfile::tempdir().unwrap();
        copy(original.path(), copied.path());
        fs::remove_dir_all(copied.path().join(room)).unwrap();
        opens_whole(copied.path(), &format!("{room} removed")).await;
    }
}

#[tokio::test]
async fn with_the_newest_export_damaged_too_an_older_one_and_the_journal_are_enough() {
    let original = original().await;
    let store = Store::open(original.path()).unwrap();
    let newest = store.save_export(at(5)).await.unwrap();
    store.close();
    drop(store);
    fs::write(original.path().join("state/db"), b"rubbish").unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&newest, bytes).unwrap();
    let healed = opens_whole(original.path(), "database and newest export").await.unwrap();
    assert_eq!(healed.export_of, Some(at(0)));
    assert!(healed.complete, "{healed:?}");
    let aside = healed.moved_to.unwrap();
    assert_eq!(fs::read(aside.join("db")).unwrap(), b"rubbish");
}

#[tokio::test]
async fn with_no_journal_left_the_newest_export_is_what_there_is() {
    let original = original().await;
    fs::remove_dir_all(original.path().join("state")).unwrap();
    fs::remove_dir_all(original.path().join("journal")).unwrap();
    let opened = Store::open_healing(original.path(), at(9)).unwrap();
    assert_eq!(opened.healed.unwrap().export_of, Some(at(0)));
    assert_whole(&opened.store, ROUNDS / 2 + 1, "export only");
}

#[tokio::test]
async fn a_state_that_stopped_the_appliance_while_opening_is_not_tried_a_third_time() {
    let original = original().await;
    fs::write(original.path().join("state.opening"), "2\n").unwrap();
    let healed = opens_whole(original.path(), "two attempts").await.unwrap();
    assert!(healed.reason.contains("2 times"), "{}", healed.reason);
}

#[tokio::test]
async fn only_a_few_damaged_states_are_kept() {
    let original = original().await;
    for _ in 0..5 {
        fs::remove_file(original.path().join("state/db")).unwrap();
        drop(Store::open(original.path()).unwrap());
    }
    let kept = fs::read_dir(original.path()).unwrap().flatten();
    let kept = kept.filter(|entry| entry.file_name().to_string_lossy().starts_with("state.damaged-")).count();
    assert_eq!(kept, 3);
}
