//! What is to be told of one file of counters. No socket and no clock: counters in, shipments out, receipts in.

use std::collections::HashMap;

use bytes::Bytes;
use commerce::usage::{Counts, Window};
use discovery::usage::{RECORDS_MAX, Record, Series, Shipment, TEXT_BYTES_MAX};

use crate::state::meters::{Meters, OTHERS, Row, SeriesId};

/// How much of a file has been acknowledged.
#[derive(Debug)]
pub struct Outbox {
    /// Whether whoever counted is gone.
    is_ended: bool,
    /// What the ledger knows of rows that are not freed.
    known: Vec<HashMap<u64, Counts>>,
}

/// Some of it, and what its receipt will mean.
#[derive(Debug)]
pub struct Parcel {
    /// What to send.
    pub shipment: Shipment,
    /// Whether there is more to tell at once.
    pub is_cut: bool,
    told: Vec<Told>,
    /// For each worker: all rows before that are final and known once this was received.
    free: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    shard: usize,
    row: u64,
    counts: Counts,
}

impl Outbox {
    /// Nothing was acknowledged yet.
    #[must_use]
    pub fn new(meters: &Meters, is_ended: bool) -> Outbox {
        Outbox { is_ended, known: vec![HashMap::new(); meters.shards()] }
    }

    /// What is to be told next: everything that has changed since it was acknowledged, oldest first.
    #[must_use]
    pub fn next(&self, meters: &Meters) -> Parcel {
        let mut parcel = Parcel {
            shipment: Shipment {
                boot: Bytes::copy_from_slice(&meters.boot().0.to_be_bytes()),
                watermark: watermark(meters).0,
                ..Shipment::default()
            },
            is_cut: false,
            told: Vec::new(),
            free: Vec::with_capacity(meters.shards()),
        };
        let mut named = HashMap::new();
        for shard in 0..meters.shards() {
            let free = self.fill(&mut parcel, &mut named, meters, shard);
            parcel.free.push(free);
        }
        parcel.shipment.is_complete = self.is_ended && !parcel.is_cut;
        parcel
    }

    /// Adds what one worker has counted; says up to which row all are final and told.
    fn fill(
        &self,
        parcel: &mut Parcel,
        named: &mut HashMap<SeriesId, u32>,
        meters: &Meters,
        shard: usize,
    ) -> u64 {
        let ring = meters.ring(shard);
        let mut free = ring.tail();
        for row in ring.read(self.is_ended) {
            // What a machine that lost its power has torn says nothing that could be told.
            let Some(row) = row else {
                free += 1;
                continue;
            };
            let is_known = self.known[shard].get(&row.number) == Some(&row.counts);
            if !is_known && !row.counts.is_nothing() {
                if parcel.shipment.records.len() == RECORDS_MAX {
                    parcel.is_cut = true;
                    return free;
                }
                let series = named_as(&mut parcel.shipment.series, named, meters, row.series);
                parcel.shipment.records.push(record(&row, shard, series));
                parcel.told.push(Told { shard, row: row.number, counts: row.counts });
            }
            if row.is_final {
                free = row.number + 1;
            }
        }
        free
    }

    /// The ledger has all of a parcel. Says whether it has everything, and the file may go.
    pub fn received(&mut self, meters: &Meters, parcel: &Parcel) -> bool {
        for told in &parcel.told {
            self.known[told.shard].insert(told.row, told.counts);
        }
        for (shard, free) in parcel.free.iter().enumerate() {
            meters.ring(shard).free(*free);
            self.known[shard].retain(|row, _| row >= free);
        }
        parcel.shipment.is_complete
    }
}

/// Every window before that was acknowledged, by all workers.
fn watermark(meters: &Meters) -> Window {
    (0..meters.shards()).map(|shard| meters.ring(shard).watermark()).min().unwrap_or_default()
}

fn record(row: &Row, shard: usize, series: u32) -> Record {
    let shard = u32::try_from(shard).unwrap_or(u32::MAX);
    Record { series, shard, window: row.window.0, counts: row.counts.0.to_vec() }
}

/// The place of a series in a shipment.
fn named_as(
    all: &mut Vec<Series>,
    named: &mut HashMap<SeriesId, u32>,
    meters: &Meters,
    series: SeriesId,
) -> u32 {
    *named.entry(series).or_insert_with(|| {
        // A name that cannot be read is among the others: what it counted is not.
        let name = meters.series(series).or_else(|| meters.series(OTHERS)).unwrap_or_default();
        all.push(cut(name));
        u32::try_from(all.len() - 1).unwrap_or(u32::MAX)
    })
}

/// Texts that are too long are cut, so that one of them does not keep everything else from being told.
fn cut(mut series: Series) -> Series {
    let Series { application, product, plan, version, operation, listener, .. } = &mut series;
    for text in [application, product, plan, version, operation, listener] {
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    }
    series
}
