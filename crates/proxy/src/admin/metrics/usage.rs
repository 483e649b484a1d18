//! How counting who has called what is going: whether it is kept, told, and as fine as it should be.

use commerce::usage::Window;

use super::{head, line};
use crate::admin::Shown;

/// Writes all of it.
pub(super) fn render(out: &mut String, shown: &Shown) {
    let meters = &shown.meters;
    let rings = || (0..meters.shards()).map(|shard| meters.ring(shard));
    let oldest = rings().filter(|ring| ring.waiting() > 0).map(|ring| ring.watermark()).min();
    let now = Window::of(shown.clock.wall());
    // Without a row there is nothing that the ledger could lack.
    let behind = oldest.map_or(0, |oldest| now.begins().saturating_sub(oldest.begins()));
    let values = [
        (
            "selvedge_usage_kept",
            "gauge",
            "Whether usage is counted in a file that outlives the process.",
            u64::from(meters.are_kept()),
        ),
        (
            "selvedge_usage_rows_waiting",
            "gauge",
            "Counts of a minute and series that the ledger has not finally acknowledged.",
            rings().map(|ring| ring.waiting()).sum(),
        ),
        (
            "selvedge_usage_behind_seconds",
            "gauge",
            "Age of the oldest minute that the ledger has not finally acknowledged.",
            behind,
        ),
        (
            "selvedge_usage_folded_total",
            "counter",
            "Times that usage was counted less finely for want of room: longer than a minute, or with others.",
            meters.folded(),
        ),
    ];
    for (name, kind, help, value) in values {
        head(out, name, kind, help);
        line(out, name, "", value);
    }
}
