//! Clients and servers that other people wrote, end to end.

use serde_json::json;
use tests::certificates::Authority;
use tests::h2_upstream::{H2Upstream, Reply};
use tests::scene::Scene;
use tests::script::{self, Step};
use tests::tools;
use tests::upstream::Upstream;

async fn curl(arguments: &[&str]) -> String {
    let output = tools::run(&tools::program("curl"), arguments).await;
    assert!(output.success, "curl {arguments:?}: {}{}", output.stdout, output.stderr);
    output.stdout
}

#[tokio::test]
async fn curl_speaks_http1_http2_and_tls() {
    let authority = Authority::new();
    let upstream = Upstream::recording().await;
    let mut scene = Scene::forwarding(&upstream);
    let plain = scene.entry();
    let secure = scene.https("shop.example", "cert");
    scene.secret("cert", &authority.pair(&["shop.example"]));
    let _gateway = scene.start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &authority.pem).expect("a file");
    let ca = ca.display().to_string();
    let resolve = format!("shop.example:{}:{}", secure.port(), secure.ip());
    let (here, there) =
        (format!("http://{plain}/one?q=1"), format!("https://shop.example:{}/two", secure.port()));
    let version = ["-sS", "-w", " %{http_version} %{http_code}"];

    assert_eq!(curl(&[&version[..], &[&here]].concat()).await, "GET /one?q=1 1.1 200");
    assert_eq!(
        curl(&[&version[..], &["--http2-prior-knowledge", &here]].concat()).await,
        "GET /one?q=1 2 200"
    );
    let tls = ["--cacert", &ca, "--resolve", &resolve];
    assert_eq!(curl(&[&version[..], &tls, &["--http1.1", &there]].concat()).await, "GET /two 1.1 200");
    assert_eq!(curl(&[&version[..], &tls, &["--http2", &there]].concat()).await, "GET /two 2 200");
    let post =
        curl(&[&version[..], &["-H", "Expect: 100-continue", "--data-binary", "hello", &here]].concat())
            .await;
    assert_eq!(post, "POST /one?q=1 1.1 200");
    assert_eq!(upstream.last().body, b"hello");
    assert_eq!(curl(&["-sS", "-I", "-o", "/dev/null", "-w", "%{http_code}", &here]).await, "200");
    assert_eq!(upstream.exact(), Ok(()));
}

#[tokio::test]
async fn a_python_http2_client_is_served() {
    let python = tools::python(&["h2"]).await;
    let upstream = Upstream::recording().await;
    let gateway = Scene::forwarding(&upstream).start().await;
    let script = r"
import socket, sys, h2.connection, h2.events
host, port = sys.argv[1], int(sys.argv[2])
s = socket.create_connection((host, port), 10)
c = h2.connection.H2Connection()
c.initiate_connection()
c.send_headers(1, [(':method', 'POST'), (':scheme', 'http'), (':authority', 'a.example'), (':path', '/python')])
c.send_data(1, b'x' * 10000, end_stream=True)
s.sendall(c.data_to_send())
body, done = b'', False
while not done:
    for event in c.receive_data(s.recv(65536)):
        if isinstance(event, h2.events.ResponseReceived): print(dict(event.headers)[b':status'].decode())
        if isinstance(event, h2.events.DataReceived): body += event.data
        if isinstance(event, h2.events.StreamEnded): done = True
    s.sendall(c.data_to_send())
print(body.decode())
";
    let (host, port) = (gateway.entry.ip().to_string(), gateway.entry.port().to_string());

    let output = tools::run(&python, &["-c", script, &host, &port]).await;

    assert!(output.success, "{}", output.stderr);
    assert_eq!(output.stdout, "200\nPOST /python\n");
    assert_eq!(upstream.last().body.len(), 10_000);
}

#[tokio::test]
async fn a_python_websocket_talks_through_the_gateway() {
    let python = tools::python(&["websockets"]).await;
    // The key below is the client's choice, so the upstream computes the answer it must give with Python as well.
    let server = tokio::process::Command::new(&python)
        .args([
            "-u",
            "-c",
            r"
import asyncio, websockets
async def main():
    async def echo(connection):
        async for message in connection: await connection.send(message)
    async with websockets.serve(echo, '127.0.0.1', 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
",
        ])
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut server = server.expect("Python starts");
    let lines = tests::lines::Lines::reading(server.stdout.take().expect("stdout is piped"));
    let port: u16 = lines.find("the server's port", |line| line.parse().ok()).await.expect("a port");
    let mut scene = Scene::new();
    scene.http();
    scene.service("ws", &[std::net::SocketAddr::from(([127, 0, 0, 1], port))]);
    scene.route("ws", json!({ "rules": [{ "backendRefs": [{ "name": "ws", "port": 80 }] }] }));
    let gateway = scene.start().await;
    let client = r"
import asyncio, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1]) as connection:
        for size in (0, 1, 125, 126, 65535, 65536, 1000000):
            message = 'x' * size
            await connection.send(message)
            assert await connection.recv() == message, size
        await connection.ping()
    print('closed', connection.close_code)
asyncio.run(main())
";

    let output = tools::run(&python, &["-c", client, &format!("ws://{}/chat", gateway.entry)]).await;

    assert!(output.success, "{}", output.stderr);
    assert_eq!(output.stdout, "closed 1000\n");
}

#[tokio::test]
async fn a_python_grpc_client_calls_and_streams() {
    let python = tools::python(&["grpc"]).await;
    let upstream = H2Upstream::serving(|_| Reply::Echo {
        kind: "application/grpc",
        trailers: vec![("grpc-status", "0")],
    })
    .await;
    let mut scene = Scene::new();
    scene.http();
    scene.service_speaking("rpc", "kubernetes.io/h2c", &[upstream.address]);
    scene.route(
        "rpc",
        json!({ "rules": [{
        "matches": [{ "path": { "type": "PathPrefix", "value": "/pkg.Shop" } }],
        "backendRefs": [{ "name": "rpc", "port": 80 }],
    }] }),
    );
    let gateway = scene.start().await;
    let client = r"
import sys, grpc
with grpc.insecure_channel(sys.argv[1]) as channel:
    same = lambda data: data
    unary = channel.unary_unary('/pkg.Shop/Buy', request_serializer=same, response_deserializer=same)
    print(unary(b'one', timeout=10).decode())
    big = unary(b'y' * 1000000, timeout=10)
    print(len(big))
    stream = channel.stream_stream('/pkg.Shop/Chat', request_serializer=same, response_deserializer=same)
    print([item.decode() for item in stream(iter([b'a', b'b', b'c']), timeout=10)])
    try:
        channel.unary_unary('/other.Shop/Buy', request_serializer=same, response_deserializer=same)(b'', timeout=10)
    except grpc.RpcError as error:
        print(error.code().name)
";

    let output = tools::run(&python, &["-c", client, &gateway.entry.to_string()]).await;

    assert!(output.success, "{}", output.stderr);
    assert_eq!(output.stdout, "one\n1000000\n['a', 'b', 'c']\nUNIMPLEMENTED\n");
}

#[tokio::test]
async fn h2load_finds_no_error() {
    let upstream = Upstream::scripted(|_| script::answer("200 OK", &[], &[b'x'; 1024])).await;
    let gateway = Scene::forwarding(&upstream).start().await;
    let h2load = tools::program("h2load");
    let url = format!("http://{}/", gateway.entry);

    for more in [&["-p", "h2c"][..], &["--h1"][..]] {
        let output =
            tools::run(&h2load, &[more, &["-n", "2000", "-c", "10", "-m", "10", &url]].concat()).await;
        assert!(
            output.stdout.contains("2000 succeeded, 0 failed, 0 errored"),
            "{}{}",
            output.stdout,
            output.stderr
        );
        assert!(output.stdout.contains("status codes: 2000 2xx"), "{}", output.stdout);
    }
    assert_eq!(upstream.exact(), Ok(()));
}

#[tokio::test]
async fn curl_follows_a_chunked_answer_as_it_comes() {
    let gate = tests::gate::Gate::closed();
    let wait = gate.clone();
    let upstream = Upstream::scripted(move |_| {
        vec![
            Step::Send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n".to_vec()),
            Step::Wait(wait.clone()),
            Step::Send(b"5\r\nlast\n\r\n0\r\n\r\n".to_vec()),
        ]
    })
    .await;
    let gateway = Scene::forwarding(&upstream).start().await;
    let mut process = tokio::process::Command::new(tools::program("curl"))
        .args(["-sSN", &format!("http://{}/", gateway.entry)])
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("curl starts");
    let lines = tests::lines::Lines::reading(process.stdout.take().expect("stdout is piped"));

    lines
        .find("the first line", |line| (line == "first").then_some(()))
        .await
        .expect("before the last was sent");
    gate.open();

    lines.find("the last line", |line| (line == "last").then_some(())).await.expect("the rest");
}
