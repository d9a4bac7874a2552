use super::*;
use crate::label::Label;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

#[test]
fn only_restricted_parts_are_masked() {
    let mut tags = TagTable::default();
    let pii = Label { tags: tags.intern("pii").unwrap(), ..Label::BOTTOM };
    let value = Value::map([("card", Value::from("4111")), ("id", Value::Int(1))]);
    let labels = Labels::keys(Label::BOTTOM, [("card".into(), pii.into())]);
    assert_eq!(format!("{:?}", masked(&value, &labels, &tags)), r#"{"card":"[pii]","id":1}"#);
    assert_eq!(format!("{:?}", masked(&value, &pii.into(), &tags)), r#""[pii]""#);
}

const SECRET: &str = "pass/wörd+\"x\\y&<7>";

fn redactor() -> Redactor {
    let name = Str::from("bank");
    Redactor::new([(&name, SECRET), (&Str::from("short"), "abc")].into_iter())
}

fn json(text: &str) -> String {
    crate::json::to_string(&Value::from(text))
}

/// Each spelling of a value, wherever it stands.
#[test]
fn attack_40_a_known_value_is_found_in_every_spelling() {
    let escaped: String = SECRET.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let percent: String = SECRET.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let nested = json(&format!("{{\"a\": {}}}", json(SECRET)));
    let spellings = [
        SECRET.to_string(),
        json(SECRET),
        nested.clone(),
        json(&nested),
        json(&json(&json(&json(&nested)))),
        escaped.clone(),
        json(&escaped),
        SECRET.replace('/', "\\/"),
        percent.clone(),
        percent.to_lowercase(),
        percent.replace('%', "%25"),
        url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect(),
        SECRET.bytes().map(|byte| format!("{byte:02x}")).collect(),
        SECRET.bytes().map(|byte| format!("{byte:02X}")).collect(),
        SECRET.bytes().map(|byte| format!("\\x{byte:02x}")).collect(),
        SECRET.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
        format!("{:?}", SECRET),
    ];
    for (at, spelling) in spellings.iter().enumerate() {
        let shown = redactor().judged(&format!("before {spelling} after")).into_owned();
        assert!(shown.contains("[secret:bank]"), "{at}: {spelling}\n{shown}");
        assert!(shown.starts_with("before ") && shown.ends_with(" after"), "{shown}");
        for part in ["wörd", "pass", "w%C3", "7061", "7>", "\\u0070"] {
            assert!(!shown.contains(part), "{at}: `{part}` is in {shown}");
        }
    }
    for before in ["", "a", "ab", "user:"] {
        for encoded in
            [STANDARD.encode(format!("{before}{SECRET} after")), URL_SAFE.encode(format!("{before}{SECRET}"))]
        {
            let shown = redactor().judged(&format!("authorization {encoded}")).into_owned();
            assert!(shown.contains("[secret:bank]"), "{before}: {shown}");
        }
    }
    // As a key, inside of a list, inside of a text.
    let value = Value::map([(SECRET, Value::list([Value::from(format!("x{SECRET}x"))]))]);
    let shown = crate::json::to_string(&redactor().value(&value, true));
    assert!(!shown.contains("rd+") && shown.matches("[secret:bank]").count() == 2, "{shown}");
    // What is too short to be told from anything else stays.
    assert_eq!(redactor().judged("abc"), "abc");
}

#[test]
fn a_value_of_several_lines_is_found_line_by_line() {
    let value = "-----BEGIN X-----\nMIIEvQIBADANBgkqhkiG\nq83vEjRWeJCrze8SNFZ4\n-----END X-----";
    let name = Str::from("pem");
    let redactor = Redactor::new([(&name, value)].into_iter());
    assert_eq!(redactor.judged("line 2: q83vEjRWeJCrze8SNFZ4."), "line 2: [secret:pem].");
}

#[test]
fn attack_40_values_are_hidden_for_what_they_are_called() {
    let redactor = Redactor::new(std::iter::empty());
    for (text, expected) in [
        (r#"{"password": "hunter2"}"#, r#"{"password": "[hidden]"}"#),
        (r#"{"user":{"apiKey":"a b c d"}}"#, r#"{"user":{"apiKey":"[hidden]"}}"#),
        (r#"{"db_password":"a\"b"}"#, r#"{"db_password":"[hidden]"}"#),
        (r#"{"body":"{\"client_secret\":\"x y\"}"}"#, r#"{"body":"{\"client_secret\":\"[hidden]\"}"}"#),
        (
            r#"{"a":"{\"b\":\"{\\\"token\\\":\\\"x y\\\"}\"}"}"#,
            r#"{"a":"{\"b\":\"{\\\"token\\\":\\\"[hidden]\\\"}\"}"}"#,
        ),
        ("{'Authorization': 'Negotiate x'}", "{'Authorization': '[hidden]'}"),
        ("PASSWORD=hunter2 next", "PASSWORD=[hidden] next"),
        ("https://h/?api_key=abc123def&x=1", "https://h/?api_key=[hidden]&x=1"),
        (r#"{"password": "cut of"#, r#"{"password": "[hidden]"#),
        (r#"{"password":"$ecret-1234"}"#, r#"{"password":"[hidden]"}"#),
        (r#"{"password":"%ecret-1234"}"#, r#"{"password":"[hidden]"}"#),
        (r#"{"password":"$2b$12$abcdefghijklmnopqrstuv"}"#, r#"{"password":"[hidden]"}"#),
        (r#"{"password":"[abc-1234]"}"#, r#"{"password":"[hidden]"}"#),
        (r#"{"password":"{abc1234}"}"#, r#"{"password":"[hidden]"}"#),
        (r#"{"password":"<abc1234>"}"#, r#"{"password":"[hidden]"}"#),
        (r#"{"password":["hunter22", "again"],"a":1}"#, r#"{"password":["[hidden]", "[hidden]"],"a":1}"#),
        (
            r#"{"password":{"type":"x","value":"hunter22"}}"#,
            r#"{"password":{"type":"x","value":"[hidden]"}}"#,
        ),
        (
            r#"{"secret":{"value":"ab","password":"cd"}}"#,
            r#"{"secret":{"value":"[hidden]","password":"[hidden]"}}"#,
        ),
        (r#"{"password":12345678}"#, r#"{"password":[hidden]}"#),
        (r#"{"password":[12345678,1]}"#, r#"{"password":[[hidden],1]}"#),
        (r#"{"pass\u0077ord":"hunter22"}"#, r#"{"pass\u0077ord":"[hidden]"}"#),
        (r#"{"passwor\u0064":"hunter22"}"#, r#"{"passwor\u0064":"[hidden]"}"#),
        (r#"{"password"  :   "hunter22"}"#, r#"{"password"  :   "[hidden]"}"#),
        ("{\"password\":\n    \"hunter22\"}", "{\"password\":\n    \"[hidden]\"}"),
        ("PASSWORD=%ecret-1234 next", "PASSWORD=[hidden] next"),
        ("postgres://me:s3cr3tpw@db/x", "postgres://me:[url_credentials]@db/x"),
    ] {
        let shown = redactor.judged(text);
        let shown = if expected.contains("url_credentials") && !shown.contains("me:[") {
            // The detector takes the user along.
            shown.replace("[url_credentials]", "me:[url_credentials]")
        } else {
            shown.into_owned()
        };
        assert_eq!(shown, expected, "{text}");
    }
}

/// What people write and programs print every day.
#[test]
fn prose_and_code_stay_as_they_are() {
    let redactor = redactor();
    let text = r#"The password: it must have eight letters. Your token is kept for a day, and a secret=none counts as unset.
        let token = self.next_token(); if password == other.password { return Err("wrong password") }
        def login(user, password=None, token: str = "", *, secret: Secret): assert token != password
        fn check(password: &str, key: &Key) -> Result<(), Error> { match secret { Some(secret) => secret.len(), None => 0 } }
        {"type": "object", "properties": {"password": {"type": "string"}, "max_tokens": 4096, "token": null}}
        password := os.Getenv("PASSWORD"); token::parse(text); secret => value; api_key=${API_KEY}; PASSWORD=********
        2026-11-22T15:18:30Z INFO link=pay.send status=200 run=01a203f5fe5a0f27f84d4acdad6883a0 took=15ms next: secret.ask
        GET /v1/secret/data/apps HTTP/1.1 200 5123 "-" "curl/8.4.0" sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0
        Der Schlüssel: 100 % sicher, „Passwort: geheim“ stand da. C:\new\table\users 50%25 %zz \u12 \q
        {"password": "${DB_PASSWORD}", "token": "%TOKEN%", "secret": "<your-secret>", "cookie": "[hidden]", "apiKey": "[secret:bank]"}
        {"password": ["[hidden]", ""], "secret": {"type": "string", "enum": ["value"]}, "token": 200, "credentials": {"count": 12345678}}
        the secret `bank` has a new value; the secrets: bank, shop; tokens: 12; credentials: none"#;
    for line in text.lines() {
        assert_eq!(redactor.judged(line), line);
        assert_eq!(redactor.unjudged(line), line);
    }
}

#[test]
fn what_was_judged_keeps_what_is_no_credential() {
    let redactor = Redactor::new(std::iter::empty());
    let text = "card 4111 1111 1111 1111 of a@example.org, ghp_16C7e42F292c6912E7710c838347Ae178B4a";
    assert!(redactor.judged(text).contains("4111 1111 1111 1111 of a@example.org"));
    let shown = redactor.unjudged(text);
    assert!(!shown.contains("4111") && !shown.contains("a@example.org"), "{shown}");
}
