//! A9: what happens when one side waits, answers early, or ignores a body.

use crate::stage::{HOST, SMUGGLED, Stage, post};
use tests::broken::Broken;
use tests::gate::Gate;
use tests::recorded::Recorded;
use tests::script::{self, Script, Step};

#[tokio::test]
async fn a_client_that_expects_100_continue_gets_it_before_it_sends_the_body() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;

    client.send(post("Expect: 100-continue\r\nContent-Length: 5\r\n", "")).await;
    let (interim, _) = client.try_head("POST").await.expect("an interim answer");
    assert_eq!(interim.status, 100);
    client.send("hello").await;

    assert_eq!(client.answer_to("POST").await.text(), "POST /attack");
    assert_eq!(stage.upstream.last().body, b"hello");
}

#[tokio::test]
async fn the_expectation_is_read_in_any_case() {
    for spelling in ["100-Continue", "100-CONTINUE"] {
        let stage = Stage::new().await;
        let mut client = stage.client().await;
        client.send(post(&format!("Expect: {spelling}\r\nContent-Length: 5\r\n"), "")).await;
        let (interim, _) = client.try_head("POST").await.expect("an interim answer");
        assert_eq!(interim.status, 100, "{spelling}");
        client.send("hello").await;
        assert_eq!(client.answer_to("POST").await.status, 200, "{spelling}");
    }
}

#[tokio::test]
async fn any_other_expectation_is_refused() {
    let stage = Stage::new().await;
    let mut broken = Broken::new();
    for value in
        ["200-ok", "100-continue, 100-continue", "100-continue;q=1", "100 continue", "", "y100-continue"]
    {
        let bytes = post(&format!("Expect: {value}\r\nContent-Length: 5\r\n"), "hello");
        broken.note(value, stage.refuses(bytes, "417 bad_expectation").await);
    }
    broken.none();
}

#[tokio::test]
async fn an_expectation_without_a_body_delays_nothing() {
    let stage = Stage::new().await;

    let answer = stage.get("/no-body", "Expect: 100-continue\r\n").await;

    assert_eq!((answer.status, answer.text().as_str()), (200, "GET /no-body"));
}

#[tokio::test]
async fn a_get_with_a_body_is_framed_as_sent() {
    let stage = Stage::new().await;
    let bytes =
        format!("GET /with-body HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\n\r\nhello{SMUGGLED}");
    let mut client = stage.client().await;

    client.send(bytes).await;

    assert_eq!(client.answer().await.text(), "GET /with-body");
    assert_eq!(client.answer().await.text(), "GET /smuggled");
    assert_eq!(stage.upstream.requests()[0].body, b"hello");
    assert_eq!(stage.upstream.exact(), Ok(()));
}

/// Answers before the body came, and takes the rest of the body for a request of its own.
fn careless(_: &Recorded) -> Script {
    vec![Step::Send(script::response("200 OK", &[], b"early")), Step::ForgetBody]
}

#[tokio::test]
async fn a_connection_whose_upstream_answered_before_the_body_ended_is_not_used_again() {
    for lines in
        [format!("Content-Length: {}\r\n", SMUGGLED.len()), "Transfer-Encoding: chunked\r\n".to_owned()]
    {
        let stage = Stage::attacked_by(careless).await;
        let mut client = stage.client().await;

        client.send(post(&lines, "")).await;
        let early = client.answer_to("POST").await;
        client.send(SMUGGLED).await;

        assert_eq!(early.text(), "early");
        assert_eq!(stage.bystander().await, Ok(()), "{lines}");
        let requests = stage.upstream.requests();
        let (attack, victim) = (&requests[0], requests.last().expect("the bystander's"));
        assert_ne!(attack.connection, victim.connection, "the connection was pooled ({lines})");
    }
}

#[tokio::test]
async fn the_rest_of_a_body_that_was_answered_early_is_not_the_next_request() {
    let early = |_: &Recorded| vec![Step::Send(script::response("403 Forbidden", &[], b"no")), Step::Close];
    let stage = Stage::attacked_by(early).await;
    let mut client = stage.client().await;

    client.send(post(&format!("Content-Length: {}\r\n", SMUGGLED.len() * 2), SMUGGLED)).await;
    let answer = client.answer_to("POST").await;
    client.send(SMUGGLED).await;
    client.send(tests::client::get(HOST, "/after", "")).await;
    let after = client.until_closed_or_answer().await;

    assert_eq!(answer.status, 403);
    assert!(!stage.upstream.lines().contains(&"GET /smuggled".to_owned()));
    if let Some(after) = after {
        assert_eq!(after.text(), "GET /after");
    }
    assert_eq!(stage.bystander().await, Ok(()));
}

#[tokio::test]
async fn a_refused_request_with_a_body_does_not_leave_the_body_behind() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;
    let refused = format!(
        "POST /a/%2e%2e/b HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {}\r\n\r\n{SMUGGLED}",
        SMUGGLED.len()
    );

    client.send(refused).await;

    assert_eq!(client.answer_to("POST").await.status, 400);
    let _ = client.until_closed().await;
    assert_eq!(stage.upstream.lines(), Vec::<String>::new());
    assert_eq!(stage.bystander().await, Ok(()));
}

#[tokio::test]
async fn a_body_that_never_ends_holds_up_nobody_else() {
    let stage = Stage::new().await;
    let mut client = stage.client().await;

    client.send(post("Content-Length: 100\r\n", "half")).await;
    tests::until::eventually("the upstream sees the beginning", || !stage.upstream.requests().is_empty())
        .await;

    assert_eq!(stage.bystander().await, Ok(()));
    drop(client);
    tests::until::eventually("the upstream is told", || {
        let number = stage.upstream.requests()[0].connection;
        stage.upstream.connections()[number].ended
    })
    .await;
    assert!(!stage.upstream.requests()[0].complete);
    assert_eq!(stage.bystander().await, Ok(()));
}

#[tokio::test]
async fn an_upstream_that_pauses_inside_its_answer_keeps_its_connection_to_itself() {
    let gate = Gate::closed();
    let held = gate.clone();
    let stage = Stage::attacked_by(move |_| {
        vec![
            Step::ReadBody,
            Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst".to_vec()),
            Step::Wait(held.clone()),
            Step::Send(b"-last".to_vec()),
        ]
    })
    .await;
    let mut client = stage.client().await;

    client.send(tests::client::get(HOST, "/attack", "")).await;
    let (mut answer, ending) = client.try_head("GET").await.expect("a head before the body is whole");
    assert_eq!(stage.bystander().await, Ok(()));
    gate.open();

    client.rest(&mut answer, ending).await.expect("the rest");
    assert_eq!(answer.text(), "first-last");
}
