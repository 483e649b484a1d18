//! Promises of `examples/mesh`: one command opens a shop of three services in three languages, PostgreSQL and Redis, each
//! behind a sidecar of its own, and closes it again.

mod plane;
mod scene;
mod sidecars;

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use plane::Ended;
use scene::get;
use sidecars::{Running, until};
use tempfile::TempDir;

/// Longest that the shop may take to open: a compiler, a database and a dozen processes begin meanwhile.
const OPENING: Duration = Duration::from_secs(180);

/// The example, open.
struct Shop {
    run: Running,
    /// The folder in which it makes its own, and that one.
    _folder: TempDir,
    data: PathBuf,
    network: [u8; 3],
}

impl Shop {
    fn open() -> Shop {
        let folder = tempfile::tempdir().expect("a folder");
        // The user `postgres` has to come by.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).expect("our folder");
        let [high, low] = (std::process::id() as u16).to_be_bytes();
        let network = [127, 0x40 | (high & 0x3f), low];
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/mesh/run");
        let mut command = Command::new("sh");
        // What it says goes where it is listened to.
        command.args(["-c", "exec \"$0\" >&2"]).arg(script);
        command.env("SELVEDGE", env!("CARGO_BIN_EXE_selvedge")).env("TMPDIR", folder.path());
        command.env("NETWORK", network.map(|part| part.to_string()).join("."));
        let mut run = Running::start(&mut command);
        run.line_within("The shop is open", OPENING);
        let mut entries = std::fs::read_dir(folder.path()).expect("our folder");
        let data = entries.next().expect("a folder of its own").expect("an entry").path();
        Shop { run, _folder: folder, data, network }
    }

    fn at(&self, host: u8, port: u16) -> SocketAddr {
        let [a, b, c] = self.network;
        SocketAddr::from((Ipv4Addr::new(a, b, c, host), port))
    }

    /// What `selvedge` says about it.
    fn told(&self, line: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        command.args(line.split(' ')).arg("--data").arg(self.data.join("control"));
        command.env("NO_COLOR", "1").env("HOME", "/nonexistent").env_remove("KUBECONFIG");
        let ended = Ended::of(&command.output().expect("the binary runs"));
        assert_eq!(ended.code, 0, "selvedge {line}\n{}{}", ended.stdout, ended.stderr);
        ended.stdout
    }

    /// Where a member finds a Service, as its sidecar tells everybody on its machine.
    fn finds(&self, member: &str, service: &str) -> SocketAddr {
        let text = std::fs::read_to_string(self.data.join(member).join("services.env")).expect("a file");
        let value = |name: &str| {
            let start = format!("SHOP_{service}_{name}=");
            text.lines().find_map(|line| line.strip_prefix(&start)).expect("a variable").to_owned()
        };
        SocketAddr::new(value("HOST").parse().expect("an address"), value("PORT").parse().expect("a port"))
    }
}

#[test]
fn one_command_opens_a_shop_in_three_languages_and_every_step_in_it_is_a_call_of_the_mesh() {
    let mut shop = Shop::open();
    let entry = shop.at(1, 8080);

    let (status, page) = get(entry, "GET / HTTP/1.1\r\nHost: shop.example");
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("tea") && page.contains("41 in stock"), "{page}");

    // Nobody but the catalog gets at the stock, whoever else can open a connection.
    let stock = |member: &str| get(shop.finds(member, "STOCK"), "GET /stock HTTP/1.1\r\nHost: stock").0;
    assert_eq!((stock("web"), stock("catalog")), (403, 200));

    let steps = [
        ("gateway shop/edge", "shop/web"),
        ("shop/web", "shop/catalog"),
        ("shop/catalog", "shop/stock"),
        ("shop/catalog", "shop/cache"),
        ("shop/stock", "shop/database"),
    ];
    let picture = until("every step to be seen", || {
        get(entry, "GET / HTTP/1.1\r\nHost: shop.example");
        let picture = shop.told("mesh show");
        let is_seen = |(from, to): &(&str, &str)| {
            picture.lines().any(|line| line.starts_with(from) && line.contains("==>") && line.contains(to))
        };
        steps.iter().all(is_seen).then_some(picture)
    });
    assert!(picture.contains("mTLS Strict") && picture.contains("are refused"), "{picture}");
    assert!(picture.contains("spiffe://shop.example/ns/shop/sa/database"), "{picture}");
    assert!(shop.told("mesh show -o svg").starts_with("<svg"));
    let can = shop.told("authz can shop/web-1 GET shop/stock:/stock");
    assert!(can.starts_with("no "), "{can}");

    shop.run.signal("-TERM");
    shop.run.ended();
    assert!(!shop.data.exists(), "it takes its files along");
}
