//! A room finds what was put into it and not taken out, whatever came before.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use proptest::prelude::*;

use super::Room;

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    })]

    /// Keys meet at few places of the index, so that searches run into each other and around its end.
    #[test]
    fn a_room_is_a_map(steps in prop::collection::vec((any::<bool>(), 1..60_u128), 1..400)) {
        let (mut room, mut map) = (Room::new(1), HashMap::<u128, u64>::new());
        for (number, (insert, n)) in (1..).zip(steps) {
            let key = (n % 4 + 14) | n << 64;
            match (insert, room.find(key)) {
                (true, None) => {
                    let slot = room.insert(key);
                    room.cells(slot)[0] = number;
                    map.insert(key, number);
                }
                (false, Some(slot)) => {
                    room.remove(slot);
                    map.remove(&key);
                }
                (true, Some(_)) | (false, None) => {}
            }
            for n in 1..60 {
                let key = (n % 4 + 14) | n << 64;
                let found = room.find(key).map(|slot| room.cells(slot)[0]);
                prop_assert_eq!(found, map.get(&key).copied());
            }
        }
    }
}
