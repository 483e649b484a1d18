//! HTTP/2 towards an upstream: connections that fill up, say goodbye and die.

mod http2;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;

use bytes::Bytes;
use h2::Reason;
use h2::server::{Connection, SendResponse};
use http2::{Gateway, upstream};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

type Served = Connection<TcpStream, Bytes>;

fn answer(respond: &mut SendResponse<Bytes>, text: String) {
    let mut send = respond.send_response(http::Response::new(()), false).unwrap();
    send.send_data(text.into(), true).unwrap();
}

/// Answers each request with the number of its connection.
async fn answer_all(number: usize, mut connection: Served) {
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        answer(&mut respond, number.to_string());
    }
}

async fn get(client: &mut h2::client::SendRequest<Bytes>, method: &str) -> (u16, String) {
    let head = http2::request(method, "/").body(()).unwrap();
    let (response, _) = client.send_request(head, true).unwrap();
    let response = response.await.unwrap();
    let status = response.status().as_u16();
    let body = http2::whole(&mut response.into_body()).await.unwrap();
    (status, String::from_utf8(body).unwrap())
}

#[test]
fn requests_share_one_connection() {
    http2::run(async {
        let gateway = Gateway::http2(upstream::http2(answer_all).await);
        let mut client = http2::client(gateway.address).await;
        for _ in 0..20 {
            assert_eq!(get(&mut client, "GET").await, (200, "0".to_owned()));
        }
    });
}

#[test]
fn requests_that_come_at_once_share_the_connection_that_the_first_one_opens() {
    http2::run(async {
        let gateway = Gateway::http2(upstream::http2(answer_all).await);
        let mut client = http2::client(gateway.address).await;
        let responses: Vec<_> = (0..50)
            .map(|_| client.send_request(http2::request("GET", "/").body(()).unwrap(), true).unwrap().0)
            .collect();
        for response in responses {
            let body = http2::whole(&mut response.await.unwrap().into_body()).await.unwrap();
            assert_eq!(body, b"0");
        }
    });
}

#[test]
fn after_a_goodbye_the_next_request_uses_another_connection() {
    http2::run(async {
        let address = upstream::http2(|number, mut connection: Served| async move {
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                answer(&mut respond, number.to_string());
                connection.graceful_shutdown();
            }
        })
        .await;
        let gateway = Gateway::http2(address);
        let mut client = http2::client(gateway.address).await;
        for number in 0..5 {
            assert_eq!(get(&mut client, "POST").await, (200, number.to_string()));
        }
    });
}

#[test]
fn a_refused_request_is_sent_again_whatever_its_method() {
    http2::run(async {
        let address = upstream::http2(|number, mut connection: Served| async move {
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                match number {
                    0 => respond.send_reset(Reason::REFUSED_STREAM),
                    _ => answer(&mut respond, number.to_string()),
                }
            }
        })
        .await;
        let gateway = Gateway::http2(address);
        let mut client = http2::client(gateway.address).await;
        assert_eq!(get(&mut client, "POST").await, (200, "1".to_owned()));
    });
}

#[test]
fn a_request_that_may_have_been_processed_is_not_sent_again() {
    http2::run(async {
        let asked = Rc::new(Cell::new(0));
        let counted = asked.clone();
        let address = upstream::http2(move |_, mut connection: Served| {
            let asked = counted.clone();
            async move {
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    asked.set(asked.get() + 1);
                    respond.send_reset(Reason::INTERNAL_ERROR);
                }
            }
        })
        .await;
        let gateway = Gateway::http2(address);
        let mut client = http2::client(gateway.address).await;
        assert_eq!(get(&mut client, "POST").await.0, 502);
        assert_eq!(asked.get(), 1);
    });
}

#[test]
fn a_full_connection_is_joined_by_another() {
    http2::run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (arrived, mut arrivals) = mpsc::channel(16);
        tokio::task::spawn_local(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let arrived = arrived.clone();
                tokio::task::spawn_local(async move {
                    let mut builder = h2::server::Builder::new();
                    builder.max_concurrent_streams(2);
                    let mut connection: Served = builder.handshake(stream).await.unwrap();
                    while let Some(Ok((_, respond))) = connection.accept().await {
                        arrived.send((number, respond)).await.unwrap();
                    }
                });
            }
        });
        let gateway = Gateway::http2(address);
        let mut client = http2::client(gateway.address).await;
        let mut send = || {
            let head = http2::request("GET", "/").body(()).unwrap();
            client.send_request(head, true).unwrap().0
        };
        // The first one is answered, so that the proxy knows the upstream's limit.
        let first = send();
        let (number, mut respond) = arrivals.recv().await.unwrap();
        assert_eq!(number, 0);
        answer(&mut respond, String::new());
        first.await.unwrap();

        let waiting: Vec<_> = (0..3).map(|_| send()).collect();
        let mut responds = Vec::new();
        for _ in 0..3 {
            responds.push(arrivals.recv().await.unwrap());
        }
        let mut numbers: Vec<i32> = responds.iter().map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 0, 1]);
        for (_, respond) in &mut responds {
            answer(respond, String::new());
        }
        for response in waiting {
            assert_eq!(response.await.unwrap().status(), 200);
        }
    });
}

#[test]
fn a_request_that_the_client_gives_up_is_given_up_upstream_at_once() {
    http2::run(async {
        for answered in [false, true] {
            let (told, mut resets) = mpsc::channel(16);
            let told = RefCell::new(Some(told));
            let address = upstream::http2(move |_, mut connection: Served| {
                let told = told.borrow_mut().take().expect("one connection");
                async move {
                    let (_, mut respond) = connection.accept().await.unwrap().unwrap();
                    let stream = answered.then(|| {
                        let mut send = respond.send_response(http::Response::new(()), false).unwrap();
                        send.send_data("part".into(), false).unwrap();
                        send
                    });
                    tokio::task::spawn_local(async move {
                        let reason = match stream {
                            Some(mut send) => poll_fn(|cx| send.poll_reset(cx)).await,
                            None => poll_fn(|cx| respond.poll_reset(cx)).await,
                        };
                        told.send(reason.unwrap()).await.unwrap();
                    });
                    while let Some(Ok(_)) = connection.accept().await {}
                }
            })
            .await;
            let gateway = Gateway::http2(address);
            let mut client = http2::client(gateway.address).await;
            let head = http2::request("GET", "/").body(()).unwrap();
            let (response, mut send) = client.send_request(head, false).unwrap();
            if answered {
                let mut body = response.await.unwrap().into_body();
                assert_eq!(body.data().await.unwrap().unwrap(), "part");
            }
            send.send_reset(Reason::CANCEL);
            assert_eq!(resets.recv().await, Some(Reason::CANCEL), "answered: {answered}");
        }
    });
}

#[test]
fn a_request_that_the_client_gives_up_closes_its_connection_to_an_http1_upstream() {
    let upstream = upstream::http1(b"");
    let gateway = Gateway::http1(upstream.address);
    http2::run(async move {
        let mut client = http2::client(gateway.address).await;
        let head = http2::request("GET", "/").body(()).unwrap();
        let (_response, mut send) = client.send_request(head, true).unwrap();
        // The client's frames leave while the connection's task runs, so the waits must not block it.
        let upstream = tokio::task::spawn_blocking(move || {
            upstream.requests.recv().unwrap();
            upstream
        });
        let upstream = upstream.await.unwrap();
        send.send_reset(Reason::CANCEL);
        assert!(tokio::task::spawn_blocking(move || upstream.ended.recv()).await.unwrap().is_ok());
    });
}
