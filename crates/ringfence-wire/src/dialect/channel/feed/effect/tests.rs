//! What is unsubscribed from is called as it was when it was subscribed to.

use serde_json::{Value, json};

use super::super::super::super::name::Name;
use super::Topics;

fn topics(name: Option<&str>, one: Option<&str>) -> Topics {
    Topics {
        at: "params".into(),
        one: one.map(Name::from),
        name: name.map(Into::into),
        fields: Box::default(),
        options: Box::new(["snapshot".into()]),
    }
}

#[test]
fn a_topic_is_called_by_all_that_makes_it_one() {
    let (plain, text) = (topics(None, None), topics(None, Some("topic")));
    let object = topics(Some("channel"), None);
    let cases: [(&Topics, Value, &[&str]); 6] = [
        (&plain, json!("a.b:c,d"), &["a.b:c,d"]),
        (&text, json!("/ticker:A,B"), &["/ticker:A", "/ticker:B"]),
        (&text, json!("/balance"), &["/balance"]),
        (
            &object,
            json!({"channel": "orders", "instType": "ANY"}),
            &["orders instType=ANY"],
        ),
        (
            &object,
            json!({"channel": "book", "symbol": ["A", "B"], "depth": 10, "snapshot": true}),
            &["book depth=10 symbol=A", "book depth=10 symbol=B"],
        ),
        (
            &object,
            json!({"channel": "x", "a": ["1", "2"], "b": ["3", "4"]}),
            &[r#"x a=1 b=["3","4"]"#, r#"x a=2 b=["3","4"]"#],
        ),
    ];
    for (topics, topic, names) in cases {
        assert_eq!(topics.named(&topic), names, "{topic}");
    }
}
