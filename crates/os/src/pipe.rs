//! Pipes through which the kernel moves bytes from socket to socket, so that they are never copied into this process.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, splice};

/// A pipe and how many bytes are in it.
#[derive(Debug)]
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    capacity: usize,
    held: usize,
}

impl Pipe {
    /// A pipe for about `bytes`. Where the system grants less ([`Pipe::capacity`] tells), the pipe is as it comes: an
    /// unprivileged user may have only so many pages in pipes (`/proc/sys/fs/pipe-user-pages-soft`).
    ///
    /// # Errors
    /// There are no descriptors to be had.
    pub fn new(bytes: usize) -> io::Result<Pipe> {
        let (read, write) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        let capacity = fcntl_setpipe_size(&write, bytes).or_else(|_| fcntl_getpipe_size(&write))?;
        Ok(Pipe { read, write, capacity, held: 0 })
    }

    /// Bytes that fit at most. Small segments take up whole pages, so it may be full before.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes in it.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// Takes what has arrived on a non-blocking socket, as much as fits. `Ok(0)` is the end of the stream.
    ///
    /// Only to be called while nothing is held: what would block is then the socket and never the pipe.
    ///
    /// # Errors
    /// As of a read: nothing has arrived (`WouldBlock`), or the connection is broken.
    pub fn fill(&mut self, from: impl AsFd) -> io::Result<usize> {
        debug_assert_eq!(self.held, 0, "a pipe is filled when it is empty");
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        let count = splice(from, None, &self.write, None, self.capacity, flags)?;
        self.held = count;
        Ok(count)
    }

    /// Gives what is held to a non-blocking socket, as much as that takes.
    ///
    /// # Errors
    /// As of a write: there is no room (`WouldBlock`), or the connection is broken.
    pub fn drain(&mut self, to: impl AsFd) -> io::Result<usize> {
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        let count = splice(&self.read, None, to, None, self.held, flags)?;
        self.held -= count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let near = TcpStream::connect(listener.local_addr().expect("an address")).expect("a client");
        let (far, _) = listener.accept().expect("a connection");
        (near, far)
    }

    #[test]
    fn bytes_come_out_of_the_other_socket_as_they_went_in() {
        let ((mut client, from), (to, mut server)) = (pair(), pair());
        let mut pipe = Pipe::new(256 * 1024).expect("a pipe");
        client.write_all(b"a few bytes").expect("room");

        assert_eq!(pipe.fill(&from).expect("bytes"), 11);
        assert_eq!(pipe.held(), 11);
        assert_eq!(pipe.drain(&to).expect("room"), 11);

        let mut read = [0; 11];
        server.read_exact(&mut read).expect("bytes");
        assert_eq!((&read, pipe.held()), (b"a few bytes", 0));
    }

    #[test]
    fn the_end_of_a_stream_is_no_bytes_and_its_absence_would_block() {
        let (client, from) = pair();
        from.set_nonblocking(true).expect("a socket");
        let mut pipe = Pipe::new(64 * 1024).expect("a pipe");

        assert_eq!(pipe.fill(&from).expect_err("nothing yet").kind(), io::ErrorKind::WouldBlock);
        drop(client);
        // The end has been told to the kernel by the time a blocking read sees it.
        from.set_nonblocking(false).expect("a socket");
        assert_eq!(from.peek(&mut [0]).expect("the end"), 0);
        assert_eq!(pipe.fill(&from).expect("the end"), 0);
    }
}
