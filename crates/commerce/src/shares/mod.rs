//! How gateways divide a short-window rate among themselves.
//!
//! A rate is counted where requests arrive, so that no request waits for another machine. Each gateway therefore
//! counts against a share, and shares follow demand: whoever was asked more lately may give more. What is promised is
//! that shares never add up to more than the whole; what is not is that a sudden change of demand is met at once.
//! Limits that must be exact are quotas.

mod board;

pub use board::{Board, Elsewhere, HELD, RATES_MAX};

/// The whole, in the unit of a share.
pub const WHOLE: u32 = 1_000_000;

/// How much of the whole is dealt out evenly, whatever the demand, so that a gateway nobody has asked yet is not
/// without any share when somebody does: one part in so many.
const EVEN_PART: u32 = 10;

/// Shares in millionths, in the order of the demands (requests lately); together exactly [`WHOLE`], unless there is
/// nobody.
#[must_use]
pub fn divide(demands: &[u64]) -> Vec<u32> {
    let Ok(count) = u32::try_from(demands.len()) else { return Vec::new() };
    if count == 0 {
        return Vec::new();
    }
    let total: u128 = demands.iter().map(|demand| u128::from(*demand)).sum();
    let even = if total == 0 { WHOLE } else { WHOLE / EVEN_PART };
    let by_demand = u128::from(WHOLE - even);
    let mut shares: Vec<u32> = demands
        .iter()
        .map(|demand| {
            let own = (by_demand * u128::from(*demand)).checked_div(total).unwrap_or(0);
            even / count + u32::try_from(own).unwrap_or(0)
        })
        .collect();
    give_the_rest(&mut shares, demands);
    shares
}

/// What rounding down has left goes to those with the largest demand, one millionth each.
fn give_the_rest(shares: &mut [u32], demands: &[u64]) {
    let mut rest = WHOLE - shares.iter().sum::<u32>();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(demands[*index]));
    for index in order.into_iter().cycle() {
        if rest == 0 {
            return;
        }
        shares[index] += 1;
        rest -= 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{WHOLE, divide};

    #[test]
    fn without_demand_everybody_has_the_same() {
        assert_eq!(divide(&[0, 0, 0, 0]), [WHOLE / 4; 4]);
        assert_eq!(divide(&[]), [0; 0]);
    }

    #[test]
    fn demand_moves_shares_and_leaves_the_idle_one_something() {
        let shares = divide(&[900, 100, 0]);
        assert!(shares[0] > shares[1] && shares[1] > shares[2], "{shares:?}");
        assert!(shares[2] >= WHOLE / 31, "{shares:?}");
    }

    proptest! {
        #[test]
        fn shares_are_the_whole_and_nothing_more(demands in prop::collection::vec(any::<u64>(), 1..100)) {
            prop_assert_eq!(divide(&demands).iter().map(|share| u64::from(*share)).sum::<u64>(), u64::from(WHOLE));
        }

        #[test]
        fn nobody_with_more_demand_has_a_smaller_share(demands in prop::collection::vec(0_u64..1_000_000, 2..20)) {
            let shares = divide(&demands);
            for (one, other) in (0..demands.len()).flat_map(|one| (0..demands.len()).map(move |other| (one, other))) {
                if demands[one] > demands[other] {
                    prop_assert!(shares[one] >= shares[other]);
                }
            }
        }
    }
}
