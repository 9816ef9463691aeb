//! Which fresh step-up would have a request permitted, where one would.

use ringfence_core::policy::StepUp;

use crate::request::Request;
use crate::set::{PolicySet, Verdict};

/// What operators prove; accounts' keys are stepped up for by the stronger two.
pub(crate) const OPERATORS: [&str; 3] = ["recovery", "totp", "passkey"];

/// A step-up older than this is asked for anew, whatever policies say.
const MOST_S: u64 = 86_400;

/// The step-up that would do: any of these strengths, no older than this.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Remedy {
    pub(crate) strengths: Vec<&'static str>,
    pub(crate) max_age_s: u64,
}

/// Returns the step-up that a request lacks, if it lacks nothing else. Policies that read none answer from what is kept.
///
/// Where policies take a proof at one age, do not at a later one, and take it again later still, the age told is one at
/// which they do, and not the highest.
pub(crate) fn remedy(
    set: &PolicySet,
    request: &Request<'_>,
    strengths: impl IntoIterator<Item = &'static str>,
) -> Option<Remedy> {
    let would_do = |strength, age_s| {
        let stepped_up = Request {
            step_up: Some(StepUp { age_s, strength }),
            ..*request
        };
        matches!(&*set.decide(&stepped_up), Verdict::Permitted(_))
    };
    let strengths: Vec<_> = strengths
        .into_iter()
        .filter(|strength| would_do(strength, 0))
        .collect();
    if strengths.is_empty() {
        return None;
    }
    let all_do = |age_s| strengths.iter().all(|strength| would_do(strength, age_s));
    let (mut does, mut beyond) = (0, MOST_S + 1);
    while beyond - does > 1 {
        let middle = does.midpoint(beyond);
        if all_do(middle) {
            does = middle;
        } else {
            beyond = middle;
        }
    }
    Some(Remedy {
        strengths,
        max_age_s: does,
    })
}
