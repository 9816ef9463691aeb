//! From the written feed to the compiled one. Every error names the field.

use std::collections::BTreeMap;

use ringfence_core::operation::Operation;

use super::super::super::compile::wrong;
use super::super::super::definition::{
    BodyKind, FeedDefinition, FeedLogon, FeedTicket, FollowDefinition, LegName,
};
use super::super::super::name::{Name, Names};
use super::super::super::route::{RouteTable, When};
use super::super::super::{DialectError, Frame, Route};
use super::super::template::Template;
use super::effect::Ends;
use super::{Feed, Follow, Leg, Logon, Ticket, Topics};

impl Feed {
    pub(in crate::dialect::channel) fn compile(
        written: &FeedDefinition,
        frames: &[Frame],
        routes: &RouteTable,
    ) -> Result<Self, DialectError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_.".contains(&b);
        if !written.path.starts_with('/') || !written.path.bytes().all(plain) {
            return Err(wrong("feed.path", "a path has no query and no escapes"));
        }
        let topics = topics_of(written)?;
        let methods = written.methods.iter().map(|(name, method)| {
            let follows = follows(written, method, &format!("feed.methods.{name}"))?;
            Ok((name.as_str().into(), follows))
        });
        let fixed = written.fixed.iter();
        Ok(Self {
            fixed: fixed
                .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
                .collect(),
            topics,
            methods: methods.collect::<Result<_, _>>()?,
            greeted: when(&written.greeted),
            logon: match &written.logon {
                Some(logon) => Some(compile_logon(logon, frames)?),
                None => None,
            },
            ticket: match &written.ticket {
                Some(_) if written.logon.is_some() => {
                    return Err(wrong("feed.ticket", "the feed has a logon"));
                }
                Some(ticket) => Some(compile_ticket(ticket, routes)?),
                None => None,
            },
        })
    }
}

fn topics_of(written: &FeedDefinition) -> Result<Option<Topics>, DialectError> {
    let (at, one) = match (&written.topics_at, &written.topic_at) {
        (Some(at), None) => (at, None),
        (None, Some(at)) => match &written.topic_name {
            Some(name) => (at, Some(Name::from(&*format!("{at}.{name}")))),
            None if written.topic_fields.is_empty() => (at, Some(Name::from(&**at))),
            None => {
                return Err(wrong(
                    "feed.topic_fields",
                    "one topic is a text, or has a name",
                ));
            }
        },
        (None, None) if written.topics.is_empty() => return Ok(None),
        (None, None) => {
            let what = "where the topics stand: it is missing";
            return Err(wrong("feed.topics_at", what));
        }
        (Some(_), Some(_)) => {
            return Err(wrong("feed.topic_at", "topics stand in one place"));
        }
    };
    let options = written.topic_options.iter();
    let fields = written.topic_fields.iter().chain(options.clone());
    Ok(Some(Topics {
        options: options.map(|name| name.as_str().into()).collect(),
        at: at.as_str().into(),
        one,
        name: written.topic_name.as_deref().map(Box::from),
        fields: fields.map(|name| name.as_str().into()).collect(),
    }))
}

/// Returns what a method asks for, by the lists of its topic.
fn follows(
    feed: &FeedDefinition,
    written: &FollowDefinition,
    field: &str,
) -> Result<Box<[Follow]>, DialectError> {
    let mut all = vec![follow(feed, written, field)?];
    let (mut last, mut field) = (written, field.to_owned());
    while let Some(next) = &last.or {
        field.push_str(".or");
        if feed.topic_at.is_none() || last.topics.is_empty() || next.topics.is_empty() {
            return Err(wrong(&field, "one topic tells, which each has a list of"));
        }
        all.push(follow(feed, next, &field)?);
        last = next;
    }
    Ok(all.into())
}

fn follow(
    feed: &FeedDefinition,
    written: &FollowDefinition,
    field: &str,
) -> Result<Follow, DialectError> {
    let operation = match Operation::parse(&written.operation) {
        Some(operation @ (Operation::AccountRead | Operation::MarketRead)) => operation,
        Some(_) | None => {
            let what = "what is pushed is account.read or market.read";
            return Err(wrong(&format!("{field}.operation"), what));
        }
    };
    if operation == Operation::AccountRead && !written.signed {
        return Err(wrong(
            &format!("{field}.signed"),
            "it is somebody's account",
        ));
    }
    if written.logon && feed.logon.is_none() {
        return Err(wrong(&format!("{field}.logon"), "the feed has none"));
    }
    let leg = match (written.leg, written.signed) {
        (Some(LegName::Private), _) | (None, true) => Leg::Private,
        (Some(LegName::Public), _) | (None, false) => Leg::Public,
    };
    if leg == Leg::Private && !written.signed && written.opens {
        let what = "it is opened for somebody";
        return Err(wrong(&format!("{field}.opens"), what));
    }
    Ok(Follow {
        route: route(feed, written, operation),
        leg,
        opens: written.opens,
        logon: written.logon,
        says: written.says.as_deref().map(Box::from),
        topics: topics(&feed.topics, &written.topics, field)?,
        ends: match written.ends.as_deref() {
            Some("named") if !written.topics.is_empty() => Some(Ends::Named),
            Some("topics") if written.topics.is_empty() => Some(Ends::Topics),
            Some(name) if feed.methods.contains_key(name) => Some(Ends::Other(name.into())),
            Some(_) => {
                let what = "`named` with topics, `topics` without, or a method of the feed";
                return Err(wrong(&format!("{field}.ends"), what));
            }
            None => None,
        },
        numbers: written.numbers.iter().map(|n| Name::from(&**n)).collect(),
        flags: written.flags.iter().map(|n| Name::from(&**n)).collect(),
    })
}

/// What a message is to the controls: the opening of the venue's end.
fn route(feed: &FeedDefinition, written: &FollowDefinition, operation: Operation) -> Route {
    Route {
        id: 0,
        method: "GET".into(),
        path: feed.path.as_str().into(),
        operation,
        signed: written.signed,
        stream: false,
        channel: false,
        body: BodyKind::default(),
        when: Box::default(),
        order_names: None,
        batch: None,
        mints: None,
        admission: None,
        private: None,
        retired: None,
        side: None,
        weight: written.weight,
        orders: 0,
        weight_by: Box::default(),
        parameters: Some(Names::from_iter([])),
    }
}

fn topics(
    lists: &BTreeMap<String, Vec<String>>,
    named: &[String],
    field: &str,
) -> Result<Box<[Box<str>]>, DialectError> {
    let mut all = Vec::new();
    for name in named {
        let list = lists.get(name).filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| {
            wrong(
                &format!("{field}.topics"),
                format!("no list of topics {name:?}"),
            )
        })?;
        all.extend(list.iter().map(|topic| topic.as_str().into()));
    }
    Ok(all.into())
}

fn compile_ticket(written: &FeedTicket, routes: &RouteTable) -> Result<Ticket, DialectError> {
    let missing = || {
        let what = format!("no signed route {:?}", written.route);
        wrong("feed.ticket.route", what)
    };
    let (verb, path) = written.route.split_once(' ').ok_or_else(missing)?;
    let route = routes.find(verb, path).filter(|route| route.signed);
    route.ok_or_else(missing)?;
    Ok(Ticket {
        route: (verb.into(), path.into()),
        answer: written.answer.as_str().into(),
        parameter: written.parameter.as_str().into(),
    })
}

fn compile_logon(written: &FeedLogon, frames: &[Frame]) -> Result<Logon, DialectError> {
    let frame = frames
        .iter()
        .position(|frame| *frame.name == *written.frame);
    let missing = || wrong("feed.logon.frame", format!("no frame {:?}", written.frame));
    if written.accepted.is_empty() {
        let what = "without it no answer says that it was taken";
        return Err(wrong("feed.logon.accepted", what));
    }
    Ok(Logon {
        message: Template::compile(&written.message, "feed.logon.message")?,
        frame: frame.ok_or_else(missing)?,
        later_us: written.later_ms.saturating_mul(1000),
        accepted: when(&written.accepted),
    })
}

fn when(written: &BTreeMap<String, String>) -> When {
    let written = written.iter();
    written
        .map(|(name, value)| (Name::from(&**name), value.as_str().into()))
        .collect()
}
