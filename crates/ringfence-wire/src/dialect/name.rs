//! Names of parameters that the dialect knows, made quick to find.

/// Most of a name in one number: its length and first bytes. Two names with the same tag are compared as text.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Tag(u64);

impl Tag {
    pub(super) fn of(name: &str) -> Self {
        let start = (name.len() as u64) << 56;
        let bytes = name.bytes().take(7).enumerate();
        Self(bytes.fold(start, |tag, (at, byte)| tag | u64::from(byte) << (at * 8)))
    }
}

/// A parameter's name and its tag. Ordered by tag.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Name {
    tag: Tag,
    text: Box<str>,
}

impl Name {
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) const fn tag(&self) -> Tag {
        self.tag
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self {
            tag: Tag::of(text),
            text: text.into(),
        }
    }
}

/// A closed list of names.
#[derive(Debug)]
pub(super) struct Names(Box<[Name]>);

impl Names {
    pub(super) fn contains(&self, tag: Tag, name: &str) -> bool {
        let from = self.0.partition_point(|known| known.tag < tag);
        let same = self
            .0
            .iter()
            .skip(from)
            .take_while(|known| known.tag == tag);
        same.into_iter().any(|known| &*known.text == name)
    }
}

impl FromIterator<Name> for Names {
    fn from_iter<I: IntoIterator<Item = Name>>(names: I) -> Self {
        let mut all: Vec<_> = names.into_iter().collect();
        all.sort();
        all.dedup();
        Self(all.into())
    }
}
