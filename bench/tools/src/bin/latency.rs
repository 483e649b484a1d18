//! Constant-rate load: `latency ADDRESS HOST PATH RATE SECONDS CONNECTIONS`, one line of JSON.
//!
//! A load generator that waits for an answer before it sends the next request stops sending exactly when the
//! proxy is slow, and so hides what it was started to find. Here every request has a time at which it is due,
//! and its latency counts from then, whether a connection was free or not. The first tenth is not counted.

use bench_tools::message;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::time::Timespec;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// After the last request was due, so long may answers take.
const PATIENCE: Duration = Duration::from_secs(10);

struct Plan {
    address: String,
    request: Vec<u8>,
    gap: Duration,
    requests: usize,
    connections: usize,
}

struct Connection {
    socket: TcpStream,
    received: Vec<u8>,
    due: Duration,
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    latencies: Vec<Duration>,
    answered: usize,
    /// Answers that were not 200.
    refused: usize,
    /// Requests whose connection broke.
    broken: usize,
}

fn main() -> io::Result<()> {
    let plan = Plan::read(&std::env::args().skip(1).collect::<Vec<_>>())?;
    let mut outcome = run(&plan)?;
    outcome.latencies.sort_unstable();
    let at = |share: f64| quantile(&outcome.latencies, share).as_secs_f64() * 1e6;
    println!(
        "{{\"requests\":{},\"answered\":{},\"refused\":{},\"broken\":{},\"p50\":{:.1},\"p90\":{:.1},\"p99\":{:.1},\"p999\":{:.1}}}",
        plan.requests,
        outcome.answered,
        outcome.refused,
        outcome.broken,
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999)
    );
    Ok(())
}

impl Plan {
    fn read(words: &[String]) -> io::Result<Plan> {
        let [address, host, path, rate, seconds, connections] = words else {
            return Err(io::Error::other("usage: latency ADDRESS HOST PATH RATE SECONDS CONNECTIONS"));
        };
        let number = |text: &String| {
            text.parse::<f64>().map_err(|_| io::Error::other(format!("`{text}` is no number")))
        };
        let (rate, seconds, connections) = (number(rate)?, number(seconds)?, number(connections)?);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: latency/1\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n"
        );
        Ok(Plan {
            address: address.clone(),
            request: request.into_bytes(),
            gap: Duration::from_secs_f64(1.0 / rate),
            requests: (rate * seconds) as usize,
            connections: connections as usize,
        })
    }

    fn due(&self, request: usize) -> Duration {
        Duration::from_secs_f64(self.gap.as_secs_f64() * request as f64)
    }
}

fn run(plan: &Plan) -> io::Result<Outcome> {
    let set = epoll::create(CreateFlags::CLOEXEC)?;
    let mut connections = Vec::new();
    for slot in 0..plan.connections {
        connections.push(open(plan, &set, slot)?);
    }
    let mut free: Vec<usize> = (0..plan.connections).collect();
    let mut due = VecDeque::new();
    let mut planned = 0;
    let mut outcome = Outcome::default();
    let mut events = Vec::with_capacity(256);
    let start = Instant::now();

    while outcome.answered + outcome.broken < plan.requests
        && start.elapsed() < plan.due(plan.requests) + PATIENCE
    {
        while planned < plan.requests && plan.due(planned) <= start.elapsed() {
            due.push_back(plan.due(planned));
            planned += 1;
        }
        while !due.is_empty() && !free.is_empty() {
            let (Some(slot), Some(at)) = (free.pop(), due.pop_front()) else { break };
            connections[slot].due = at;
            connections[slot].socket.write_all(&plan.request)?;
        }
        let until = if planned < plan.requests {
            plan.due(planned)
        } else {
            start.elapsed() + Duration::from_millis(50)
        };
        let wait = Timespec::try_from(until.saturating_sub(start.elapsed())).map_err(io::Error::other)?;
        events.clear();
        match epoll::wait(&set, rustix::buffer::spare_capacity(&mut events), Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(problem) => return Err(problem.into()),
        }
        for event in &events {
            let slot = event.data.u64() as usize;
            match connections[slot].receive() {
                Ok(false) => continue,
                Ok(true) => outcome.note(&connections[slot], start.elapsed(), plan),
                Err(_) => {
                    // An idle connection that the proxy closed is no failure; one with a request on it is.
                    outcome.broken += usize::from(!free.contains(&slot));
                    free.retain(|other| *other != slot);
                    connections[slot] = open(plan, &set, slot)?;
                }
            }
            connections[slot].received.clear();
            free.push(slot);
        }
    }
    outcome.broken += plan.requests - outcome.answered - outcome.broken;
    Ok(outcome)
}

fn open(plan: &Plan, set: &OwnedFd, slot: usize) -> io::Result<Connection> {
    let socket = TcpStream::connect(&plan.address)?;
    socket.set_nodelay(true)?;
    epoll::add(set, &socket, EventData::new_u64(slot as u64), EventFlags::IN)?;
    Ok(Connection { socket, received: Vec::new(), due: Duration::ZERO })
}

impl Connection {
    /// Whether the answer is complete now.
    fn receive(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 16 * 1024];
        match self.socket.read(&mut buffer)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.received.extend_from_slice(&buffer[..count]);
                Ok(message(&self.received).is_some())
            }
        }
    }
}

impl Outcome {
    fn note(&mut self, connection: &Connection, now: Duration, plan: &Plan) {
        if !connection.received.starts_with(b"HTTP/1.1 200 ") {
            self.refused += 1;
        }
        if self.answered >= plan.requests / 10 {
            self.latencies.push(now.saturating_sub(connection.due));
        }
        self.answered += 1;
    }
}

fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let index = (sorted.len() as f64 * share) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_hundred() {
        let all: Vec<Duration> = (1..=100).map(Duration::from_micros).collect();

        assert_eq!(quantile(&all, 0.5), Duration::from_micros(51));
        assert_eq!(quantile(&all, 0.999), Duration::from_micros(100));
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn requests_are_due_at_a_constant_rate() {
        let words = ["127.0.0.1:1", "a", "/", "1000", "2", "4"].map(str::to_owned);
        let plan = Plan::read(&words).unwrap();

        assert_eq!(plan.requests, 2000);
        assert_eq!(plan.due(1500), Duration::from_millis(1500));
    }
}
