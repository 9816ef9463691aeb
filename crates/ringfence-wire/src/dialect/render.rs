//! Answering a refusal as the venue would.

use std::fmt::Write as _;

use ringfence_core::refusal::{Code, Detail, Refusal};

use super::compile::wrong;
use super::definition::{CodeText, ErrorDefinition, Errors};
use super::{Dialect, DialectError};
use crate::problem;

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
    /// Of the venue's own body; none where refusals are problem details.
    content_type: Option<String>,
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

/// How a venue writes the body of a refusal; none where it is problem details.
type Template<'w> = Option<&'w str>;

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
        let template: Template<'_> = written.body.as_deref();
        if template.is_some() != written.content_type.is_some() {
            let what = "it needs `content_type` and `body`, or neither for problem details";
            return Err(wrong("errors", what));
        }
        let problem = ErrorDefinition::default();
        let mut answers = Vec::with_capacity(Code::ALL.len());
        for code in Code::ALL {
            let text = code.as_str();
            let missing = || wrong("errors.by_code", format!("{text} is missing"));
            let usual = usual(written, text);
            let usual = usual.or_else(|| template.is_none().then_some((text, &problem)));
            let (name, usual) = usual.ok_or_else(missing)?;
            let about = written.by_code.iter().filter_map(|(name, definition)| {
                let about = name.strip_prefix(text)?.strip_prefix('.')?;
                let answer = Answer::compile(template, (name, *code), definition);
                Some(answer.map(|answer| (about.into(), answer)))
            });
            answers.push(Answers {
                about: about.collect::<Result<_, _>>()?,
                usual: Answer::compile(template, (name, *code), usual)?,
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
            Detail::Limit(limit) => limit.counts.told_as().as_str(),
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
        template: Template<'_>,
        (name, refusal): (&str, Code),
        written: &ErrorDefinition,
    ) -> Result<Self, DialectError> {
        let field = |last| format!("errors.by_code.{name}.{last}");
        let usual = || template.is_none().then(|| problem::status(refusal));
        let missing = || wrong(&field("status"), "it is missing");
        let status = written.status.or_else(usual).ok_or_else(missing)?;
        // Some venues refuse with 200, and their clients read no other body.
        let named = matches!(status, 400..600) || status == 200 && template.is_some();
        if !named || status == 418 && refusal != Code::Banned {
            let what = "a refusal is 200 or 400 to 599, and 418 only if it is `banned`";
            return Err(wrong(&field("status"), what));
        }
        let message = parts(&written.message).map_err(|what| wrong(&field("message"), what))?;
        let Some(template) = template else {
            return match &written.code {
                Some(_) => Err(wrong(
                    &field("code"),
                    "problem details have no venue's code",
                )),
                None => Ok(Self {
                    status,
                    before: Box::default(),
                    after: Box::default(),
                    message,
                }),
            };
        };
        let body = match &written.code {
            Some(CodeText::Number(code)) => template.replacen("{code}", &code.to_string(), 1),
            Some(CodeText::Text(code)) => template.replacen("{code}", code, 1),
            None => template.to_owned(),
        };
        let body = body.replacen("{refusal}", refusal.as_str(), 1);
        let (before, after) = body
            .split_once("{message}")
            .filter(|_| written.code.is_some() == template.contains("{code}"))
            .ok_or_else(|| wrong("errors.body", "it needs {code} and {message}"))?;
        let answer = Self {
            status,
            before: before.into(),
            after: after.into(),
            message,
        };
        let sample = answer.body(&Refusal::new(Code::Internal).field("\"\\"));
        match serde_json::from_slice::<serde_json::Value>(&sample) {
            Ok(_) => Ok(answer),
            Err(e) => Err(wrong("errors.body", format!("it makes no JSON: {e}"))),
        }
    }

    /// Returns what it says in words.
    fn message(&self, refusal: &Refusal) -> String {
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
        message
    }

    fn body(&self, refusal: &Refusal) -> Vec<u8> {
        let message = self.message(refusal);
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
    /// Returns `refusal` in the venue's own form; as problem details where it has none.
    pub fn render(&self, refusal: &Refusal) -> Rendered {
        self.render_for(refusal, "")
    }

    /// As [`Self::render`], to the message with this id.
    pub fn render_for(&self, refusal: &Refusal, message: &str) -> Rendered {
        // INVARIANT: compiling put every code in the table, so the status below is never seen.
        let found = self.errors.find(refusal);
        let status = found.map_or(500, |answer| answer.status);
        let Some(content_type) = &self.errors.content_type else {
            let detail = found.map_or_else(String::new, |answer| answer.message(refusal));
            return problem::render(refusal, status, &detail, message);
        };
        Rendered {
            // RFC 9449 9: who makes proofs makes another on 401 alone, whatever the venue's clients look at.
            status: if refusal.code == Code::SignatureNonce {
                401
            } else {
                status
            },
            content_type: content_type.clone(),
            body: found.map_or_else(Vec::new, |answer| answer.body(refusal)),
        }
    }

    /// Returns the media type of the venue's own bodies; none where refusals are problem details.
    pub fn refusal_type(&self) -> Option<&str> {
        self.errors.content_type.as_deref()
    }
}
