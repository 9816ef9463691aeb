//! A leg ends when the last thing on it has ended, and not before.

use ringfence_wire::{Effect, Times};

use super::{TOPICS, UNUSED, Wanted};

fn begins(topics: &[&str]) -> Effect {
    Effect::Begins(topics.iter().map(|&topic| topic.into()).collect())
}

fn ends(topics: &[&str]) -> Effect {
    Effect::Ends(topics.iter().map(|&topic| topic.into()).collect())
}

fn other(times: Times) -> Effect {
    Effect::EndsOther("beat".into(), times)
}

/// Tells whether nothing is wanted any more, after each of these.
fn unused_after(effects: &[Effect]) -> Vec<bool> {
    let mut wanted = Wanted::default();
    let mut after = |effect| {
        wanted.note(effect, 0);
        wanted.unused_for(0).is_some()
    };
    effects.iter().map(&mut after).collect()
}

#[test]
fn the_last_one_that_ends_leaves_nothing() {
    let beat = || Effect::BeginsOther("beat".into());
    for (effects, unused) in [
        (
            vec![begins(&["a", "b"]), ends(&["a"]), ends(&["b"])],
            [false, false, true],
        ),
        // What ends that never began ends nothing else.
        (
            vec![begins(&["a"]), ends(&["b"]), ends(&["a"])],
            [false, false, true],
        ),
        // One topic is one, however often it is begun.
        (
            vec![begins(&["a"]), begins(&["a"]), ends(&["a"])],
            [false, false, true],
        ),
        (
            vec![begins(&["a"]), Effect::EndsTopics, begins(&["a"])],
            [false, true, false],
        ),
        // What is no topic outlives them.
        (
            vec![beat(), begins(&["a"]), Effect::EndsTopics],
            [false, false, false],
        ),
        (
            vec![beat(), beat(), other(Times::Once)],
            [false, false, false],
        ),
        (
            vec![beat(), beat(), other(Times::All)],
            [false, false, true],
        ),
        (
            vec![beat(), other(Times::Once), Effect::None],
            [false, true, true],
        ),
    ] {
        assert_eq!(unused_after(&effects), unused, "{effects:?}");
    }
}

#[test]
fn one_on_which_there_were_too_many_to_tell_stays_until_all_end() {
    let many: Vec<String> = (0..=TOPICS).map(|number| number.to_string()).collect();
    let effects = [
        Effect::Begins(many.clone()),
        Effect::Ends(many),
        Effect::EndsTopics,
    ];
    assert_eq!(unused_after(&effects), [false, false, true]);
}

#[test]
fn it_has_a_while_for_the_venue_s_answer() {
    let mut wanted = Wanted::default();
    wanted.note(&begins(&["a"]), 5);
    assert_eq!(wanted.unused_for(5), None);
    wanted.note(&ends(&["a"]), 5);
    assert_eq!(wanted.unused_for(5), Some(UNUSED));
    let over_us = 5 + u64::try_from(UNUSED.as_micros()).unwrap_or(0);
    assert!(
        wanted
            .unused_for(over_us - 1)
            .is_some_and(|rest| !rest.is_zero())
    );
    assert!(
        wanted
            .unused_for(over_us)
            .is_some_and(|rest| rest.is_zero())
    );
}
