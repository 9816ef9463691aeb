//! Who asks seldom goes before who asks all the time, and nobody waits for more than a round of the others.

use proptest::prelude::*;

use super::*;

/// Serves the next one; returns whose it was.
fn serve(line: &mut Fair<usize>, flows: &mut [Along]) -> Option<usize> {
    let next = line.next()?;
    flows[next] = line.serve(flows[next]);
    Some(next)
}

/// Has each of so many flows ask again as soon as it is served, for some rounds and a half.
fn flooded(flows: usize, rounds: usize) -> (Fair<usize>, Vec<Along>) {
    let mut line = Fair::default();
    let mut along = vec![line.newcomer(); flows];
    (0..flows).for_each(|flow| line.enter(along[flow], flow));
    for _ in 0..rounds * flows + flows / 2 {
        let next = serve(&mut line, &mut along).unwrap_or_default();
        line.enter(along[next], next);
    }
    (line, along)
}

#[test]
fn who_has_not_asked_for_a_round_goes_before_all_who_wait() {
    let (mut line, mut flows) = flooded(1000, 3);
    flows.push(Along::default());
    line.enter(flows[1000], 1000);
    assert_eq!(serve(&mut line, &mut flows), Some(1000));
    // It has had its turn of this round.
    line.enter(flows[1000], 1000);
    assert_ne!(serve(&mut line, &mut flows), Some(1000));
}

#[test]
fn who_comes_anew_for_each_message_is_not_before_those_who_stay() {
    let (mut line, mut flows) = flooded(10, 3);
    flows.push(line.newcomer());
    line.enter(flows[10], 10);
    // Those that have not been served in this round, and those that have and entered before.
    for _ in 0..10 {
        assert_ne!(serve(&mut line, &mut flows), Some(10));
    }
    assert_eq!(serve(&mut line, &mut flows), Some(10));
}

#[test]
fn what_was_served_while_nobody_waited_is_not_held_against_a_flow() {
    let mut line = Fair::default();
    let mut flows = [line.newcomer(), line.newcomer()];
    for _ in 0..1000 {
        flows[0] = line.serve(flows[0]);
    }
    line.enter(flows[1], 1);
    line.enter(flows[0], 0);
    line.enter(line.newcomer(), 2);
    let order: Vec<_> = std::iter::from_fn(|| line.next()).collect();
    assert_eq!(order, [1, 0, 2]);
    assert!(line.is_empty());
}

proptest! {
    #[test]
    fn nobody_waits_while_another_is_served_twice_more(asks in proptest::collection::vec(0_usize..6, 1..200)) {
        let mut line = Fair::default();
        let mut flows = [line.newcomer(); 6];
        let mut waits = [false; 6];
        let mut passed = [[0; 6]; 6];
        for (step, flow) in asks.into_iter().enumerate() {
            if !std::mem::replace(&mut waits[flow], true) {
                line.enter(flows[flow], flow);
                passed[flow] = [0; 6];
            }
            if step % 2 == 1 && let Some(served) = serve(&mut line, &mut flows) {
                waits[served] = false;
                for other in (0..6).filter(|other| waits[*other]) {
                    passed[other][served] += 1;
                    prop_assert!(passed[other][served] <= 2);
                }
            }
        }
        prop_assert_eq!(line.len(), waits.iter().filter(|waits| **waits).count());
    }
}
