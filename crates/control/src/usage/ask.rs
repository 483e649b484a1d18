//! What somebody wants to know: of what, of which time, and told apart by what.

use commerce::usage::{WINDOW_SECONDS, Window};
use model::suggest;

use crate::api::Query;
use crate::objects::status::Status;
use crate::store::usage::{By, Cursor, Picked};

/// How far back is looked when nobody says: 30 days.
const SECONDS_BACK: i64 = 30 * 24 * 60 * 60;
/// Most windows in one batch of events.
const EVENTS_MAX: u64 = 1_000;

/// `application`, `product` (`namespace/name`), `from` and `until` (seconds since 1970).
pub fn picked(query: &Query, namespace: Option<String>, now: i64) -> Result<Picked, Status> {
    let named = |name: &str| query.text(name).map(str::to_owned);
    let (from, until) = time(query, now)?;
    Ok(Picked { namespace, application: named("application"), product: named("product"), from, until })
}

/// From when until when: the windows that lie in it or have begun in it.
pub fn time(query: &Query, now: i64) -> Result<(Window, Window), Status> {
    let from = moment(query, "from")?.unwrap_or(now - SECONDS_BACK);
    let until = moment(query, "until")?.unwrap_or(now + 1);
    let window = |seconds: i64| u32::try_from(seconds.max(0).unsigned_abs() / WINDOW_SECONDS);
    let late = |_| Status::bad_request("the time is beyond all calendars");
    let last = u64::try_from(until.max(0)).unwrap_or_default().div_ceil(WINDOW_SECONDS);
    Ok((Window(window(from).map_err(late)?), Window(u32::try_from(last).map_err(late)?)))
}

fn moment(query: &Query, name: &str) -> Result<Option<i64>, Status> {
    let parse = |text: &str| {
        text.parse::<i64>()
            .map_err(|_| Status::bad_request(format!("`{name}={text}`: use seconds since 1970")))
    };
    query.text(name).map(parse).transpose()
}

/// `by=application,operation`.
pub fn by(query: &Query) -> Result<Vec<By>, Status> {
    let words = query.text("by").unwrap_or_default().split(',').filter(|word| !word.is_empty());
    words.map(one).collect()
}

fn one(word: &str) -> Result<By, Status> {
    By::ALL.into_iter().find(|by| by.word() == word).ok_or_else(|| {
        let known = By::ALL.map(By::word);
        let meant = suggest::nearest(word, known).map(|near| format!("; did you mean `{near}`?"));
        let meant = meant.unwrap_or_default();
        Status::bad_request(format!("`by={word}`: there are {}{meant}", known.join(", ")))
    })
}

/// `after` (what stands in the last event that was read) and `limit`.
pub fn page(query: &Query) -> Result<(Cursor, usize), Status> {
    let after = query.text("after").map(cursor).transpose()?.unwrap_or_default();
    let limit = match query.text("limit") {
        None => EVENTS_MAX,
        Some(text) => {
            text.parse().ok().filter(|limit| (1..=EVENTS_MAX).contains(limit)).ok_or_else(|| {
                Status::bad_request(format!("`limit={text}`: use a number from 1 to {EVENTS_MAX}"))
            })?
        }
    };
    Ok((after, usize::try_from(limit).unwrap_or(usize::MAX)))
}

fn cursor(text: &str) -> Result<Cursor, Status> {
    let read = || {
        let mut parts = text.split('.');
        let (seal, boot) = (parts.next()?.parse().ok()?, parts.next()?);
        let (minute, series) = (parts.next()?.parse().ok()?, parts.next()?);
        let cursor = Cursor { seal, last: (boot.to_owned(), minute, series.to_owned()) };
        parts.next().is_none().then_some(cursor)
    };
    read().ok_or_else(|| {
        Status::bad_request(format!(
            "`after={text}`: use the `selvedgecursor` of the last event that you have"
        ))
    })
}

/// A cursor as text.
#[must_use]
pub fn written(cursor: &Cursor) -> String {
    let (boot, minute, series) = &cursor.last;
    format!("{}.{boot}.{minute}.{series}", cursor.seal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_written_and_others_are_refused() {
        let cursor = Cursor { seal: 7, last: ("0a".to_owned(), 29_000_000, "ff".to_owned()) };
        let query = Query::parse(&format!("after={}&limit=10", written(&cursor))).expect("sound");

        assert_eq!(page(&query).expect("sound"), (cursor, 10));
        for refused in ["after=7", "after=a.b.c.d", "limit=0", "limit=1001", "after=1.a.2.b.c"] {
            assert!(page(&Query::parse(refused).expect("sound")).is_err(), "{refused}");
        }
    }

    #[test]
    fn time_is_whole_windows_with_the_one_that_has_begun() {
        let query = Query::parse("from=125&until=181").expect("sound");

        assert_eq!(time(&query, 0).expect("sound"), (Window(2), Window(4)));
        assert_eq!(time(&Query::parse("").expect("sound"), 60).expect("sound"), (Window(0), Window(2)));
        assert!(by(&Query::parse("by=operation,dya").expect("sound")).is_err());
    }
}
