//! Text to a path, by the letter of RFC 9535.

use serde_json::Value;

use super::filter::{Comparison, Condition, Operand, Pattern, Query, pattern};
use super::{Path, Segment, Selector};
use crate::limits::{PATH_CHARS_MAX, PATH_DEPTH_MAX};

pub(super) fn path(text: &str) -> Result<Path, String> {
    let mut reader = Reader { text: text.chars().collect(), at: 0, depth: 0 };
    if reader.text.len() > PATH_CHARS_MAX {
        return Err(format!("is longer than {PATH_CHARS_MAX} characters"));
    }
    if !reader.takes("$") {
        return Err(reader.wrong("a path begins with `$`"));
    }
    let segments = reader.segments()?;
    if reader.at < reader.text.len() {
        return Err(reader.wrong("`.`, `..`, `[` or the end is expected"));
    }
    Ok(Path { segments })
}

struct Reader {
    text: Vec<char>,
    at: usize,
    depth: usize,
}

/// Integers that every reader of JSON knows exactly (RFC 7493 section 2.2).
const INTEGER_MAX: i64 = (1 << 53) - 1;

impl Reader {
    fn segments(&mut self) -> Result<Vec<Segment>, String> {
        let mut segments = Vec::new();
        loop {
            let start = self.at;
            self.space();
            if self.takes("..") {
                let selectors = if self.takes("[") { self.bracketed()? } else { vec![self.shorthand()?] };
                segments.push(Segment { descends: true, selectors });
            } else if self.takes(".") {
                segments.push(Segment { descends: false, selectors: vec![self.shorthand()?] });
            } else if self.takes("[") {
                segments.push(Segment { descends: false, selectors: self.bracketed()? });
            } else {
                self.at = start;
                return Ok(segments);
            }
        }
    }

    fn shorthand(&mut self) -> Result<Selector, String> {
        if self.takes("*") {
            return Ok(Selector::All);
        }
        let start = self.at;
        while self.peek().is_some_and(|c| is_name(c) && !(self.at == start && c.is_ascii_digit())) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.wrong("a name or `*` is expected; other names are written `['like this']`"));
        }
        Ok(Selector::Name(self.text[start..self.at].iter().collect()))
    }

    fn bracketed(&mut self) -> Result<Vec<Selector>, String> {
        let mut selectors = Vec::new();
        loop {
            self.space();
            selectors.push(self.selector()?);
            self.space();
            if self.takes("]") {
                return Ok(selectors);
            }
            if !self.takes(",") {
                return Err(self.wrong("`,` or `]` is expected"));
            }
        }
    }

    fn selector(&mut self) -> Result<Selector, String> {
        match self.peek() {
            Some('\'' | '"') => Ok(Selector::Name(self.string()?)),
            Some('*') => {
                self.at += 1;
                Ok(Selector::All)
            }
            Some('?') => {
                self.at += 1;
                self.space();
                Ok(Selector::Filter(self.any()?))
            }
            Some('-' | ':' | '0'..='9') => self.numbers(),
            _ => Err(self.wrong("a quoted name, a number, `*`, `:` or `?` is expected")),
        }
    }

    fn numbers(&mut self) -> Result<Selector, String> {
        let start = if self.peek() == Some(':') { None } else { Some(self.integer()?) };
        let before = self.at;
        self.space();
        if !self.takes(":") {
            self.at = before;
            return start.map(Selector::Index).ok_or_else(|| self.wrong("a number is expected"));
        }
        self.space();
        let end = self.integer_if_any()?;
        let before = self.at;
        self.space();
        let mut step = None;
        if self.takes(":") {
            self.space();
            step = self.integer_if_any()?;
        } else {
            self.at = before;
        }
        Ok(Selector::Slice { start, end, step: step.unwrap_or(1) })
    }

    fn integer_if_any(&mut self) -> Result<Option<i64>, String> {
        match self.peek() {
            Some('-' | '0'..='9') => self.integer().map(Some),
            _ => Ok(None),
        }
    }

    fn integer(&mut self) -> Result<i64, String> {
        let negative = self.takes("-");
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            if self.text[start] == '0' {
                break; // no number begins with a zero but that
            }
        }
        let digits: String = self.text[start..self.at].iter().collect();
        match digits.parse::<i64>() {
            Ok(0) if negative => Err(self.wrong("`-0` is no number")),
            Ok(number) if number <= INTEGER_MAX => Ok(if negative { -number } else { number }),
            Ok(_) | Err(_) => Err(self.wrong("a number that readers of JSON know exactly is expected")),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let quote = self.peek();
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(c) = self.peek() else { return Err(self.wrong("the text has no end")) };
            self.at += 1;
            match c {
                c if Some(c) == quote => return Ok(text),
                '\\' => text.push(self.escaped(quote)?),
                c if c < ' ' => return Err(self.wrong("control characters are written with escapes")),
                c => text.push(c),
            }
        }
    }

    fn escaped(&mut self, quote: Option<char>) -> Result<char, String> {
        let c = self.peek();
        self.at += 1;
        Ok(match c {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(c @ ('/' | '\\')) => c,
            Some(c) if Some(c) == quote => c,
            Some('u') => self.code_point()?,
            _ => return Err(self.wrong("there is no such escape")),
        })
    }

    fn code_point(&mut self) -> Result<char, String> {
        let high = self.hex()?;
        if (0xd800..0xdc00).contains(&high) && self.takes("\\u") {
            let low = self.hex()?;
            let point = 0x1_0000 + ((high - 0xd800) << 10) + low.wrapping_sub(0xdc00);
            return char::from_u32(point)
                .filter(|_| (0xdc00..0xe000).contains(&low))
                .ok_or_else(|| self.wrong("half of a character"));
        }
        char::from_u32(high).ok_or_else(|| self.wrong("half of a character"))
    }

    fn hex(&mut self) -> Result<u32, String> {
        let digits: String = self.text.iter().skip(self.at).take(4).collect();
        let is_hex = digits.len() == 4 && digits.chars().all(|c| c.is_ascii_hexdigit());
        self.at += 4;
        let point = u32::from_str_radix(&digits, 16).ok().filter(|_| is_hex);
        point.ok_or_else(|| self.wrong("four hexadecimal digits are expected"))
    }

    fn any(&mut self) -> Result<Condition, String> {
        let mut all = vec![self.all()?];
        while self.takes_after_space("||") {
            self.space();
            all.push(self.all()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::Any(all) })
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut all = vec![self.basic()?];
        while self.takes_after_space("&&") {
            self.space();
            all.push(self.basic()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
    }

    fn basic(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        if self.depth > PATH_DEPTH_MAX {
            return Err(self.wrong("conditions are nested too deep"));
        }
        let condition = self.basic_within();
        self.depth -= 1;
        condition
    }

    fn basic_within(&mut self) -> Result<Condition, String> {
        if self.peek() == Some('!') {
            self.at += 1;
            self.space();
            return match self.basic()? {
                Condition::Compares(..) => Err(self.wrong("`!` stands before a path or parentheses")),
                inner => Ok(Condition::Not(Box::new(inner))),
            };
        }
        if self.takes("(") {
            self.space();
            let inner = self.any()?;
            self.space();
            if !self.takes(")") {
                return Err(self.wrong("`)` is expected"));
            }
            // So that a comparison in parentheses may be negated.
            return Ok(Condition::All(vec![inner]));
        }
        for (name, whole) in [("match(", true), ("search(", false)] {
            if self.takes(name) {
                return self.fits(whole);
            }
        }
        let left = self.operand()?;
        let Some(how) = self.comparison() else {
            return match left {
                Side::Query(query) => Ok(Condition::Exists(query)),
                Side::Value(_) => Err(self.wrong("a value says nothing by itself: compare it")),
            };
        };
        self.space();
        let right = self.operand()?;
        Ok(Condition::Compares(self.comparable(left)?, how, self.comparable(right)?))
    }

    fn fits(&mut self, whole: bool) -> Result<Condition, String> {
        self.space();
        let text = self.operand()?;
        let text = self.comparable(text)?;
        self.space();
        if !self.takes(",") {
            return Err(self.wrong("`,` and a pattern are expected"));
        }
        self.space();
        let written = self.operand()?;
        let pattern = match self.comparable(written)? {
            Operand::Literal(Value::String(written)) => Pattern::Written(pattern(&written, whole)?),
            operand => Pattern::Read { operand, whole },
        };
        self.close()?;
        Ok(Condition::Fits(text, pattern))
    }

    fn operand(&mut self) -> Result<Side, String> {
        match self.peek() {
            Some('@' | '$') => Ok(Side::Query(self.query()?)),
            Some('\'' | '"') => Ok(Side::Value(Operand::Literal(Value::String(self.string()?)))),
            Some('-' | '0'..='9') => self.number(),
            _ => self.word(),
        }
    }

    fn query(&mut self) -> Result<Query, String> {
        let absolute = self.peek() == Some('$');
        if !absolute && self.peek() != Some('@') {
            return Err(self.wrong("a path that begins with `@` or `$` is expected"));
        }
        self.at += 1;
        Ok(Query { absolute, segments: self.segments()? })
    }

    fn number(&mut self) -> Result<Side, String> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E')) {
            self.at += 1;
        }
        let text: String = self.text[start..self.at].iter().collect();
        let number = serde_json::from_str(&text).map_err(|_| self.wrong("this is no number"))?;
        Ok(Side::Value(Operand::Literal(number)))
    }

    fn word(&mut self) -> Result<Side, String> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_lowercase() || c == '_') {
            self.at += 1;
        }
        let word: String = self.text[start..self.at].iter().collect();
        let value = |value: Value| Ok(Side::Value(Operand::Literal(value)));
        match word.as_str() {
            "true" => return value(true.into()),
            "false" => return value(false.into()),
            "null" => return value(Value::Null),
            "" => return Err(self.wrong("a path, a value or a function is expected")),
            _ if !self.takes("(") => return Err(self.wrong(&format!("`{word}` is unknown"))),
            _ => {}
        }
        self.space();
        let made = match word.as_str() {
            "length" => {
                let inner = self.operand()?;
                Operand::Length(Box::new(self.comparable(inner)?))
            }
            "count" => Operand::Count(self.query()?),
            "value" => Operand::Only(self.query()?),
            _ => return Err(self.wrong(&format!("the function `{word}` is unknown"))),
        };
        self.close()?;
        Ok(Side::Value(made))
    }

    fn close(&mut self) -> Result<(), String> {
        self.space();
        if self.takes(")") { Ok(()) } else { Err(self.wrong("`)` is expected")) }
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let all = [
            ("==", Comparison::Equal),
            ("!=", Comparison::Unequal),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        all.into_iter().find(|(sign, _)| self.takes_after_space(sign)).map(|(_, how)| how)
    }

    /// What may be compared: a value, or a path that leads to one at most.
    fn comparable(&self, side: Side) -> Result<Operand, String> {
        let query = match side {
            Side::Value(operand) => return Ok(operand),
            Side::Query(query) => query,
        };
        let single = query.segments.iter().all(|segment| {
            !segment.descends && matches!(segment.selectors[..], [Selector::Name(_) | Selector::Index(_)])
        });
        if single {
            Ok(Operand::Query(query))
        } else {
            Err(self.wrong("only a path that leads to one value can be compared"))
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn takes(&mut self, word: &str) -> bool {
        let count = word.chars().count();
        let is_next = self.text.iter().skip(self.at).take(count).copied().eq(word.chars());
        if is_next {
            self.at += count;
        }
        is_next
    }

    fn takes_after_space(&mut self, word: &str) -> bool {
        let before = self.at;
        self.space();
        let is_next = self.takes(word);
        if !is_next {
            self.at = before;
        }
        is_next
    }

    fn wrong(&self, what: &str) -> String {
        format!("is no JSONPath (RFC 9535) at character {}: {what}", self.at + 1)
    }
}

enum Side {
    Query(Query),
    Value(Operand),
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}
