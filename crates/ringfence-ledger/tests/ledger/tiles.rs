//! Published tiles are those of C2SP tlog-tiles, grow with the log, survive interruption, and prove
//! every entry and every growth; what does not continue the published log is never published.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fs;
use std::path::Path;

use crate::support::{Running, config, read, verifier};
use ringfence_ledger::checkpoint::Checkpoint;
use ringfence_ledger::tile::{Shelf, Tile, TileTree, Tiles};
use ringfence_ledger::tree::{Frontier, Hash, leaf_hash};
use ringfence_ledger::{LedgerError, proof, publish, release, stage, tiles_over};

/// Tiles in memory that count how often they are asked.
struct Memory {
    tiles: HashMap<String, Vec<u8>>,
    asked: std::cell::Cell<usize>,
}

impl Tiles for Memory {
    type Error = Infallible;

    fn hashes(&self, tile: &Tile) -> Result<Vec<Hash>, Infallible> {
        self.asked.set(self.asked.get() + 1);
        Ok(self.tiles[&tile.to_string()].as_chunks().0.to_vec())
    }
}

fn entries(size: u64) -> Vec<Vec<u8>> {
    (0..size).map(|at| at.to_be_bytes().to_vec()).collect()
}

fn memory(size: u64) -> (Memory, Hash) {
    let entries = entries(size);
    let (tiles, root) = tiles_over(entries.iter().map(Vec::as_slice));
    let tiles = tiles
        .into_iter()
        .map(|(tile, bytes)| (tile.to_string(), bytes));
    let (tiles, asked) = (tiles.collect(), 0.into());
    (Memory { tiles, asked }, root)
}

#[test]
fn paths_have_one_spelling() {
    for (index, width, path) in [
        (0, 256, "tile/3/000"),
        (999, 7, "tile/3/999.p/7"),
        (1_234_067, 256, "tile/3/x001/x234/067"),
        (1_000, 255, "tile/3/x001/000.p/255"),
    ] {
        let shelf = Shelf::Level(3);
        let tile = Tile {
            shelf,
            index,
            width,
        };
        assert_eq!(tile.to_string(), path);
        assert_eq!(Tile::parse(path), Some(tile));
    }
    assert_eq!(
        Tile::parse("tile/entries/001").map(|tile| tile.shelf),
        Some(Shelf::Entries)
    );
    for wrong in [
        "tile/3/0",
        "tile/3/0000",
        "tile/03/000",
        "tile/64/000",
        "tile/3/x000/001",
        "tile/3/000.p/0",
        "tile/3/000.p/256",
        "tile/3/000.p/07",
        "tile/3/000/",
        "tile/3/001/x002",
        "tile/-1/000",
        "tile/3/+00",
        "tile//000",
        "entries/000",
        "tile/3/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(Tile::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_tree_of_70000_has_the_tiles_the_specification_says() {
    let (memory, root) = memory(70_000);
    let mut widths: BTreeMap<(Shelf, u16), u64> = BTreeMap::new();
    for path in memory.tiles.keys() {
        let tile = Tile::parse(path).unwrap();
        *widths.entry((tile.shelf, tile.width)).or_default() += 1;
    }
    let level = Shelf::Level;
    let expected = [
        ((level(0), 112), 1),
        ((level(0), 256), 273),
        ((level(1), 17), 1),
        ((level(1), 256), 1),
        ((level(2), 1), 1),
    ];
    assert_eq!(widths, expected.into());
    let mut tree = Frontier::default();
    entries(70_000)
        .iter()
        .for_each(|entry| tree.push(leaf_hash(entry)));
    assert_eq!(root, tree.root());
}

#[test]
fn proofs_read_from_tiles_are_those_made_from_leaves() {
    let leaves: Vec<Hash> = entries(600).iter().map(|entry| leaf_hash(entry)).collect();
    for size in [1, 2, 255, 256, 257, 511, 512, 513, 600] {
        let (memory, root) = memory(size);
        let known = &leaves[..usize::try_from(size).unwrap()];
        let mut tree = TileTree::new(&memory, size);
        assert_eq!(tree.root(), Ok(root));
        for at in 0..known.len() {
            let found = tree.prove_inclusion(at as u64).unwrap();
            assert_eq!(found, proof::prove_inclusion(at, known), "{at} of {size}");
            let found = tree.prove_consistency(at as u64 + 1).unwrap();
            assert_eq!(
                found,
                proof::prove_consistency(at + 1, known),
                "{at} of {size}"
            );
        }
        assert_eq!(tree.prove_inclusion(size), Ok(None));
        assert_eq!(tree.prove_consistency(size + 1), Ok(None));
        assert_eq!(tree.prove_consistency(0), Ok(None));
    }
}

#[test]
fn a_proof_from_a_large_tree_reads_two_tiles_a_level() {
    let (memory, root) = memory(70_000);
    for index in [0, 255, 33_333, 65_535, 65_536, 69_999] {
        memory.asked.set(0);
        let mut tree = TileTree::new(&memory, 70_000);
        let proof = tree.prove_inclusion(index).unwrap().unwrap();
        let leaf = leaf_hash(&index.to_be_bytes());
        assert!(proof::verify_inclusion(index, 70_000, &leaf, &proof, &root));
        assert!(memory.asked.get() <= 6, "{index}: {}", memory.asked.get());
    }
}

/// Appends `count` entries to the log in `directory` and closes it.
fn grow(directory: &Path, count: usize) {
    let running = Running::open(directory);
    let mut last = None;
    for at in 0..count {
        let entry = read(&format!("0badcafe-{at}"));
        let relaxed = ringfence_ledger::Durability::Relaxed;
        last = Some(running.ledger.append(&entry, relaxed).unwrap());
    }
    if let Some(last) = last {
        running.settled(last);
    }
    running.ledger.close().unwrap();
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.join("tlog")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(directory.join("tlog")).unwrap();
                found.insert(name.display().to_string(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn what_is_published_in_steps_is_what_is_published_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut size = 0;
    for count in [1, 200, 60, 300, 0, 300] {
        grow(directory.path(), count);
        size += count as u64;
        let publication = publish(directory.path()).unwrap();
        assert_eq!(publication.checkpoint.size, size);
        let newest = fs::read(directory.path().join("checkpoint")).unwrap();
        assert_eq!(publication.note, newest);
    }
    let mut stepwise = files(directory.path());
    fs::remove_dir_all(directory.path().join("tlog")).unwrap();
    publish(directory.path()).unwrap();
    let at_once = files(directory.path());
    // The widths of earlier checkpoints stay until the tile is full.
    stepwise.retain(|name, _| at_once.contains_key(name) || !name.contains(".p/"));
    assert_eq!(stepwise, at_once);
    for (name, bytes) in &at_once {
        if name.starts_with("tile/entries/") {
            let mut leaves = Vec::new();
            let mut rest = bytes.as_slice();
            while let Some((length, more)) = rest.split_first_chunk::<2>() {
                let (entry, more) = more.split_at(usize::from(u16::from_be_bytes(*length)));
                leaves.push(leaf_hash(entry));
                rest = more;
            }
            let hashes = &at_once[&name.replace("/entries/", "/0/")];
            assert_eq!(leaves.as_flattened(), hashes, "{name}");
        }
    }
}

#[test]
fn a_lost_or_false_place_costs_time_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    grow(directory.path(), 600);
    publish(directory.path()).unwrap();
    let before = files(directory.path());
    let place = directory.path().join("tlog/.place");
    for text in ["", "256 512 0000000000000000\n", "nonsense"] {
        grow(directory.path(), 1);
        fs::write(&place, text).unwrap();
        publish(directory.path()).unwrap();
    }
    let after = files(directory.path());
    for (name, bytes) in before {
        if name.starts_with("tile/") {
            assert_eq!(after.get(&name), Some(&bytes), "{name}");
        }
    }
}

#[test]
fn a_full_tile_that_was_altered_is_named_and_not_written_over() {
    let directory = tempfile::tempdir().unwrap();
    grow(directory.path(), 300);
    publish(directory.path()).unwrap();
    let tile = directory.path().join("tlog/tile/0/000");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[77] ^= 1;
    fs::write(&tile, &bytes).unwrap();
    grow(directory.path(), 1);
    assert!(publish(directory.path()).is_err());
    fs::remove_file(directory.path().join("tlog/.place")).unwrap();
    let error = publish(directory.path()).unwrap_err();
    assert!(error.to_string().contains("tlog/tile/0/000"), "{error}");
    assert_eq!(fs::read(&tile).unwrap(), bytes);
}

#[test]
fn a_log_that_was_set_back_or_forked_is_not_published() {
    let directory = tempfile::tempdir().unwrap();
    grow(directory.path(), 10);
    let young = tempfile::tempdir().unwrap();
    for name in ["entries.log", "checkpoints", "checkpoint"] {
        fs::copy(directory.path().join(name), young.path().join(name)).unwrap();
    }
    grow(directory.path(), 10);
    let published = publish(directory.path()).unwrap();
    // Set back: the files of an hour ago, all of them genuine.
    for name in ["entries.log", "checkpoints", "checkpoint"] {
        fs::copy(young.path().join(name), directory.path().join(name)).unwrap();
    }
    assert!(matches!(
        publish(directory.path()),
        Err(LedgerError::Published { .. })
    ));
    // Forked: other entries since, and more of them.
    grow(directory.path(), 20);
    let error = publish(directory.path()).unwrap_err();
    assert!(error.to_string().contains("forked or set back"), "{error}");
    let left = fs::read(directory.path().join("tlog/checkpoint")).unwrap();
    assert_eq!(left, published.note);
}

#[test]
fn a_checkpoint_that_does_not_fit_the_tiles_is_not_released() {
    let directory = tempfile::tempdir().unwrap();
    grow(directory.path(), 5);
    let staged = stage(directory.path()).unwrap();
    assert!(!directory.path().join("tlog/checkpoint").exists());
    let forged = Checkpoint {
        root: [7; 32],
        ..staged.checkpoint.clone()
    };
    let key = crate::support::key();
    let note = ringfence_ledger::note::sign(&forged.text(), &key, &verifier());
    assert!(release(directory.path(), note.as_bytes()).is_err());
    assert!(release(directory.path(), b"nonsense").is_err());
    assert_eq!(release(directory.path(), &staged.note).unwrap(), staged);
}

#[test]
fn a_folder_without_a_log_publishes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(
        publish(directory.path()),
        Err(LedgerError::Missing { .. })
    ));
    assert!(!directory.path().join("tlog").exists());
}

#[test]
fn a_running_log_is_published_up_to_its_newest_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = config(directory.path());
    settings.checkpoint_ms = 1;
    let running = Running::try_open(settings).unwrap();
    for at in 0..40 {
        running.strict(&read(&format!("0badcafe-{at}")));
        let publication = publish(directory.path()).unwrap();
        assert!(publication.checkpoint.size <= running.ledger.committed());
    }
    running.ledger.close().unwrap();
    assert_eq!(publish(directory.path()).unwrap().checkpoint.size, 40);
}

#[test]
fn an_empty_log_is_published_as_a_checkpoint_without_tiles() {
    let directory = tempfile::tempdir().unwrap();
    grow(directory.path(), 0);
    assert_eq!(publish(directory.path()).unwrap().checkpoint.size, 0);
    let names: Vec<String> = files(directory.path()).into_keys().collect();
    assert_eq!(names, [".place", "checkpoint"]);
    let vkey = verifier().to_string();
    let report = ringfence_ledger::verify(directory.path(), Some(&vkey), &mut |_| {}).unwrap();
    assert!(report.clean() && report.published == Some(0), "{report:?}");
}

#[test]
#[allow(unsafe_code)]
fn two_publishers_do_not_get_in_each_other_s_way() {
    let directory = tempfile::tempdir().unwrap();
    grow(directory.path(), 5);
    let folder = directory.path().join("tlog");
    fs::create_dir(&folder).unwrap();
    let other = fs::File::open(&folder).unwrap();
    // SAFETY: flock takes a descriptor, which `other` keeps open, and touches no memory.
    assert_eq!(
        unsafe { libc::flock(std::os::fd::AsRawFd::as_raw_fd(&other), libc::LOCK_EX) },
        0
    );
    let refused = publish(directory.path());
    assert!(
        matches!(refused, Err(LedgerError::Publishing { .. })),
        "{refused:?}"
    );
    drop(other);
    assert!(publish(directory.path()).is_ok());
}
