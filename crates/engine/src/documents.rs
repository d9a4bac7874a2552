//! Public documents of one other server that the doors need, such as the keys of an issuer. They come the way everything
//! does: by an `http` link of a chain that may reach that server and nothing else, through the gate and the one egress.

use crate::chain::Chain;
use crate::engine::Engine;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringmail_core::address::Target;
use ringmail_core::doc::Source;
use ringmail_core::json::to_string;
use ringmail_core::value::Value;

const CHAIN: &str = "chain: document
links:
  get: {kind: http, timeout: 10s, with: {method: GET, url: '${input}', headers: {accept: application/json}, as: base64}}
output: ${get.body}
";
const PERMIT: &str = "permit (principal, action == Ringmail::Action::\"run\", resource);
permit (principal, action == Ringmail::Action::\"call\", resource);
";

/// What one server hands out to anybody.
#[derive(Clone, Debug)]
pub struct Documents {
    chain: Chain,
    origin: String,
}

impl Engine {
    /// A way to the documents of the server at this address, recorded where runs of this engine are. `resolves_to` are
    /// the special addresses that its name may lead to.
    pub fn documents(
        &self,
        url: &str,
        resolves_to: &[String],
        bytes_max: usize,
    ) -> Result<Documents, String> {
        let origin = Target::parse(url)?.origin();
        let (folder, roots) = &self.0.egress.around;
        let quoted =
            |texts: &[String]| to_string(&Value::list(texts.iter().map(|text| Value::from(text.as_str()))));
        let text = format!(
            "[net]\nextra_roots = {}\n[[grant]]\nto = \"document\"\nreason = \"what the doors of the project need\"\n\
             respond = {{ clearance = [\"credential\"] }}\nnet = [{{ address = {}, methods = [\"GET\"], \
             response_max = \"{bytes_max}B\", resolves_to = {} }}]\n",
            quoted(roots),
            to_string(&Value::from(origin.as_str())),
            quoted(resolves_to),
        );
        let mut builder = Engine::builder()
            .project(Source::new("the grant of documents", text), folder)
            .policies(vec![Source::new("the policy of documents", PERMIT)])
            .clock(self.0.clock.clone());
        if let Some(recorder) = &self.0.recorder {
            builder = builder.recorder(recorder.clone());
        }
        let engine = builder.build().map_err(|error| error.to_string())?;
        let chains =
            engine.load(&[Source::new("document.yaml", CHAIN)]).map_err(|problems| problems.to_string())?;
        let chain = chains.into_iter().next().ok_or("there is no chain")?;
        Ok(Documents { chain, origin })
    }
}

impl Documents {
    /// The server's scheme, name and port.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// One document, whole and within its limits.
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let answer = self.chain.ask(Value::from(url)).await?;
        let body = answer.as_str().unwrap_or_default();
        STANDARD.decode(body).map_err(|error| error.to_string())
    }
}
