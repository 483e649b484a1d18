//! A pool as it is kept, and as people see it.

use commerce::quota::{Book, Holder, Pool, Told, Written};
use serde::{Deserialize, Serialize};

use crate::store::StoreError;
use crate::store::quotas::QuotaRow;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    quota: u64,
    remaining: u64,
    overdrawn: u64,
    settled: u64,
    holders: Vec<KeptHolder>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptHolder {
    node: String,
    /// In hexadecimal.
    boot: String,
    lent: u64,
    spent: u64,
    given_back: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    lost: bool,
}

/// As it is kept.
pub(super) fn write(pool: &Pool) -> String {
    let Written { quota, remaining, overdrawn, settled, holders } = pool.written();
    let holders = holders.into_iter().map(|(Holder { node, boot }, Book { totals, lost })| KeptHolder {
        node: node.to_string(),
        boot: format!("{boot:032x}"),
        lent: totals.lent,
        spent: totals.spent,
        given_back: totals.given_back,
        lost,
    });
    let kept = Kept { quota, remaining, overdrawn, settled, holders: holders.collect() };
    serde_json::to_string(&kept).expect("numbers and texts can be written")
}

/// As it was kept.
pub(super) fn read(row: &QuotaRow) -> Result<Pool, StoreError> {
    let broken = |why: String| {
        StoreError::Broken(format!("the books of the quota {} at {}: {why}", row.key.quota, row.key.start))
    };
    let kept: Kept = serde_json::from_str(&row.books).map_err(|fault| broken(fault.to_string()))?;
    let holders = kept.holders.into_iter().map(|holder| {
        let boot = u128::from_str_radix(&holder.boot, 16).map_err(|fault| broken(fault.to_string()))?;
        let KeptHolder { lent, spent, given_back, lost, .. } = holder;
        let book = Book { totals: Told { lent, spent, given_back }, lost };
        Ok((Holder { node: holder.node.into(), boot }, book))
    });
    let written = Written {
        quota: kept.quota,
        remaining: kept.remaining,
        overdrawn: kept.overdrawn,
        settled: kept.settled,
        holders: holders.collect::<Result<_, StoreError>>()?,
    };
    Pool::read(written).map_err(|fault| broken(fault.to_string()))
}

/// How it stands with one quota in one period. Used, lent, held and remaining are the quota, and what was overdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// The first second of the period, since 1970 (UTC).
    pub start: i64,
    /// The first second of the next.
    pub end: i64,
    /// Requests in the period.
    pub requests: u64,
    /// Spent, as far as gateways have told.
    pub used: u64,
    /// Lent to gateways and not yet spent.
    pub lent: u64,
    /// Lent to gateways that are gone without a word.
    pub held: u64,
    /// Not yet lent.
    pub remaining: u64,
    /// Spent beyond the quota.
    pub overdrawn: u64,
}

impl Standing {
    pub(super) fn of(row: &QuotaRow) -> Result<Standing, StoreError> {
        let pool = read(row)?;
        Ok(Standing {
            name: row.key.quota.to_string(),
            start: row.key.start,
            end: row.end,
            requests: pool.quota(),
            used: pool.used(),
            lent: pool.outstanding(),
            held: pool.held(),
            remaining: pool.remaining(),
            overdrawn: pool.overdrawn(),
        })
    }
}
