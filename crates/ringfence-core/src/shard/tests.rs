//! A shard stands as it was told to, and is one of those that there are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{ShardState, Shards};

#[test]
fn each_shard_stands_as_it_was_told_to() {
    let shards = Shards::new(3);
    let [first, second, third] = [0, 1, 2].map(|number| shards.shard(number).unwrap());
    shards.set(first, ShardState::Draining);
    shards.set(second, ShardState::Isolated);
    let states = [first, second, third].map(|shard| shards.state(shard));
    let expected = [
        ShardState::Draining,
        ShardState::Isolated,
        ShardState::Serving,
    ];
    assert_eq!(states, expected);
    shards.set(second, ShardState::Serving);
    assert_eq!(shards.state(second), ShardState::Serving);
}

#[test]
fn a_shard_that_is_not_there_has_no_name() {
    assert_eq!(Shards::new(3).shard(3), None);
    assert_eq!(Shards::default().shard(0), None);
    let numbers: Vec<_> = Shards::new(2).all().map(|shard| shard.number()).collect();
    assert_eq!(numbers, [0, 1]);
}

#[test]
fn a_state_is_read_as_it_is_written() {
    for state in ShardState::ALL {
        assert_eq!(ShardState::parse(state.as_str()), Some(state));
    }
    assert_eq!(ShardState::parse("closed"), None);
}
