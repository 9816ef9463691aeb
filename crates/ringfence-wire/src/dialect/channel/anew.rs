//! A message's parameters as its route has them in JSON, where the channel has other names for them.

use ringfence_core::refusal::{Code, Refusal};

use super::super::name::Name;
use super::super::scratch::Pairs;
use super::names::Renames;
use super::{Channel, Method, inside};

/// An object or a value by itself, as JSON.
#[derive(Default)]
struct Sheet {
    text: String,
}

/// One value of a message.
struct Written<'a> {
    name: &'a str,
    value: &'a str,
    /// Whether it stands there as text.
    quoted: bool,
}

impl Channel {
    /// Returns the parameters as JSON under the names of the route, whose orders stand at `list`.
    ///
    /// Numbers go on digit by digit. What nests deeper than a list of orders has no place in any route.
    pub(super) fn anew(
        &self,
        method: &Method,
        list: &str,
        pairs: &Pairs,
    ) -> Result<String, Refusal> {
        let (place, names) = (&*method.parameters, self.names_of(method));
        let (mut body, mut items) = (Sheet::default(), Vec::<Sheet>::new());
        for (_, name, value) in pairs.iter() {
            if name == place && value == "{}" || self.may_stand(name) {
                continue;
            }
            let unknown = || Refusal::new(Code::FormParameterUnknown).field(name);
            let inner = inside(name, place).ok_or_else(unknown)?;
            if self.own.iter().any(|own| **own == *inner) {
                continue;
            }
            let typed = pairs.get_typed(&Name::from(name));
            let quoted = typed.is_some_and(|(_, quoted)| quoted);
            let Some((outer, rest)) = inner.split_once('.') else {
                let written = Written {
                    name: inner,
                    value,
                    quoted,
                };
                body.add(&written, names)?;
                continue;
            };
            let at = names.of(outer, "").filter(|(to, _)| *to == list);
            let (index, field) = rest.split_once('.').unwrap_or((rest, ""));
            let index = index.parse().ok().filter(|index| *index <= items.len());
            let index: usize = at.and(index).ok_or_else(unknown)?;
            if index == items.len() {
                items.push(Sheet::default());
            }
            let written = Written {
                name: field,
                value,
                quoted,
            };
            let item = items.get_mut(index).ok_or(Code::Internal)?;
            item.add(&written, names).map_err(|r| r.of_order(index))?;
        }
        if !items.is_empty() {
            let items: Vec<String> = items.into_iter().map(Sheet::closed).collect();
            body.member(list, &format!("[{}]", items.join(",")));
        }
        Ok(body.closed())
    }
}

impl Sheet {
    /// Adds a value under its route's name; without a name it is all that there is.
    fn add(&mut self, written: &Written<'_>, names: &Renames) -> Result<(), Refusal> {
        let Written {
            name,
            value,
            quoted,
        } = *written;
        let wrong = |code: Code| Refusal::new(code).field(name);
        if name.contains('.') {
            return Err(wrong(Code::FormParameterUnknown));
        }
        if !quoted && matches!(value, "null" | "{}" | "[]") {
            return Err(wrong(Code::FormParameterInvalid));
        }
        let (to, value) = match name {
            "" => ("", value.into()),
            name => names
                .of(name, value)
                .ok_or_else(|| wrong(Code::FormParameterUnknown))?,
        };
        let literal = match quoted || names.is_text(name) {
            true => serde_json::to_string(&value).map_err(|_| Code::FormMalformed)?,
            false => value.into_owned(),
        };
        match to {
            "" if self.text.is_empty() => self.text = literal,
            "" => return Err(wrong(Code::FormParameterInvalid)),
            to => self.member(to, &literal),
        }
        Ok(())
    }

    fn member(&mut self, name: &str, literal: &str) {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        // Names that are read are plain.
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
        self.text.push_str(literal);
    }

    fn closed(mut self) -> String {
        if self.text.is_empty() {
            self.text.push('{');
        }
        if self.text.starts_with('{') {
            self.text.push('}');
        }
        self.text
    }
}
