//! Life cycles: which state may follow which, one table for each kind that has one.
//!
//! A table and not code, so that what is drawn in the documentation, what is refused and what a command proposes are
//! the same thing. States say nothing about holds: those come and go whatever the state is.

mod change;

pub use change::{FORCE, Forbidden, check};

use std::fmt;

use serde::Serialize;

use crate::kinds::api_product::ProductState;
use crate::kinds::api_version::VersionState;
use crate::kinds::plan::PlanState;

/// States that follow each other.
pub trait State: Copy + PartialEq + Serialize + fmt::Debug + 'static {
    /// Every state with those that may follow it, in the order of a life.
    const LIFE: &'static [(Self, &'static [Self])];

    /// The states that may follow.
    #[must_use]
    fn next(self) -> &'static [Self] {
        Self::LIFE.iter().find(|(state, _)| *state == self).map_or(&[], |(_, next)| next)
    }

    /// Whether an object in this state may be in that one next. Staying is not a step.
    #[must_use]
    fn may_become(self, next: Self) -> bool {
        self == next || self.next().contains(&next)
    }
}

#[rustfmt::skip] // the tables are the point
impl State for VersionState {
    const LIFE: &'static [(Self, &'static [Self])] = &[
        (VersionState::Draft,      &[VersionState::Prerelease, VersionState::Published]),
        (VersionState::Prerelease, &[VersionState::Published, VersionState::Draft]),
        (VersionState::Published,  &[VersionState::Deprecated]),
        (VersionState::Deprecated, &[VersionState::Retired, VersionState::Published]),
        (VersionState::Retired,    &[]),
    ];
}

#[rustfmt::skip]
impl State for ProductState {
    const LIFE: &'static [(Self, &'static [Self])] = &[
        (ProductState::Draft,      &[ProductState::Published]),
        (ProductState::Published,  &[ProductState::Deprecated]),
        (ProductState::Deprecated, &[ProductState::Archived, ProductState::Published]),
        (ProductState::Archived,   &[]),
    ];
}

#[rustfmt::skip]
impl State for PlanState {
    const LIFE: &'static [(Self, &'static [Self])] = &[
        (PlanState::Draft,      &[PlanState::Published]),
        (PlanState::Published,  &[PlanState::Deprecated]),
        (PlanState::Deprecated, &[PlanState::Closed, PlanState::Published]),
        (PlanState::Closed,     &[]),
    ];
}

impl VersionState {
    /// Whether its operations are answered.
    #[must_use]
    pub fn is_live(self) -> bool {
        match self {
            VersionState::Prerelease | VersionState::Published | VersionState::Deprecated => true,
            VersionState::Draft | VersionState::Retired => false,
        }
    }

    /// Whether clients were promised something.
    #[must_use]
    pub fn is_promised(self) -> bool {
        matches!(self, VersionState::Published | VersionState::Deprecated)
    }
}
