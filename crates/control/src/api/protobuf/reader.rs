//! The wire format of protocol buffers, as far as it is used: numbers and runs of bytes, one after the other.

/// Why a body is not what it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It does not begin as it must.
    #[error("it does not begin with `k8s`")]
    Envelope,
    /// The kind of the object is not known in this encoding.
    #[error("a {0} is not read in this encoding, use JSON")]
    Kind(String),
    /// A field is not known.
    #[error("{0} is not known in this encoding, use JSON")]
    Unknown(String),
    /// It ends within something.
    #[error("it ends early")]
    Early,
    /// A field is written in another way than its type is.
    #[error("a field is of another type than it should be")]
    Wire,
    /// Text is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// What should be JSON inside is none.
    #[error("what should be JSON inside is none")]
    Json,
    /// It holds too much.
    #[error("it holds too much")]
    Many,
}

/// What is left to read.
pub struct Reader<'b>(pub &'b [u8]);

/// The value of a field as it stands on the wire.
#[derive(Clone, Copy)]
pub enum Word<'b> {
    /// A number.
    Number(u64),
    /// Bytes: text, a message, or bytes.
    Bytes(&'b [u8]),
}

impl<'b> Reader<'b> {
    /// The next field with its number; `None` at the end.
    pub fn next(&mut self) -> Result<Option<(u32, Word<'b>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| Malformed::Wire)?;
        let word = match tag & 7 {
            0 => Word::Number(self.varint()?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Early)?;
                let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed::Early)?;
                self.0 = rest;
                Word::Bytes(bytes)
            }
            // Fixed numbers and groups: no type of Kubernetes has any that we read.
            _ => return Err(Malformed::Wire),
        };
        Ok(Some((number, word)))
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.0.split_first().ok_or(Malformed::Early)?;
            self.0 = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::Wire)
    }
}

impl<'b> Word<'b> {
    /// The bytes, if that is what it is.
    pub fn bytes(self) -> Result<&'b [u8], Malformed> {
        match self {
            Word::Bytes(bytes) => Ok(bytes),
            Word::Number(_) => Err(Malformed::Wire),
        }
    }

    /// The text, if that is what it is.
    pub fn text(self) -> Result<String, Malformed> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| Malformed::Text)?;
        Ok(text.to_owned())
    }

    /// The number, if that is what it is; negative ones are written as 64 bits.
    pub fn integer(self) -> Result<i64, Malformed> {
        match self {
            Word::Number(number) => Ok(number.cast_signed()),
            Word::Bytes(_) => Err(Malformed::Wire),
        }
    }
}
