//! Several policies as one: of each field, what the most specific of them says.

use model::kinds::resilience_policy::{Backoff, EndpointLimits};
use model::kinds::resilience_policy::{
    HealthChecks, Locality, OutlierDetection, ResiliencePolicySpec, ResilienceTimeouts, Retries, RetryBudget,
    UpstreamLimits,
};

/// Leaves what is said and takes what is not from a less specific one.
trait Fill: Clone {
    fn fill(&mut self, from: &Self);
}

fn fill_part<T: Fill>(into: &mut Option<T>, from: Option<&T>) {
    match (into, from) {
        (Some(into), Some(from)) => into.fill(from),
        (into @ None, Some(from)) => *into = Some(from.clone()),
        (_, None) => {}
    }
}

/// Fields that are one decision each, and parts that are made of fields.
macro_rules! fill {
    ($type:ty, [$($field:ident),*], [$($part:ident),*]) => {
        impl Fill for $type {
            fn fill(&mut self, from: &Self) {
                $(if self.$field.is_none() { self.$field = from.$field.clone(); })*
                $(fill_part(&mut self.$part, from.$part.as_ref());)*
            }
        }
    };
}

fill!(ResilienceTimeouts, [request, attempt, connect, idle], []);
fill!(Retries, [attempts, retry_on, methods, body_bytes_max], [backoff, budget]);
fill!(Backoff, [base, max], []);
fill!(RetryBudget, [percent, min_retries_per_second], []);
fill!(
    OutlierDetection,
    [consecutive_errors, interval, base_ejection, max_ejection_percent, panic_threshold_percent],
    []
);
fill!(UpstreamLimits, [connections, pending_requests, requests], [per_endpoint]);
fill!(EndpointLimits, [requests], []);
fill!(Locality, [prefer_local, overflow_percent], []);
// Which question is asked is one decision, and every policy that speaks of checks has made it.
fill!(HealthChecks, [interval, timeout, healthy_threshold, unhealthy_threshold], []);
fill!(ResiliencePolicySpec, [], [timeouts, retries, outlier_detection, limits, health_checks, locality]);

/// All of them as one, the most specific first; `None` of none.
pub(super) fn all<'s>(
    mut specs: impl Iterator<Item = &'s ResiliencePolicySpec>,
) -> Option<ResiliencePolicySpec> {
    let mut merged = specs.next()?.clone();
    specs.for_each(|less_specific| merged.fill(less_specific));
    // Where it was said is nothing to those who go by it.
    merged.target_refs.clear();
    Some(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::units::GatewayDuration;
    use std::time::Duration;

    #[test]
    fn each_field_is_as_the_most_specific_policy_says_that_speaks_of_it() {
        let retries = |attempts, percent: Option<u8>| {
            let budget = percent.map(|percent| RetryBudget { percent: Some(percent), ..Default::default() });
            Some(Retries { attempts, budget, ..Retries::default() })
        };
        let specific = ResiliencePolicySpec { retries: retries(None, Some(5)), ..Default::default() };
        let middle = ResiliencePolicySpec { retries: retries(Some(4), Some(50)), ..Default::default() };
        let request = Some(GatewayDuration(Duration::from_secs(3)));
        let timeouts = Some(ResilienceTimeouts { request, ..Default::default() });
        let general =
            ResiliencePolicySpec { retries: retries(Some(9), None), timeouts, ..Default::default() };

        let merged = all([&specific, &middle, &general].into_iter()).expect("something");

        let retries = merged.retries.expect("retries");
        assert_eq!(retries.attempts, Some(4));
        assert_eq!(retries.budget.expect("a budget").percent, Some(5));
        assert_eq!(merged.timeouts, timeouts);
        assert_eq!(all(std::iter::empty()), None);
    }
}
