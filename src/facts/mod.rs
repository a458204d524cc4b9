//! What is known about a change besides its renderings: what it touches, what was live where, who owns what, who has
//! approved, and the calendar.

pub use approvals::{Review, ReviewError, Reviewer};
pub use change::{Bot, Change, first_changed_line};
pub use controllers::{Deployer, cycles, deployers, needed};
pub use evidence::{Applied, Deployed, EvidenceError, deployed, read_applied};
pub use history::{Depth, History, HistoryError, Stay};
pub use owners::{OWNERS_PLACES, OwnerRule, Owners};
pub use timeline::{Gap, Live, Stretch, Timeline};
pub use versions::{Versions, VersionsFile, WrittenVersions, versions};

mod approvals;
mod change;
mod controllers;
mod evidence;
mod history;
mod owners;
mod timeline;
mod versions;
