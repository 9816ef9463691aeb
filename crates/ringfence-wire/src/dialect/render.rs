//! Answering a refusal as the venue would.

use std::fmt::Write as _;

use ringfence_core::refusal::{Code, Detail, Refusal};

use super::compile::wrong;
use super::definition::{CodeText, ErrorDefinition, Errors};
use super::{Dialect, DialectError};

/// A refusal as the client sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rendered {
    /// HTTP status.
    pub status: u16,
    /// Media type of the body.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What each code is answered with. Compiled, because refusing must stay cheaper than serving.
#[derive(Debug)]
pub(super) struct ErrorTable {
    content_type: String,
    /// In the order of `Code::ALL`, which is that of the discriminants.
    answers: Vec<Answers>,
}

#[derive(Debug)]
struct Answers {
    usual: Answer,
    /// By what the refusal is about: the field's or the counted thing's name.
    about: Box<[(Box<str>, Answer)]>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    /// The body up to the message, and from there on.
    before: Box<str>,
    after: Box<str>,
    message: Box<[Part]>,
}

#[derive(Debug, Eq, PartialEq)]
enum Part {
    Field,
    Hint,
    Text(Box<str>),
    /// Until when it holds, in milliseconds since the Unix epoch.
    UntilMs,
}

impl ErrorTable {
    pub(super) fn compile(written: &Errors) -> Result<Self, DialectError> {
        let mut answers = Vec::with_capacity(Code::ALL.len());
        for code in Code::ALL {
            let text = code.as_str();
            let missing = || wrong("errors.by_code", format!("{text} is missing"));
            let (name, usual) = usual(written, text).ok_or_else(missing)?;
            let about = written.by_code.iter().filter_map(|(name, definition)| {
                let about = name.strip_prefix(text)?.strip_prefix('.')?;
                Some(Answer::compile(written, (name, text), definition).map(|a| (about.into(), a)))
            });
            answers.push(Answers {
                about: about.collect::<Result<_, _>>()?,
                usual: Answer::compile(written, (name, text), usual)?,
            });
        }
        let known = |name: &str| {
            let code = name.split_once('.').map_or(name, |(code, _)| code);
            let start = name.strip_suffix('*');
            let mut all = Code::ALL.iter().map(|known| known.as_str());
            all.any(|known| start.map_or(known == code, |start| known.starts_with(start)))
        };
        if let Some(name) = written.by_code.keys().find(|name| !known(name)) {
            return Err(wrong(
                "errors.by_code",
                format!("{name:?} is no refusal code"),
            ));
        }
        Ok(Self {
            content_type: written.content_type.clone(),
            answers,
        })
    }

    fn find(&self, refusal: &Refusal) -> Option<&Answer> {
        let answers = self.answers.get(refusal.code as usize)?;
        let about = match &refusal.detail {
            Detail::Limit(limit) => limit.counts.as_str(),
            Detail::Field(name) => of_any_order(name),
            Detail::None
            | Detail::Distance(_)
            | Detail::From(_)
            | Detail::Policies(_)
            | Detail::Scope(_)
            | Detail::StepUp(_) => {
                return Some(&answers.usual);
            }
        };
        let named = answers.about.iter().find(|(name, _)| **name == *about);
        Some(named.map_or(&answers.usual, |(_, answer)| answer))
    }
}

/// Returns the name of a field without the place of its order in a batch.
fn of_any_order(name: &str) -> &str {
    match name.split_once('.') {
        Some((index, field)) if index.bytes().all(|b| b.is_ascii_digit()) => field,
        Some(_) | None => name,
    }
}

/// Returns what `code` is answered with, by its own name or the longest start of it, and that name.
fn usual<'w>(errors: &'w Errors, code: &str) -> Option<(&'w str, &'w ErrorDefinition)> {
    let starts = errors.by_code.iter().filter(|(name, _)| {
        let start = name.strip_suffix('*');
        start.is_some_and(|start| code.starts_with(start))
    });
    let found = errors.by_code.get_key_value(code);
    let found = found.or_else(|| starts.max_by_key(|(name, _)| name.len()));
    found.map(|(name, definition)| (name.as_str(), definition))
}

impl Answer {
    fn compile(
        errors: &Errors,
        (name, refusal): (&str, &str),
        written: &ErrorDefinition,
    ) -> Result<Self, DialectError> {
        let field = |last| format!("errors.by_code.{name}.{last}");
        // Some venues refuse with 200, and their clients read no other body.
        let named = matches!(written.status, 200 | 400..600);
        if !named || written.status == 418 && refusal != Code::Banned.as_str() {
            let what = "a refusal is 200 or 400 to 599, and 418 only if it is `banned`";
            return Err(wrong(&field("status"), what));
        }
        let body = match &written.code {
            Some(CodeText::Number(code)) => errors.body.replacen("{code}", &code.to_string(), 1),
            Some(CodeText::Text(code)) => errors.body.replacen("{code}", code, 1),
            None => errors.body.clone(),
        };
        let body = body.replacen("{refusal}", refusal, 1);
        let (before, after) = body
            .split_once("{message}")
            .filter(|_| written.code.is_some() == errors.body.contains("{code}"))
            .ok_or_else(|| wrong("errors.body", "it needs {code} and {message}"))?;
        let answer = Self {
            status: written.status,
            before: before.into(),
            after: after.into(),
            message: parts(&written.message).map_err(|what| wrong(&field("message"), what))?,
        };
        let sample = answer.body(&Refusal::new(Code::Internal).field("\"\\"));
        match serde_json::from_slice::<serde_json::Value>(&sample) {
            Ok(_) => Ok(answer),
            Err(e) => Err(wrong("errors.body", format!("it makes no JSON: {e}"))),
        }
    }

    fn body(&self, refusal: &Refusal) -> Vec<u8> {
        let mut message = String::with_capacity(256);
        for part in &self.message {
            match (part, &refusal.detail) {
                (Part::Text(text), _) => message.push_str(text),
                (Part::Field, Detail::Field(name)) => message.push_str(name),
                (
                    Part::Field,
                    Detail::None
                    | Detail::Distance(_)
                    | Detail::From(_)
                    | Detail::Limit(_)
                    | Detail::Policies(_)
                    | Detail::Scope(_)
                    | Detail::StepUp(_),
                ) => {}
                (Part::UntilMs, Detail::From(us)) => {
                    // Writing to a String cannot fail.
                    let _ = write!(message, "{}", us.div_ceil(1000));
                }
                (
                    Part::UntilMs,
                    Detail::None
                    | Detail::Distance(_)
                    | Detail::Field(_)
                    | Detail::Limit(_)
                    | Detail::Policies(_)
                    | Detail::Scope(_)
                    | Detail::StepUp(_),
                ) => {}
                (Part::Hint, _) => {
                    // Writing to a String cannot fail.
                    let _ = write!(message, "{refusal}");
                }
            }
        }
        let mut body = Vec::with_capacity(self.before.len() + message.len() + 16);
        body.extend_from_slice(self.before.as_bytes());
        // Writing a string to a Vec cannot fail.
        let _ = serde_json::to_writer(&mut body, &message);
        body.extend_from_slice(self.after.as_bytes());
        body
    }
}

/// Splits a message at its placeholders.
fn parts(text: &str) -> Result<Box<[Part]>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("a `{` is not closed")?;
        parts.push(Part::Text(before.into()));
        parts.push(match name {
            "field" => Part::Field,
            "hint" => Part::Hint,
            "until_ms" => Part::UntilMs,
            other => return Err(format!("unknown placeholder {other:?}")),
        });
        rest = after;
    }
    parts.push(Part::Text(rest.into()));
    parts.retain(|part| *part != Part::Text("".into()));
    Ok(parts.into())
}

impl Dialect {
    /// Returns `refusal` in the venue's own form.
    pub fn render(&self, refusal: &Refusal) -> Rendered {
        // INVARIANT: compiling put every code in the table, so the status below is never seen.
        let (status, body) = self
            .errors
            .find(refusal)
            .map_or((500, Vec::new()), |answer| {
                (answer.status, answer.body(refusal))
            });
        Rendered {
            // RFC 9449 9: who makes proofs makes another on 401 alone, whatever the venue's clients look at.
            status: if refusal.code == Code::SignatureNonce {
                401
            } else {
                status
            },
            content_type: self.errors.content_type.clone(),
            body,
        }
    }
}
