//! A trading channel as it is written down: a WebSocket whose messages ask for the dialect's routes by names of their own.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Names are those of [`crate::json`]: from the outermost object inwards with `.` between.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct ChannelDefinition {
    /// Where it is opened.
    pub(in crate::dialect) paths: Vec<String>,
    /// What opening one costs.
    #[serde(default = "one")]
    pub(in crate::dialect) weight: u32,
    /// Where a message's id stands.
    pub(in crate::dialect) id: String,
    /// What an id may be.
    pub(in crate::dialect) id_kinds: Vec<IdKind>,
    /// JSON text that answers say where a message has no id, or `null`; without it, a message must have one.
    pub(in crate::dialect) id_absent: Option<String>,
    /// Where the name of what a message asks stands.
    pub(in crate::dialect) method: String,
    /// Where its parameters stand, where a message has such.
    #[serde(default)]
    pub(in crate::dialect) parameters: String,
    /// Parameters that mean nothing to a route and are left out, such as the key.
    #[serde(default)]
    pub(in crate::dialect) own: Vec<String>,
    /// What parameters are called here that routes call otherwise; those names of routes are none here.
    #[serde(default)]
    pub(in crate::dialect) names: BTreeMap<String, RenameDefinition>,
    /// Where a message shows a token that a route of the dialect has minted, which says who acts by it.
    pub(in crate::dialect) token: Option<String>,
    /// A value that answers to a message repeat.
    pub(in crate::dialect) repeated: Option<String>,
    /// Where the answer of a route says what went wrong, at venues whose status does not tell.
    pub(in crate::dialect) failed: Option<String>,
    /// Where a message says whether its answer tells how limits stand; it does unless this says `false`.
    pub(in crate::dialect) limits: Option<String>,
    /// What else may stand in a message, beside the parameters.
    #[serde(default)]
    pub(in crate::dialect) beside: Vec<String>,
    /// The kind of frame that a message is which is signed itself.
    pub(in crate::dialect) frame: Option<String>,
    /// Where a message of a session says when it was sent, where that is a must; by the scheme's unit and window.
    pub(in crate::dialect) time: Option<ChannelTime>,
    /// What the client is told first; `{id}` is what it calls the connection.
    pub(in crate::dialect) welcome: Option<String>,
    /// What a message may ask.
    #[serde(default)]
    pub(in crate::dialect) methods: BTreeMap<String, MethodDefinition>,
    pub(in crate::dialect) session: Option<SessionDefinition>,
    /// What the venue tells of itself.
    pub(in crate::dialect) feed: Option<FeedDefinition>,
    /// What the gateway answers by itself, by name.
    #[serde(default)]
    pub(in crate::dialect) replies: BTreeMap<String, String>,
    /// Texts that are no JSON, and what the gateway answers to each.
    #[serde(default)]
    pub(in crate::dialect) texts: BTreeMap<String, String>,
    /// What a route answered, put into the channel's form.
    pub(in crate::dialect) answer: String,
    /// The same for what is no success, refusals included.
    pub(in crate::dialect) error: String,
    /// The answer to what has no id that could be read.
    pub(in crate::dialect) malformed: String,
}

/// What an id may be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(in crate::dialect) enum IdKind {
    Integer,
    Text,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct ChannelTime {
    pub(in crate::dialect) parameter: String,
    pub(in crate::dialect) window_parameter: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct MethodDefinition {
    /// Method and path of the route that it stands for.
    pub(in crate::dialect) route: String,
    /// Where its parameters stand, if not where the channel's do.
    pub(in crate::dialect) parameters: Option<String>,
    /// What its route answered, put into the channel's form, if not like all others.
    pub(in crate::dialect) answer: Option<String>,
    /// Names that mean something else here than on the rest of the channel.
    #[serde(default)]
    pub(in crate::dialect) names: BTreeMap<String, RenameDefinition>,
    /// A value that answers to it repeat, if not the channel's.
    pub(in crate::dialect) repeated: Option<String>,
    /// How each of a list in the route's answer is told, as `{items}` of `answer`.
    pub(in crate::dialect) items: Option<ItemsDefinition>,
    /// What it is where it names several orders.
    pub(in crate::dialect) several: Option<Box<SeveralDefinition>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct ItemsDefinition {
    /// Where the list stands in the route's answer.
    #[serde(rename = "in")]
    pub(in crate::dialect) place: String,
    /// One of them, as `{body}`.
    pub(in crate::dialect) answer: String,
    /// Where one says what went wrong with it, and how that is told.
    pub(in crate::dialect) failed: String,
    pub(in crate::dialect) error: String,
}

/// A message about several orders, which the venue answers one by one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct SeveralDefinition {
    /// Where their list stands: two or more are several.
    pub(in crate::dialect) of: String,
    /// Its answer is said for each, as `{repeated}`.
    pub(in crate::dialect) method: MethodDefinition,
    /// Where the route's answer counts them, and what is said once where those are fewer.
    pub(in crate::dialect) counted: String,
    pub(in crate::dialect) fewer: String,
}

/// A parameter under the name that its route has for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct RenameDefinition {
    pub(in crate::dialect) to: String,
    /// What stands between the parts of its value; the route has them without it.
    pub(in crate::dialect) parts: Option<char>,
    /// Whether the route has it as text in JSON, where a number may stand here.
    #[serde(default)]
    pub(in crate::dialect) text: bool,
    /// Parts, or whole values, that the route has other words for.
    #[serde(default)]
    pub(in crate::dialect) words: BTreeMap<String, String>,
}

/// A session: one proof for all messages that follow on the connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct SessionDefinition {
    /// How long one lasts, in seconds.
    pub(in crate::dialect) seconds: u32,
    pub(in crate::dialect) logon: LogonDefinition,
    pub(in crate::dialect) status: Option<ReplyDefinition>,
    pub(in crate::dialect) logout: Option<ReplyDefinition>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct LogonDefinition {
    pub(in crate::dialect) method: String,
    /// The kind of frame that it is.
    pub(in crate::dialect) frame: String,
    pub(in crate::dialect) answer: String,
    /// If it is not the channel's.
    pub(in crate::dialect) error: Option<String>,
    /// What it costs: what the route does that it mints by, else 1 where nothing is said.
    pub(in crate::dialect) weight: Option<u32>,
    /// The route whose tokens it hands out, too: `{token}` and, where that refreshes, `{refresh}` in `answer`.
    pub(in crate::dialect) mints: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct ReplyDefinition {
    pub(in crate::dialect) method: String,
    pub(in crate::dialect) answer: String,
}

/// What only a WebSocket to the venue can do: a leg of the channel, opened by the first message that may ask for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct FeedDefinition {
    /// Where the venue's end is opened.
    pub(in crate::dialect) path: String,
    /// What every message to it says beside.
    #[serde(default)]
    pub(in crate::dialect) fixed: BTreeMap<String, String>,
    /// Where the list of topics stands.
    pub(in crate::dialect) topics_at: Option<String>,
    /// Where the one topic of a message stands, in place of `topics_at`: an object, or without `topic_name` a text.
    pub(in crate::dialect) topic_at: Option<String>,
    /// Where a topic's name stands, if it is an object.
    pub(in crate::dialect) topic_name: Option<String>,
    /// What else may stand in it.
    #[serde(default)]
    pub(in crate::dialect) topic_fields: Vec<String>,
    /// The same for what makes no topic of its own, such as whether it begins with how things stand.
    #[serde(default)]
    pub(in crate::dialect) topic_options: Vec<String>,
    /// Lists of topics by name; `*` is one part between points, and `:*` a list of parts with commas between at the end.
    #[serde(default)]
    pub(in crate::dialect) topics: BTreeMap<String, Vec<String>>,
    pub(in crate::dialect) methods: BTreeMap<String, FollowDefinition>,
    /// What the venue says before it is told anything; nothing is said to it earlier, and the client hears none of it.
    #[serde(default)]
    pub(in crate::dialect) greeted: BTreeMap<String, String>,
    /// How we say who acts, in egress.
    pub(in crate::dialect) logon: Option<FeedLogon>,
    /// The same, where each message shows a token of the venue's.
    pub(in crate::dialect) ticket: Option<FeedTicket>,
}

/// A token that the venue gives out for a request signed with its key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct FeedTicket {
    /// Method and path of the request, which has no parameters.
    pub(in crate::dialect) route: String,
    /// Where the token stands in the answer.
    pub(in crate::dialect) answer: String,
    /// Where a message shows it.
    pub(in crate::dialect) parameter: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct FollowDefinition {
    pub(in crate::dialect) operation: String,
    #[serde(default = "yes")]
    pub(in crate::dialect) signed: bool,
    #[serde(default = "one")]
    pub(in crate::dialect) weight: u32,
    /// Whose leg it is said on; by default that of who signed.
    pub(in crate::dialect) leg: Option<LegName>,
    /// What it is called at the venue, if not alike.
    pub(in crate::dialect) says: Option<String>,
    /// The lists that its topics are of; without any it has none.
    #[serde(default)]
    pub(in crate::dialect) topics: Vec<String>,
    /// Where whole numbers may stand.
    #[serde(default)]
    pub(in crate::dialect) numbers: Vec<String>,
    /// Where `true` or `false` may stand.
    #[serde(default)]
    pub(in crate::dialect) flags: Vec<String>,
    /// Whether it says itself who acts, in egress: then it is written as the logon.
    #[serde(default)]
    pub(in crate::dialect) logon: bool,
    /// Whether it opens the leg. What does not is said only where one is open.
    #[serde(default = "yes")]
    pub(in crate::dialect) opens: bool,
    /// What it ends: `named` the topics that it names, `topics` all of them, or what the method of this name began.
    pub(in crate::dialect) ends: Option<String>,
    /// What it is where its one topic is in another list.
    pub(in crate::dialect) or: Option<Box<FollowDefinition>>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(in crate::dialect) enum LegName {
    Private,
    Public,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::dialect) struct FeedLogon {
    pub(in crate::dialect) message: String,
    /// The kind of frame that it is.
    pub(in crate::dialect) frame: String,
    /// How much later than now its time is.
    #[serde(default)]
    pub(in crate::dialect) later_ms: u64,
    /// What the answer says if it was taken; an empty text is anything.
    pub(in crate::dialect) accepted: BTreeMap<String, String>,
}

const fn yes() -> bool {
    true
}

const fn one() -> u32 {
    1
}
