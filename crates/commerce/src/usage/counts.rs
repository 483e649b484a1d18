//! What is counted, and the two ways to put counts together: the larger of two tellings, and the sum of two things.

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Meter {
    /// Requests whose answer had the status 1xx, 2xx or 3xx.
    Success,
    /// Requests that the upstream answered with 4xx.
    ClientErrors,
    /// Requests that the upstream answered with 5xx.
    ServerErrors,
    /// Requests that were answered by the gateway for want of a right, a limit or an upstream. They are never billed.
    Refused,
    /// Bytes received from clients, heads included, of requests that are not [`Meter::Refused`].
    RequestBytes,
    /// Bytes sent to clients, heads included, of requests that are not [`Meter::Refused`].
    ResponseBytes,
}

/// How many meters there are.
pub const METERS: usize = 6;

impl Meter {
    /// Every meter, in the order in which they are stored and sent.
    pub const ALL: [Meter; METERS] = [
        Meter::Success,
        Meter::ClientErrors,
        Meter::ServerErrors,
        Meter::Refused,
        Meter::RequestBytes,
        Meter::ResponseBytes,
    ];

    /// Its name where it is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Meter::Success => "success",
            Meter::ClientErrors => "clientErrors",
            Meter::ServerErrors => "serverErrors",
            Meter::Refused => "refused",
            Meter::RequestBytes => "requestBytes",
            Meter::ResponseBytes => "responseBytes",
        }
    }
}

/// What became of a request, as far as usage is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// See [`Meter::Success`].
    Success,
    /// See [`Meter::ClientErrors`].
    ClientError,
    /// See [`Meter::ServerErrors`].
    ServerError,
    /// See [`Meter::Refused`].
    Refused,
}

impl Class {
    /// The class of an answer: of its status, unless the gateway made it because something went wrong.
    #[must_use]
    pub fn of(status: u16, is_refused: bool) -> Class {
        match status {
            _ if is_refused => Class::Refused,
            0..400 => Class::Success,
            400..500 => Class::ClientError,
            500.. => Class::ServerError,
        }
    }

    /// What counts such requests.
    #[must_use]
    pub fn meter(self) -> Meter {
        match self {
            Class::Success => Meter::Success,
            Class::ClientError => Meter::ClientErrors,
            Class::ServerError => Meter::ServerErrors,
            Class::Refused => Meter::Refused,
        }
    }
}

/// A number for each meter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counts(pub [u64; METERS]);

impl Counts {
    /// What one meter says.
    #[must_use]
    pub fn of(&self, meter: Meter) -> u64 {
        self.0[meter as usize]
    }

    /// Requests that count for a bill: all but those that the gateway refused.
    #[must_use]
    pub fn requests(&self) -> u64 {
        let [success, client_errors, server_errors, ..] = self.0;
        success.saturating_add(client_errors).saturating_add(server_errors)
    }

    /// All requests, refused ones too.
    #[must_use]
    pub fn all_requests(&self) -> u64 {
        self.requests().saturating_add(self.of(Meter::Refused))
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.0 == [0; METERS]
    }

    /// Hears another telling of the same count: the larger one is the later one.
    pub fn hear(&mut self, told: &Counts) {
        self.0.iter_mut().zip(told.0).for_each(|(known, told)| *known = (*known).max(told));
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Counts) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, other)| *sum = sum.saturating_add(other));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_gateway_refused_is_counted_and_never_billed() {
        let mut counts = Counts::default();
        for (status, is_refused) in
            [(200, false), (101, false), (304, false), (404, false), (503, false), (429, true), (503, true)]
        {
            counts.0[Class::of(status, is_refused).meter() as usize] += 1;
        }

        assert_eq!(counts.0[..4], [3, 1, 1, 2]);
        assert_eq!((counts.requests(), counts.all_requests()), (5, 7));
    }

    #[test]
    fn the_place_of_a_meter_is_its_place_in_the_list() {
        assert!(Meter::ALL.iter().enumerate().all(|(at, meter)| *meter as usize == at));
    }
}
