//! What may not become of an object that people rely on.
//!
//! Judged when somebody writes through the API, on the objects as they are written: what a file says anew is a state
//! and not a step.

use serde_json::Value;

use super::State;
use crate::kinds::KindName;
use crate::kinds::api_product::ProductState;
use crate::kinds::api_version::VersionState;
use crate::kinds::plan::PlanState;
use crate::units::Moment;

/// Annotation by which somebody says that an end may come earlier than was promised: `sunset`.
pub const FORCE: &str = "product.selvedge.dev/force";

/// One thing that may not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// The field.
    pub field: &'static str,
    /// What is wrong and what to do.
    pub why: String,
}

/// Everything about a change of an object that its life cycle forbids.
#[must_use]
pub fn check(kind: KindName, before: &Value, after: &Value) -> Vec<Forbidden> {
    let change = Change { before, after };
    match kind {
        KindName::ApiVersion => change.of_version(),
        KindName::ApiProduct => change.step::<ProductState>().into_iter().collect(),
        KindName::Plan => change.of_plan(),
        _ => Vec::new(),
    }
}

struct Change<'a> {
    before: &'a Value,
    after: &'a Value,
}

impl Change<'_> {
    fn of_version(&self) -> Vec<Forbidden> {
        let mut found: Vec<Forbidden> = self.step::<VersionState>().into_iter().collect();
        if state::<VersionState>(self.before) != Some(VersionState::Draft) {
            found.extend(self.kept("spec.api", "a version belongs to one API; make another one"));
            found.extend(self.kept("spec.label", "clients know it by its label; make another version"));
        }
        found.extend(self.earlier_sunset());
        found
    }

    /// [A2] What was agreed to is for good.
    fn of_plan(&self) -> Vec<Forbidden> {
        let mut found: Vec<Forbidden> = self.step::<PlanState>().into_iter().collect();
        if state::<PlanState>(self.before) != Some(PlanState::Draft)
            && terms(self.before) != terms(self.after)
        {
            let why = "terms that were published never change; make another Plan with the next `version`";
            found.push(Forbidden { field: "spec", why: why.to_owned() });
        }
        found
    }

    fn step<S: State>(&self) -> Option<Forbidden> {
        let (before, after) = (state::<S>(self.before)?, state::<S>(self.after)?);
        if before.may_become(after) {
            return None;
        }
        let next: Vec<String> = before.next().iter().map(|state| format!("{state:?}")).collect();
        let then = match next.is_empty() {
            true => "that is its end".to_owned(),
            false => format!("next can be {}", next.join(" or ")),
        };
        let why = format!("{before:?} does not become {after:?}; {then}");
        Some(Forbidden { field: "spec.state", why })
    }

    fn kept(&self, field: &'static str, why: &str) -> Option<Forbidden> {
        let pointer = format!("/{}", field.replace('.', "/"));
        let same = self.before.pointer(&pointer) == self.after.pointer(&pointer);
        (!same).then(|| Forbidden { field, why: why.to_owned() })
    }

    /// [A3] An end that was announced does not come earlier, unless somebody insists.
    fn earlier_sunset(&self) -> Option<Forbidden> {
        let sunset = |object: &Value| object.pointer("/spec/sunset")?.as_str()?.parse::<Moment>().ok();
        let (before, after) = (sunset(self.before)?, sunset(self.after)?);
        let forced = || {
            let annotations = self.after.pointer("/metadata/annotations")?;
            annotations.get(FORCE)?.as_str().filter(|word| *word == "sunset")
        };
        (after < before && forced().is_none()).then(|| Forbidden {
            field: "spec.sunset",
            why: format!(
                "its end was announced for {before}; annotate it with `{FORCE}: sunset` to end it earlier"
            ),
        })
    }
}

fn state<S: State>(object: &Value) -> Option<S> {
    let word = object.pointer("/spec/state")?;
    S::LIFE
        .iter()
        .map(|(state, _)| *state)
        .find(|state| serde_json::to_value(state).is_ok_and(|known| known == *word))
}

/// A spec without its state.
fn terms(object: &Value) -> Option<Value> {
    let mut spec = object.get("spec")?.clone();
    spec.as_object_mut()?.shift_remove("state");
    Some(spec)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn version(state: &str) -> Value {
        json!({"spec": {"api": "a", "label": "v1", "state": state}})
    }

    fn fields(found: &[Forbidden]) -> Vec<&str> {
        found.iter().map(|one| one.field).collect()
    }

    fn states<S: State>() -> Vec<S> {
        S::LIFE.iter().map(|(state, _)| *state).collect()
    }

    /// Every life ends, whichever way it goes, unless it turns back on purpose.
    fn is_sound<S: State>() {
        for state in states::<S>() {
            assert!(state.may_become(state), "{state:?} may stay");
            assert!(state.next().iter().all(|next| states::<S>().contains(next)));
            assert!(!state.next().contains(&state), "staying is no step");
        }
        let last = *states::<S>().last().expect("states");
        assert!(last.next().is_empty(), "{last:?} is the end");
        assert!(
            states::<S>().iter().filter(|state| state.next().is_empty()).count() == 1,
            "there is one end"
        );
    }

    #[test]
    fn every_life_has_one_end_and_steps_between_states_it_knows() {
        is_sound::<VersionState>();
        is_sound::<ProductState>();
        is_sound::<PlanState>();
    }

    #[test]
    fn a_step_that_is_not_in_the_table_names_those_that_are() {
        let found = check(KindName::ApiVersion, &version("Published"), &version("Draft"));

        assert_eq!(found.len(), 1);
        assert_eq!(found[0].why, "Published does not become Draft; next can be Deprecated");
        let found = check(KindName::ApiVersion, &version("Retired"), &version("Published"));
        assert_eq!(found[0].why, "Retired does not become Published; that is its end");
    }

    #[test]
    fn what_clients_know_a_version_by_stays_once_it_is_no_draft() {
        let mut other = version("Published");
        other["spec"]["label"] = json!("v2");

        assert_eq!(fields(&check(KindName::ApiVersion, &version("Published"), &other)), ["spec.label"]);
        assert_eq!(check(KindName::ApiVersion, &version("Draft"), &other), []);
    }

    fn moment() -> impl Strategy<Value = i64> {
        0_i64..4_000_000_000
    }

    proptest! {
        #[test]
        fn a_sunset_never_moves_earlier_without_force(before in moment(), after in moment(), force: bool) {
            let with = |moment: i64| json!({
                "metadata": {"annotations": if force { json!({FORCE: "sunset"}) } else { json!({}) }},
                "spec": {"api": "a", "label": "v1", "state": "Deprecated", "sunset": Moment(moment).to_string()},
            });

            let found = check(KindName::ApiVersion, &with(before), &with(after));

            prop_assert_eq!(fields(&found) == ["spec.sunset"], after < before && !force);
        }

        #[test]
        fn terms_that_were_published_never_change(
            from in 0_usize..4, to in 0_usize..4, requests in 1_u64..3, more in 1_u64..3,
        ) {
            let states = states::<PlanState>();
            let plan = |state: PlanState, requests: u64| json!({
                "spec": {"product": "p", "version": 1, "state": state, "rates": [{"requests": requests, "per": "1s"}]},
            });

            let found = check(KindName::Plan, &plan(states[from], requests), &plan(states[to], more));

            let changed = requests != more && states[from] != PlanState::Draft;
            prop_assert_eq!(fields(&found).contains(&"spec"), changed);
            prop_assert_eq!(fields(&found).contains(&"spec.state"), !states[from].may_become(states[to]));
        }
    }
}
