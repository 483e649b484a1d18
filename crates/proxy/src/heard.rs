//! What authorizers have said of a request, for the answer and the log.

/// What was heard of those who were asked about a request.
#[derive(Debug, Default)]
pub struct Heard<'c> {
    /// The policy by which the request was refused, or whose authorizer said nothing, `namespace/name`.
    pub policy: Option<&'c str>,
    /// Why that one said nothing, as a stable word.
    pub fault: Option<&'static str>,
    /// What a request is answered with of which nothing was said.
    pub status_on_error: u16,
    /// Fields that the client is told with the answer, whoever gives it.
    pub told: Vec<Told>,
}

/// A field that the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its name, in lower case.
    pub name: Box<[u8]>,
    /// Its value.
    pub value: Box<[u8]>,
    /// Whether it takes the place of what the backend says by the same name.
    pub replaces: bool,
}

impl Heard<'_> {
    /// Whether the backend's field of a name gives way to one of ours.
    #[must_use]
    pub fn replaces(&self, name: &[u8]) -> bool {
        self.told.iter().any(|told| told.replaces && *told.name == *name)
    }
}
