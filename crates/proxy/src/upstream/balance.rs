//! Chooses the backend, and the endpoint for an attempt.
//!
//! Two random choices, then the one with fewer requests under way: nearly as good as asking everyone, and it
//! does not send the whole herd to a server that has just come back.

use std::rc::Rc;

use engine::config::{Backend, Backends};

use crate::state::clusters::EndpointState;
use crate::state::random::Random;

/// One of the backends, by weight.
#[must_use]
pub fn draw<'c>(backends: &'c Backends, random: &Random) -> Option<&'c Backend> {
    if let [only] = backends.choices.as_slice() {
        return Some(only);
    }
    let mut drawn = random.below(backends.weight_total.max(1));
    backends.choices.iter().find(|backend| match drawn.checked_sub(backend.weight) {
        Some(rest) => {
            drawn = rest;
            false
        }
        None => true,
    })
}

/// An endpoint to ask, other than the one that has just failed where there is a choice.
#[must_use]
pub fn choose<'e>(
    endpoints: &'e [Rc<EndpointState>],
    failed: Option<&Rc<EndpointState>>,
    random: &Random,
) -> Option<&'e Rc<EndpointState>> {
    let count = endpoints.len() as u32;
    let first = match count {
        0 => return None,
        1 => return endpoints.first(),
        _ => random.below(count) as usize,
    };
    // The second is drawn from the others, so the two differ.
    let second = (first + 1 + random.below(count - 1) as usize) % count as usize;
    let (first, second) = (&endpoints[first], &endpoints[second]);
    let is_failed = |endpoint: &Rc<EndpointState>| failed.is_some_and(|failed| Rc::ptr_eq(failed, endpoint));
    if is_failed(first) {
        return Some(second);
    }
    if is_failed(second) || first.in_flight.get() <= second.in_flight.get() {
        return Some(first);
    }
    Some(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(loads: &[u32]) -> Vec<Rc<EndpointState>> {
        let make = |(index, load): (usize, &u32)| {
            let endpoint = EndpointState::new(([127, 0, 0, 1], 1000 + index as u16).into(), None);
            endpoint.in_flight.set(*load);
            Rc::new(endpoint)
        };
        loads.iter().enumerate().map(make).collect()
    }

    #[test]
    fn of_two_endpoints_the_less_loaded_is_asked() {
        let endpoints = endpoints(&[5, 1]);
        let random = Random::new();

        for _ in 0..100 {
            assert_eq!(choose(&endpoints, None, &random).unwrap().address.port(), 1001);
        }
    }

    #[test]
    fn the_endpoint_that_failed_is_not_asked_again_while_there_is_another() {
        let endpoints = endpoints(&[0, 9, 9]);
        let random = Random::new();

        for _ in 0..100 {
            let chosen = choose(&endpoints, Some(&endpoints[0]), &random).unwrap();
            assert_ne!(chosen.address.port(), 1000);
        }
    }

    #[test]
    fn an_idle_endpoint_among_many_gets_its_share() {
        let endpoints = endpoints(&[0, 0, 0, 0]);
        let random = Random::new();
        let mut seen = [0; 4];

        for _ in 0..4000 {
            let chosen = choose(&endpoints, None, &random).unwrap();
            seen[usize::from(chosen.address.port() - 1000)] += 1;
        }

        assert!(seen.iter().all(|count| (700..1300).contains(count)), "{seen:?}");
    }

    #[test]
    fn nobody_is_asked_when_there_is_nobody() {
        assert!(choose(&[], None, &Random::new()).is_none());
    }
}
