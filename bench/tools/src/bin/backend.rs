//! The upstream of every HTTP/1 workload: one thread, one epoll set, answers made in advance.
//!
//! `backend ADDRESS`. The path chooses the answer: one with `100k` gets 100 KiB, one with `chunked` four chunks of
//! 1 KiB, anything else 1 KiB. Request bodies are read and dropped. A request costs one read and one write, so
//! that the core it shares with the load generator is not the bottleneck.

use bench_tools::message;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;

/// The listener's mark in the epoll set; connections are marked with their slot.
const LISTENER: u64 = u64::MAX;
/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

struct Answers {
    small: Vec<u8>,
    large: Vec<u8>,
    chunked: Vec<u8>,
}

struct Connection {
    socket: TcpStream,
    /// Request bytes that have arrived and are not yet a whole request.
    waiting: Vec<u8>,
    /// Answer bytes that the socket did not take.
    unsent: Vec<u8>,
    /// Whether the epoll set watches for room to send instead of for requests.
    waits_for_room: bool,
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).ok_or_else(|| io::Error::other("usage: backend ADDRESS"))?;
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let set = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&set, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;

    let answers = answers();
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut events = Vec::with_capacity(512);
    loop {
        events.clear();
        match epoll::wait(&set, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(problem) => return Err(problem.into()),
        }
        for event in &events {
            let mark = event.data.u64();
            if mark == LISTENER {
                accept(&listener, &set, &mut connections, &mut free)?;
                continue;
            }
            let slot = mark as usize;
            let Some(connection) = connections[slot].as_mut() else { continue };
            if serve(connection, &set, slot, &answers, &mut buffer).is_err() {
                connections[slot] = None; // Closing the socket takes it out of the set.
                free.push(slot);
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    set: &OwnedFd,
    connections: &mut Vec<Option<Connection>>,
    free: &mut Vec<usize>,
) -> io::Result<()> {
    loop {
        let socket = match listener.accept() {
            Ok((socket, _)) => socket,
            Err(problem) if problem.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(problem) if problem.kind() == ErrorKind::ConnectionAborted => continue,
            Err(problem) => return Err(problem),
        };
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let slot = free.pop().unwrap_or_else(|| {
            connections.push(None);
            connections.len() - 1
        });
        epoll::add(set, &socket, EventData::new_u64(slot as u64), EventFlags::IN)?;
        connections[slot] =
            Some(Connection { socket, waiting: Vec::new(), unsent: Vec::new(), waits_for_room: false });
    }
}

/// One event of one connection. An error means that it is over.
fn serve(
    connection: &mut Connection,
    set: &OwnedFd,
    slot: usize,
    answers: &Answers,
    buffer: &mut [u8],
) -> io::Result<()> {
    if !connection.unsent.is_empty() {
        let unsent = std::mem::take(&mut connection.unsent);
        return connection.send(&unsent, set, slot);
    }
    let count = match connection.socket.read(buffer) {
        Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
        Ok(count) => count,
        Err(problem) if problem.kind() == ErrorKind::WouldBlock => return Ok(()),
        Err(problem) => return Err(problem),
    };
    let received = &buffer[..count];
    if connection.waiting.is_empty() && message(received) == Some(count) {
        return connection.send(answers.choose(received), set, slot); // The usual case: nothing is copied.
    }
    connection.waiting.extend_from_slice(received);
    while let Some(length) = message(&connection.waiting) {
        let answer = answers.choose(&connection.waiting);
        connection.waiting.drain(..length);
        connection.send(answer, set, slot)?;
    }
    Ok(())
}

impl Connection {
    /// Sends what the socket takes and waits for room with the rest.
    fn send(&mut self, bytes: &[u8], set: &OwnedFd, slot: usize) -> io::Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let sent = match self.socket.write(bytes) {
            Ok(sent) => sent,
            Err(problem) if problem.kind() == ErrorKind::WouldBlock => 0,
            Err(problem) => return Err(problem),
        };
        self.unsent.extend_from_slice(&bytes[sent..]);
        let waits = !self.unsent.is_empty();
        if waits != self.waits_for_room {
            let wanted = if waits { EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(set, &self.socket, EventData::new_u64(slot as u64), wanted)?;
            self.waits_for_room = waits;
        }
        Ok(())
    }
}

impl Answers {
    fn choose(&self, request: &[u8]) -> &[u8] {
        let line = &request[..memchr::memchr(b'\r', request).unwrap_or(request.len())];
        if memchr::memmem::find(line, b"100k").is_some() {
            &self.large
        } else if memchr::memmem::find(line, b"chunked").is_some() {
            &self.chunked
        } else {
            &self.small
        }
    }
}

fn answers() -> Answers {
    let mut chunked =
        b"HTTP/1.1 200 OK\r\nServer: backend\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..4 {
        chunked.extend_from_slice(b"400\r\n");
        chunked.resize(chunked.len() + 1024, b'c');
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    Answers { small: answer(1024), large: answer(100 * 1024), chunked }
}

/// An answer with the fields an ordinary application sends.
fn answer(length: usize) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\nServer: backend\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {length}\r\nCache-Control: no-cache\r\n\
         ETag: \"9c4e-62b81f03a7d5\"\r\nVary: Accept-Encoding\r\nX-Instance: a1\r\n\r\n"
    )
    .into_bytes();
    bytes.resize(bytes.len() + length, b'x');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_one_whole_message() {
        let answers = answers();

        for answer in [&answers.small, &answers.large, &answers.chunked] {
            assert_eq!(message(answer), Some(answer.len()));
        }
    }

    #[test]
    fn the_request_line_chooses_the_answer_and_a_header_does_not() {
        let answers = answers();

        assert_eq!(answers.choose(b"GET /100k HTTP/1.1\r\n\r\n"), answers.large);
        assert_eq!(answers.choose(b"GET / HTTP/1.1\r\nx: 100k\r\n\r\n"), answers.small);
    }
}
