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
    /// Beside or in the place of what is answered by the same name.
    pub how: How,
}

/// How a field is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// In the place of those there are.
    Set,
    /// In the place of those there are, if there is one.
    SetIfPresent,
    /// Beside those there are.
    Add,
    /// If there is none.
    AddIfAbsent,
}

impl Heard<'_> {
    /// What the client is told with an answer that `has` fields of these names.
    pub fn told_beside(&self, has: impl Fn(&[u8]) -> bool) -> impl Iterator<Item = &Told> {
        self.told.iter().filter(move |told| match told.how {
            How::Set | How::Add => true,
            How::SetIfPresent => has(&told.name),
            How::AddIfAbsent => !has(&told.name),
        })
    }

    /// Whether the backend's field of a name gives way to one of ours.
    #[must_use]
    pub fn replaces(&self, name: &[u8]) -> bool {
        let replaces = |how: How| matches!(how, How::Set | How::SetIfPresent);
        self.told.iter().any(|told| replaces(told.how) && *told.name == *name)
    }
}
