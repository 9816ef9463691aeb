//! Which host a path and its owner lead to, and what is no host.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use super::*;

fn built(websockets: Value) -> Result<Hosts, String> {
    let config = json!({"url": "http://127.0.0.1:9", "websockets": websockets, "ca": null, "connections": 8,
                        "connect_timeout_ms": 70, "response_timeout_ms": 80});
    let config = serde_json::from_value(config).unwrap();
    let made = build(&config).map_err(|e| e.to_string());
    made.map(|(_, hosts)| hosts)
}

fn host(hosts: &Hosts, path: &str, whose: Leg) -> String {
    let found = hosts.at(path, whose);
    found.map_or("api".into(), |venue| {
        venue.host.to_str().unwrap().to_owned()
    })
}

#[test]
fn the_longest_path_wins_whole_parts_count_and_what_is_not_listed_stays_at_the_api() {
    let hosts = built(json!([
        {"path": "/ws", "url": "ws://short:1"},
        {"path": "/ws/own/", "url": "ws://long:2"},
        {"path": "/v2", "url": "ws://public:3", "private": "ws://private:4"},
    ]));
    let hosts = hosts.unwrap();
    for (path, public, private) in [
        ("/ws", "short:1", "short:1"),
        ("/ws/", "short:1", "short:1"),
        ("/ws/btcusdt@trade", "short:1", "short:1"),
        ("/ws/own", "long:2", "long:2"),
        ("/ws/own/a", "long:2", "long:2"),
        ("/ws/owner", "short:1", "short:1"),
        ("/v2", "public:3", "private:4"),
        ("/v2/more", "public:3", "private:4"),
        ("/v20", "api", "api"),
        ("/ws-api/v3", "api", "api"),
        ("/", "api", "api"),
        ("", "api", "api"),
    ] {
        assert_eq!(host(&hosts, path, Leg::Public), public, "{path}");
        assert_eq!(host(&hosts, path, Leg::Private), private, "{path}");
    }
    let all = built(json!([{"path": "/", "url": "ws://all"}, {"path": "/v2", "url": "ws://v2"}]));
    let all = all.unwrap();
    assert_eq!(host(&all, "/", Leg::Public), "all");
    assert_eq!(host(&all, "/v3", Leg::Private), "all");
    assert_eq!(host(&all, "/v2", Leg::Private), "v2");
}

#[test]
fn every_host_has_the_upstream_s_bounds() {
    let hosts = built(json!([{"path": "/v2", "url": "ws://a", "private": "ws://b:81"}])).unwrap();
    for whose in [Leg::Public, Leg::Private] {
        let venue = hosts.at("/v2", whose).unwrap();
        assert_eq!(venue.connect_timeout, Duration::from_millis(70));
        assert_eq!(venue.response_timeout, Duration::from_millis(80));
        assert_eq!(venue.connections, 8);
    }
    let Place::Net(place) = &hosts.at("/v2", Leg::Public).unwrap().place else {
        panic!("a host is on the network");
    };
    assert_eq!(place, "a:80");
}

#[test]
fn what_is_no_host_s_address_is_refused_where_it_stands() {
    for (name, url) in [
        ("url", "http://a"),
        ("url", "https://a"),
        ("url", "ftp://a"),
        ("url", "a:80"),
        ("url", "wss://"),
        ("url", "ws://a/ws"),
        ("url", "ws://a?b=c"),
        ("url", "ws://me@a"),
        ("private", "ws://a/ws"),
    ] {
        let mut one = json!({"path": "/v2", "url": "ws://fine"});
        one[name] = url.into();
        let said = built(json!([one])).err().unwrap();
        let wanted = format!("upstream.websockets[0].{name}: ");
        assert!(said.starts_with(&wanted), "{url}: {said}");
    }
    let said = built(json!([{"path": "/v2", "url": "wss://a"}]));
    let said = said.err().unwrap();
    assert!(said.starts_with("upstream.ca: "), "{said}");
    for paths in [["/v2", "/v2/"], ["/", "/"]] {
        let twice = paths.map(|path| json!({"path": path, "url": "ws://a"}));
        let said = built(json!(twice)).err().unwrap();
        let wanted = "upstream.websockets[1].path: ";
        assert!(said.starts_with(wanted) && said.contains("twice"), "{said}");
    }
    for path in ["v2", "", "/v2?a=b", "/v2#a"] {
        let said = built(json!([{"path": path, "url": "ws://a"}]))
            .err()
            .unwrap();
        assert!(said.starts_with("upstream.websockets[0].path: "), "{said}");
    }
}
