//! What most specs start from: one gateway, one recording upstream, and the judgement of an attack.

use tests::answer::Answer;
use tests::client::{RawClient, get};
use tests::gateway::Gateway;
use tests::recorded::Recorded;
use tests::scene::Scene;
use tests::script::{self, Script};
use tests::upstream::Upstream;
use tests::victim;

/// The host of every plain request.
pub const HOST: &str = "a.example";

/// A request that nobody sent: if an upstream sees it, framing was lost.
pub const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n";

/// A gateway that forwards everything to one upstream.
pub struct Stage {
    pub gateway: Gateway,
    pub upstream: Upstream,
}

impl Stage {
    pub async fn new() -> Stage {
        Stage::with_upstream(Upstream::recording().await).await
    }

    pub async fn with_upstream(upstream: Upstream) -> Stage {
        let gateway = Scene::forwarding(&upstream).start().await;
        Stage { gateway, upstream }
    }

    /// With settings of the Gateway: the `spec` of its GatewayParameters.
    pub async fn with_parameters(parameters: serde_json::Value) -> Stage {
        let upstream = Upstream::recording().await;
        let mut scene = Scene::forwarding(&upstream);
        scene.parameters(parameters);
        let gateway = scene.start().await;
        Stage { gateway, upstream }
    }

    /// An upstream that plays `attack` for targets below `/attack` and is honest to everybody else.
    pub async fn attacked_by(attack: impl Fn(&Recorded) -> Script + Send + Sync + 'static) -> Stage {
        let handler = move |request: &Recorded| {
            if request.target.starts_with("/attack") { attack(request) } else { script::honest(request) }
        };
        Stage::with_upstream(Upstream::scripted(handler).await).await
    }

    pub async fn client(&self) -> RawClient {
        RawClient::connect(self.gateway.entry).await
    }

    /// The answer to a plain GET with more header lines.
    pub async fn get(&self, target: &str, more: &str) -> Answer {
        tests::client::fetch_with(self.gateway.entry, HOST, target, more).await
    }

    /// What the upstream receives when these bytes are sent; the answer must be its own.
    pub async fn forwarded(&self, bytes: impl AsRef<[u8]>) -> Result<Recorded, String> {
        let before = self.upstream.requests().len();
        let answer = tests::client::exchange(self.gateway.entry, bytes).await?;
        let seen = self.upstream.requests();
        match &seen[before..] {
            [one] if answer.status == 200 => Ok(one.clone()),
            [] => Err(format!("not forwarded, but answered {} {:?}", answer.status, answer.code())),
            more => Err(format!("answered {} after {} upstream requests", answer.status, more.len())),
        }
    }

    pub async fn bystander(&self) -> Result<(), String> {
        victim::unharmed(self.gateway.entry, HOST, &self.upstream).await
    }

    /// The request is refused with one of `wanted`, the connection is closed, the upstream saw nothing of it,
    /// and a bystander is unharmed.
    pub async fn refuses(&self, bytes: impl AsRef<[u8]>, wanted: &str) -> Result<(), String> {
        let before = self.upstream.connections().iter().map(|one| one.bytes.len()).sum::<usize>();
        self.refuses_somewhere(bytes, wanted).await?;
        let after = self.upstream.connections().iter().map(|one| one.bytes.len()).sum::<usize>();
        if before != after {
            return Err(format!("refused, but the upstream had received {} bytes of it", after - before));
        }
        self.bystander().await
    }

    /// As [`Stage::refuses`], for what shows only inside the body: the upstream may have seen the beginning of
    /// the request, but never a whole one and never another.
    pub async fn refuses_in_body(&self, bytes: impl AsRef<[u8]>, wanted: &str) -> Result<(), String> {
        let before = self.upstream.requests().len();
        self.refuses_somewhere(bytes, wanted).await?;
        self.bystander().await?;
        let all = self.upstream.requests();
        let new = &all[before..all.len() - 1];
        match new.iter().find(|request| request.complete || request.target == "/smuggled") {
            Some(request) => Err(format!("the upstream received `{}` whole", request.line())),
            None => Ok(()),
        }
    }

    async fn refuses_somewhere(&self, bytes: impl AsRef<[u8]>, wanted: &str) -> Result<(), String> {
        let mut client = RawClient::try_connect(self.gateway.entry).await?;
        client.send(bytes).await;
        let answer = client.try_answer().await?;
        is_one_of(&answer, wanted)?;
        client.closes().await
    }

    /// Either refused with one of `wanted`, or understood in one way only, which `right` judges.
    pub async fn refuses_or(
        &self,
        bytes: impl AsRef<[u8]>,
        wanted: &str,
        right: impl Fn(&Recorded) -> Result<(), String>,
    ) -> Result<(), String> {
        let before = self.upstream.requests().len();
        let answer = tests::client::exchange(self.gateway.entry, bytes).await?;
        let seen = self.upstream.requests();
        match &seen[before..] {
            [] => is_one_of(&answer, wanted)?,
            [one] => right(one)?,
            more => return Err(format!("one request became {}", more.len())),
        }
        self.bystander().await
    }
}

/// Checks an answer against `400 bad_framing | 505 bad_version`.
pub fn is_one_of(answer: &Answer, wanted: &str) -> Result<(), String> {
    let code = answer.code();
    let got = format!("{} {}", answer.status, code.as_deref().unwrap_or("(no code)"));
    if wanted.split('|').any(|one| one.trim() == got) {
        return Ok(());
    }
    Err(format!("answered `{got}`, wanted `{wanted}`"))
}

/// The bytes of a POST with these header lines and everything that follows them.
pub fn post(lines: &str, rest: &str) -> String {
    format!("POST /attack HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n{rest}")
}

/// A GET whose header lines are `lines`, with a request that must not be seen behind it.
pub fn get_with(lines: &str) -> String {
    get(HOST, "/attack", lines) + SMUGGLED
}
