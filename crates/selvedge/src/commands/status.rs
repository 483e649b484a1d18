//! `selvedge status`

use clap::Args;
use client::{Client, Collection, ListOptions, Object};
use model::kinds::KindName;
use serde_json::{Value, json};

use super::{OutputForm, version};
use crate::exit::{Exit, Failure};
use crate::output::{self, GREEN, RED, styled};
use crate::remote::proxies::{Proxies, Proxy, Revocations};
use crate::remote::{Connection, block_on, failure};
use crate::show::conditions::{self, Condition};
use crate::show::table::Table;
use crate::show::{age, counted};

/// Show how the control plane and its proxies are, and what is wrong
///
/// Proxies with the epoch (the number of the last change) that each runs on, what they could not use, and every object
/// with a condition that is not as hoped.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge status
  selvedge status -o json
Exit code 0 means that all is well, 6 that something is wrong.")]
pub struct Arguments {
    /// Form of the result
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: OutputForm,
    #[command(flatten)]
    connection: Connection,
}

/// Kinds whose conditions are looked at.
const JUDGED: [KindName; 17] = [
    KindName::GatewayClass,
    KindName::Gateway,
    KindName::HttpRoute,
    KindName::TcpRoute,
    KindName::BackendTlsPolicy,
    KindName::AuthenticationPolicy,
    KindName::ExternalAuthorizationPolicy,
    KindName::AuthorizationPolicy,
    KindName::Backend,
    KindName::ResiliencePolicy,
    KindName::FaultPolicy,
    KindName::TelemetryPolicy,
    KindName::TransformPolicy,
    KindName::RateLimitPolicy,
    KindName::IpPolicy,
    KindName::CorsPolicy,
    KindName::ValidationPolicy,
];

/// Everything that is told.
struct Report {
    server: String,
    version: String,
    /// `None` when the server does not tell.
    proxies: Option<Proxies>,
    /// `None` where there was none.
    revocations: Option<Revocations>,
    /// An object with what is not as hoped of it.
    troubled: Vec<(String, Vec<Condition>)>,
    /// Kinds this user may not read.
    unread: Vec<&'static str>,
}

/// Prints the report.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let client = arguments.connection.open()?;
    let report = block_on(Report::read(&client))?;
    match arguments.output {
        OutputForm::Text => output::data(report.text()),
        OutputForm::Json => output::data(format_args!("{:#}", report.json())),
    }
    Ok(if report.is_well() { Exit::Success } else { Exit::Unmet })
}

impl Report {
    async fn read(client: &Client) -> Result<Report, Failure> {
        let version = version::server(&client.document("/version").await.map_err(failure)?);
        let proxies = Proxies::read_if_told(client).await?;
        let revocations = Revocations::read_if_told(client).await;
        let (mut troubled, mut unread) = (Vec::new(), Vec::new());
        for kind in JUDGED {
            match client.list(&Collection::everywhere(kind), &ListOptions::default()).await {
                Ok(listed) => troubled.extend(listed.objects.iter().filter_map(trouble)),
                Err(error) if error.status().is_some_and(|status| status.code == 403) => {
                    unread.push(kind.plural());
                }
                Err(error) => return Err(failure(error)),
            }
        }
        let server = client.endpoint().server.clone();
        Ok(Report { server, version, proxies, revocations, troubled, unread })
    }

    fn is_well(&self) -> bool {
        self.troubled.is_empty() && self.proxies().iter().all(|proxy| problems(proxy).is_empty())
    }

    fn proxies(&self) -> &[Proxy] {
        self.proxies.as_ref().map(|proxies| proxies.all.as_slice()).unwrap_or_default()
    }

    fn text(&self) -> String {
        let mut lines = self.head();
        lines.push(String::new());
        lines.extend(self.wrong());
        if !self.unread.is_empty() {
            lines.push(format!("not looked at, because this user may not: {}", self.unread.join(", ")));
        }
        lines.join("\n")
    }

    /// Who is there.
    fn head(&self) -> Vec<String> {
        let plane = format!("control plane  {}  {}", self.server, self.version);
        let Some(told) = &self.proxies else {
            return vec![plane, "proxies        not told of by this server".to_owned()];
        };
        let (connected, all) = (told.connected().count(), counted(told.all.len(), "proxy"));
        let mut lines = vec![
            format!("{plane}  epoch {}", told.epoch),
            format!("proxies        {connected} of {all} connected"),
        ];
        lines.extend(self.revocations.map(|told| format!("revocations    {}", told.sentence())));
        if !told.all.is_empty() {
            lines.push(String::new());
            lines.extend(proxies(told).lines(true).into_iter().map(|line| format!("  {line}")));
        }
        lines
    }

    /// What is wrong, or that nothing is.
    fn wrong(&self) -> Vec<String> {
        let mut wrong: Vec<String> = Vec::new();
        for proxy in self.proxies() {
            let problems = problems(proxy);
            if !problems.is_empty() {
                wrong.push(format!("{}  proxy {}", styled(RED, "!!"), proxy.name));
                wrong.extend(problems.into_iter().map(|problem| format!("      {problem}")));
            }
        }
        for (subject, conditions) in &self.troubled {
            wrong.push(format!("{}  {subject}", styled(RED, "!!")));
            wrong.extend(conditions.iter().map(|condition| format!("      {}", condition.sentence())));
        }
        if wrong.is_empty() {
            wrong.push(format!("{}  every object is as it was wanted", styled(GREEN, "ok")));
        }
        wrong
    }

    fn json(&self) -> Value {
        let proxy = |proxy: &Proxy| {
            json!({
                "name": proxy.name,
                "version": proxy.version,
                "gateways": proxy.gateways,
                "connected": proxy.connected,
                "appliedEpoch": proxy.applied_epoch,
                "lastSeenSeconds": proxy.last_seen_seconds,
                "behindSeconds": proxy.behind_seconds,
                "problems": problems(proxy),
            })
        };
        let object = |(subject, conditions): &(String, Vec<Condition>)| json!({ "object": subject, "problems": conditions.iter().map(Condition::sentence).collect::<Vec<_>>() });
        json!({
            "server": self.server,
            "version": self.version,
            "epoch": self.proxies.as_ref().map(|proxies| proxies.epoch),
            "well": self.is_well(),
            "revocations": self.revocations,
            "proxies": self.proxies().iter().map(proxy).collect::<Vec<_>>(),
            "objects": self.troubled.iter().map(object).collect::<Vec<_>>(),
            "unread": self.unread,
        })
    }
}

fn trouble(object: &Object) -> Option<(String, Vec<Condition>)> {
    let bad: Vec<Condition> =
        conditions::of(object).into_iter().filter(|condition| !condition.is_good()).collect();
    (!bad.is_empty()).then(|| (format!("{} {}", object.kind(), object.place()), bad))
}

fn proxies(proxies: &Proxies) -> Table {
    let mut table = Table::new(&["NAME", "GATEWAYS", "EPOCH", "BEHIND", "SEEN", "STATE"]);
    for proxy in &proxies.all {
        let behind = match proxies.epoch.saturating_sub(proxy.applied_epoch) {
            0 => "-".to_owned(),
            changes => format!("{} ({})", counted(changes as usize, "change"), age(proxy.behind_seconds)),
        };
        let deaf = proxy.addresses.iter().filter(|address| !address.error.is_empty()).count();
        let state = match (proxy.connected, proxy.rejections.len()) {
            (false, _) => "lost".to_owned(),
            (true, 0) if deaf > 0 => "cannot listen".to_owned(),
            (true, 0) => "ok".to_owned(),
            (true, count) => counted(count, "rejection"),
        };
        let gateways = if proxy.gateways.is_empty() { "-".to_owned() } else { proxy.gateways.join(",") };
        table.row(vec![
            proxy.name.clone(),
            gateways,
            proxy.applied_epoch.to_string(),
            behind,
            age(proxy.last_seen_seconds),
            state,
        ]);
    }
    table
}

/// What is wrong with a proxy.
fn problems(proxy: &Proxy) -> Vec<String> {
    let lost = (!proxy.connected)
        .then(|| format!("not connected for {}; it serves what it had last", age(proxy.last_seen_seconds)));
    let rejected = proxy
        .rejections
        .iter()
        .map(|rejection| format!("rejected {}: {}", rejection.subject(), rejection.message));
    let unbound = proxy.addresses.iter().filter(|address| !address.error.is_empty());
    let unbound = unbound.map(|address| format!("cannot listen on {}: {}", address.address, address.error));
    lost.into_iter().chain(rejected).chain(unbound).map(|text| crate::show::visible(&text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::proxies::Rejection;

    fn report(proxies: Vec<Proxy>, troubled: Vec<(String, Vec<Condition>)>) -> Report {
        Report {
            server: "https://127.0.0.1:19443".to_owned(),
            version: "v0.1.0".to_owned(),
            proxies: Some(Proxies { epoch: 12, all: proxies }),
            revocations: None,
            troubled,
            unread: Vec::new(),
        }
    }

    fn proxy(name: &str, applied_epoch: u64, connected: bool) -> Proxy {
        Proxy { name: name.to_owned(), applied_epoch, connected, ..Proxy::default() }
    }

    fn plain(report: &Report) -> String {
        anstream::adapter::strip_str(&report.text()).to_string()
    }

    #[test]
    fn when_all_is_well_it_says_so() {
        let report = report(vec![proxy("a", 12, true)], Vec::new());

        assert!(report.is_well());
        assert_eq!(
            plain(&report),
            "control plane  https://127.0.0.1:19443  v0.1.0  epoch 12
proxies        1 of 1 proxy connected

  NAME   GATEWAYS   EPOCH   BEHIND   SEEN   STATE
  a      -          12      -        0s     ok

ok  every object is as it was wanted"
        );
    }

    #[test]
    fn how_soon_revocations_are_in_force_is_told_where_there_were_any() {
        let told = Revocations { applied: 34, p99_milliseconds: Some(10), slowest_milliseconds: None };
        let report = Report { revocations: Some(told), ..report(vec![proxy("a", 12, true)], Vec::new()) };

        let line = "\nrevocations    99 of 100 in force within 10 ms, all later than 5 s (34 told)\n";
        assert!(plain(&report).contains(line), "{}", plain(&report));
        assert_eq!(report.json()["revocations"]["p99Milliseconds"], 10);
    }

    #[test]
    fn whatever_is_wrong_is_told_below() {
        let rejection = Rejection {
            kind: "HTTPRoute".into(),
            namespace: "shop".into(),
            name: "x".into(),
            message: "bad".into(),
        };
        let behind = Proxy { rejections: vec![rejection], behind_seconds: 4.0, ..proxy("b", 10, true) };
        let report = report(vec![behind, proxy("c", 12, false)], Vec::new());

        let text = plain(&report);
        assert!(!report.is_well());
        assert!(text.contains("b      -          10      2 changes (4s)   0s     1 rejection"), "{text}");
        assert!(text.contains("!!  proxy b\n      rejected HTTPRoute shop/x: bad"), "{text}");
        assert!(text.contains("!!  proxy c\n      not connected for 0s"), "{text}");
        assert_eq!(report.json()["well"], false);
    }
}
