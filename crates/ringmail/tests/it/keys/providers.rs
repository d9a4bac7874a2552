//! What each key of a provider of secrets changes in what it is asked.

use super::{CASE, Case, plain};
use crate::providers::secret_file;
use crate::setup::Place;

/// Secrets on this host, with which others are asked for.
fn keeping() -> Place {
    let place = plain();
    secret_file(&place, "one.secret", "first-secret");
    secret_file(&place, "two.secret", "second-secret");
    secret_file(&place, "sa.secret", "");
    place
}

macro_rules! vault {
    ($($rest:tt)*) => {
        concat!(
            "[secret.one]\nfrom = \"file:one.secret\"\nbound_to = [\"http://127.0.0.1:@PORT@\", \"https://localhost:@PORT@\"]\n[secret.two]\nfrom = \"file:two.secret\"\nbound_to = [\"http://127.0.0.1:@PORT@\"]\n[secret.a]\nfrom = \"hq:apps/bank#token\"\nbound_to = [\"https://a.test\"]\n",
            $($rest)*
        )
    };
}

macro_rules! asked {
    ($kind:literal, $rest:literal) => {
        vault!(concat!("[provider.hq]\nkind = \"", $kind, "\"\nurl = \"http://127.0.0.1:@PORT@\"\n", $rest))
    };
}

const ASKS_FOR: Case = Case { place: keeping, commands: &[&["secret", "check"]], ..CASE };

pub(super) const CASES: &[Case] = &[
    Case {
        text: vault!(
            "<<[provider.hq]\nkind = \"vault\"\nurl = \"http://127.0.0.1:@PORT@\"\nsecret = \"one\"\n||>>"
        ),
        ends: ["GET /v1/secret/data/apps/bank", "a secret comes from"],
        ..ASKS_FOR
    },
    Case {
        text: vault!(
            "[provider.hq]\nkind = \"<<vault||azure>>\"\nurl = \"http://127.0.0.1:@PORT@\"\nsecret = \"one\"\n"
        ),
        ends: ["GET /v1/secret/data/apps/bank", "needs `client_id`"],
        ..ASKS_FOR
    },
    Case {
        text: vault!(
            "[provider.hq]\nkind = \"vault\"\nurl = \"http://127.0.0.1:@PORT@/<<one||two>>\"\nsecret = \"one\"\n"
        ),
        ends: ["GET /one/v1/", "GET /two/v1/"],
        ..ASKS_FOR
    },
    Case {
        text: vault!(
            "[provider.hq]\nkind = \"vault\"\nurl = \"https://localhost:@PORT@\"\nsecret = \"one\"\nresolves_to = [<<\"127.0.0.0/8\", \"::1\"||>>]\n"
        ),
        ends: ["the other side cannot be reached", "leads to a loopback address"],
        ..ASKS_FOR
    },
    Case {
        text: asked!("vault", "secret = \"<<one||two>>\"\n"),
        ends: ["x-vault-token: first-secret", "x-vault-token: second-secret"],
        ..ASKS_FOR
    },
    Case {
        text: asked!("vault", "secret = \"one\"\nmount = \"<<secret||kv>>\"\n"),
        ends: ["/v1/secret/data/", "/v1/kv/data/"],
        ..ASKS_FOR
    },
    Case {
        text: asked!("vault", "secret = \"one\"\nrole_id = \"<<r1||r2>>\"\n"),
        ends: ["\\\"role_id\\\":\\\"r1\\\"", "\\\"role_id\\\":\\\"r2\\\""],
        ..ASKS_FOR
    },
    Case {
        text: asked!("vault", "secret = \"one\"\nnamespace = \"<<team||other>>\"\n"),
        ends: ["x-vault-namespace: team", "x-vault-namespace: other"],
        ..ASKS_FOR
    },
    Case {
        text: asked!("aws", "secret = \"one\"\nkey_id = \"K\"\nregion = \"<<eu-west-1||us-east-1>>\"\n"),
        ends: ["/eu-west-1/secretsmanager/", "/us-east-1/secretsmanager/"],
        ..ASKS_FOR
    },
    Case {
        text: asked!("aws", "secret = \"one\"\nkey_id = \"<<K1||K2>>\"\nregion = \"eu-west-1\"\n"),
        ends: ["Credential=K1/", "Credential=K2/"],
        ..ASKS_FOR
    },
    Case {
        text: asked!(
            "aws",
            "secret = \"one\"\nkey_id = \"K\"\nregion = \"eu-west-1\"\nsession = \"<<one||two>>\"\n"
        ),
        ends: ["x-amz-security-token: first-secret", "x-amz-security-token: second-secret"],
        ..ASKS_FOR
    },
    Case {
        text: asked!(
            "google",
            "secret = \"sa\"\nlogin = \"http://127.0.0.1:@PORT@/login\"\nproject = \"<<p1||p2>>\"\n[secret.sa]\nfrom = \"file:sa.secret\"\nbound_to = []\n"
        ),
        ends: ["GET /v1/projects/p1/", "GET /v1/projects/p2/"],
        ..ASKS_FOR
    },
    Case {
        text: asked!(
            "azure",
            "secret = \"one\"\nclient_id = \"c\"\nlogin = \"http://127.0.0.1:@PORT@/login/<<one||two>>\"\n"
        ),
        ends: ["POST /login/one", "POST /login/two"],
        ..ASKS_FOR
    },
    Case {
        text: asked!(
            "azure",
            "secret = \"one\"\nclient_id = \"<<c1||c2>>\"\nlogin = \"http://127.0.0.1:@PORT@/login\"\n"
        ),
        ends: ["client_id=c1&", "client_id=c2&"],
        ..ASKS_FOR
    },
    Case {
        text: asked!(
            "azure",
            "secret = \"one\"\nclient_id = \"c\"\nscope = \"<<s1||s2>>\"\nlogin = \"http://127.0.0.1:@PORT@/login\"\n"
        ),
        ends: ["scope=s1&", "scope=s2&"],
        ..ASKS_FOR
    },
];
