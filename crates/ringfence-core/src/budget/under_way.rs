//! What a message uses of limits on what is under way, until it is done with.

use std::sync::Arc;

use super::latch::Latch;
use super::law::Law;
use super::part::Part;
use super::plan::Plan;
use super::touch::{NOWHERE, Touch};

/// What a message uses; it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay<L: Latch> {
    parts: Arc<[L::Of<Part>]>,
    used: Box<[Use]>,
}

/// So many units of one cell. A record with something under way is not forgotten, so it stays where it is.
#[derive(Debug)]
struct Use {
    part: usize,
    group: u16,
    slot: u32,
    law: Law,
    at: usize,
    units: u64,
}

impl<L: Latch> UnderWay<L> {
    pub(super) fn of(plan: &Plan, touches: &[Touch], parts: &Arc<[L::Of<Part>]>) -> Option<Self> {
        if !plan.concurrent {
            return None;
        }
        let mut used = Vec::new();
        for touch in touches.iter().filter(|touch| touch.slot != NOWHERE) {
            for bound in &plan.steps[touch.step].bounds {
                let units = bound.base(touch.share);
                if matches!(bound.law, Law::Concurrent { .. }) && units > 0 {
                    used.push(Use {
                        part: touch.part,
                        group: touch.group,
                        slot: touch.slot,
                        law: bound.law,
                        at: bound.at,
                        units,
                    });
                }
            }
        }
        (!used.is_empty()).then(|| Self {
            parts: Arc::clone(parts),
            used: used.into(),
        })
    }
}

impl<L: Latch> Drop for UnderWay<L> {
    fn drop(&mut self) {
        for used in &self.used {
            let mut part = L::lock(&self.parts[used.part]);
            let cells = part.rooms[usize::from(used.group)].cells(used.slot);
            let cell = &mut cells[used.at..used.at + used.law.words()];
            used.law.give_back(cell, used.units);
        }
    }
}
