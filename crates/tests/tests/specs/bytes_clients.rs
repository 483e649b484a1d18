//! Databases and brokers behind a Gateway, with the clients that people use, unmodified.

use tests::certificates::Authority;
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::servers::{Server, client, postgres_program};
use tests::tools::program;

async fn before(server: &Server) -> Gateway {
    let mut scene = Scene::new();
    scene.tcp();
    scene.service("server", &[server.address]);
    scene.tcp_route("all", None, &[("server", 1)]);
    scene.start().await
}

/// Host and port of a gateway as programs take them.
fn place(gateway: &Gateway) -> (String, String) {
    (gateway.entry.ip().to_string(), gateway.entry.port().to_string())
}

#[tokio::test]
async fn postgresql_is_queried_and_loaded_through_a_gateway() {
    let server = Server::postgres().await;
    let gateway = before(&server).await;
    let (host, port) = place(&gateway);
    let common = ["-h", &host, "-p", &port, "-U", "selvedge", "postgres"];

    let asked =
        [&["-Atc", "select count(*), sum(n) from generate_series(1, 200000) as n"], &common[..]].concat();
    assert_eq!(client(&postgres_program("psql"), &asked).await.trim(), "200000|20000100000");

    let pgbench = postgres_program("pgbench");
    client(&pgbench, &[&["-i", "-q", "-s", "1"], &common[..]].concat()).await;
    let told = client(&pgbench, &[&["-n", "-c", "4", "-j", "2", "-t", "50"], &common[..]].concat()).await;
    assert!(told.contains("number of transactions actually processed: 200/200"), "{told}");
}

#[tokio::test]
async fn postgresql_clients_are_given_tls_by_the_gateway_when_they_ask_for_it() {
    let server = Server::postgres().await;
    let authority = Authority::new();
    let mut scene = Scene::new();
    let port = scene.port();
    scene.tls_on(port, "db.example", "db");
    scene.secret("db", &authority.pair(&["db.example"]));
    scene.service("server", &[server.address]);
    scene.tcp_route("all", None, &[("server", 1)]);
    let gateway = scene.start().await;
    let root = server.folder().join("root.crt");
    std::fs::write(&root, &authority.pem).expect("the folder can be written");
    let psql = postgres_program("psql");
    let place = format!(
        "host=db.example hostaddr={} port={} user=selvedge dbname=postgres sslrootcert={}",
        gateway.entry.ip(),
        gateway.entry.port(),
        root.display(),
    );

    let verified = client(&psql, &["-Atc", "select 6 * 7", &format!("{place} sslmode=verify-full")]).await;
    assert_eq!(verified.trim(), "42");

    let plain = tests::tools::run(&psql, &["-Atc", "select 1", &format!("{place} sslmode=disable")]).await;
    assert!(!plain.success, "a client without TLS was let in: {}", plain.stdout);
    gateway.counts_failure("encryption_required").await;
}

#[tokio::test]
async fn redis_is_benchmarked_through_a_gateway() {
    let server = Server::redis().await;
    let gateway = before(&server).await;
    let (host, port) = place(&gateway);

    let told = client(
        &program("redis-benchmark"),
        &[
            "-h", &host, "-p", &port, "-t", "set,get", "-n", "2000", "-c", "20", "-P", "4", "-d", "4096",
            "--csv",
        ],
    )
    .await;

    assert!(told.contains("SET") && told.contains("GET"), "{told}");
    let set =
        client(&program("redis-cli"), &["-h", &host, "-p", &port, "set", "through", "the gateway"]).await;
    let got = client(&program("redis-cli"), &["-h", &host, "-p", &port, "get", "through"]).await;
    assert_eq!((set.trim(), got.trim()), ("OK", "the gateway"));
}

#[tokio::test]
async fn mariadb_which_speaks_first_is_queried_through_a_gateway() {
    let server = Server::mariadb().await;
    let gateway = before(&server).await;
    let (host, port) = place(&gateway);
    let common = ["--no-defaults", "--protocol=TCP", "-u", "selvedge", "-h", &host, "-P", &port, "-N", "-B"];
    let query = "create table shop.goods (n int, t longtext); \
                 insert into shop.goods with recursive s(n) as (select 1 union all select n + 1 from s where n < 900) \
                 select n, repeat('x', 1000) from s; \
                 select count(*), sum(length(t)) from shop.goods;";

    let told = client(&program("mariadb"), &[&common[..], &["-e", query]].concat()).await;

    assert_eq!(told.trim(), "900\t900000");
}

#[tokio::test]
async fn messages_are_published_and_received_through_a_gateway() {
    let server = Server::mosquitto().await;
    let gateway = before(&server).await;
    let (host, port) = place(&gateway);
    let to = ["-h", &host, "-p", &port, "-t", "goods/count", "-q", "1"];
    // Kept by the broker, so it does not matter who comes first.
    client(&program("mosquitto_pub"), &[&to[..], &["-r", "-m", "forty-two"]].concat()).await;

    let received = client(&program("mosquitto_sub"), &[&to[..], &["-C", "1", "-W", "30"]].concat()).await;

    assert_eq!(received.trim(), "forty-two");
}
