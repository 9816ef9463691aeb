//! What gets through when there is more than there is room for: who waits for whom, and for how long.
//!
//! Nothing here knows a clock: times are microseconds of any clock that only goes forward.

mod breaker;
mod brownout;
mod fair;
mod gradient;
mod line;
mod places;
mod priority;

pub use breaker::{Breaker, Circuit, Fuse};
pub use brownout::{Brownout, Level};
pub use fair::{Along, Fair};
pub use gradient::Gradient;
pub use line::{Line, Taken, Waits};
pub use places::{Places, Share};
pub use priority::{Place, Priority};
