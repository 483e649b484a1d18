//! Collects every broken promise of a table before failing, so that one run shows them all.

/// Broken promises by the name of the vector.
#[derive(Debug, Default)]
pub struct Broken {
    checked: usize,
    found: Vec<String>,
}

impl Broken {
    /// Nothing is broken yet.
    #[must_use]
    pub fn new() -> Broken {
        Broken::default()
    }

    /// Notes the result of one vector.
    pub fn note(&mut self, name: &str, result: Result<(), String>) {
        self.checked += 1;
        if let Err(problem) = result {
            self.found.push(format!("{name}: {problem}"));
        }
    }

    /// Fails with all of them, if there are any; also when nothing was checked at all.
    ///
    /// # Panics
    /// When a promise was broken.
    pub fn none(self) {
        assert!(self.checked > 0, "the table is empty: nothing was checked");
        assert!(
            self.found.is_empty(),
            "{} of {} promises broken:\n  {}",
            self.found.len(),
            self.checked,
            self.found.join("\n  ")
        );
    }
}

/// `Ok` when both are equal, otherwise a sentence with both.
///
/// # Errors
/// When they differ.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, wanted: &T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{what} is {got:?}, wanted {wanted:?}")) }
}
