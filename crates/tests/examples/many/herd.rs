//! Simulated proxies in a process of their own, so that memory and time of this one are the control plane's.
//!
//! The child is the same program, with `herd` as its first word: it prints a line for each epoch that a proxy has.

use std::ops::Range;
use std::process::Stdio;

use discovery::{Interest, TokenFile};
use tests::control::Control;
use tests::simulated::Simulated;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// The proxies, as they are seen from here.
pub struct Herd {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    first: usize,
    epochs: Vec<u64>,
}

impl Herd {
    /// Starts the proxies with these numbers.
    pub async fn start(control: &Control, proxies: Range<usize>) -> Herd {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args(["herd", &control.url().to_string(), &proxies.start.to_string(), &proxies.end.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a child");
        // Not among its arguments: it is a secret of sorts.
        let mut stdin = child.stdin.take().expect("stdin is piped");
        stdin.write_all(control.token.to_string().as_bytes()).await.expect("it reads");
        drop(stdin);
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        Herd { _child: child, lines, first: proxies.start, epochs: vec![0; proxies.len()] }
    }

    /// Waits until all of those of these numbers that are here have an epoch.
    pub async fn reach(&mut self, epoch: u64, proxies: impl IntoIterator<Item = usize>) {
        let here = proxies.into_iter().filter_map(|number| number.checked_sub(self.first));
        let mut late: Vec<bool> = vec![false; self.epochs.len()];
        for at in here.filter(|at| *at < self.epochs.len()) {
            late[at] = self.epochs[at] < epoch;
        }
        let mut count = late.iter().filter(|late| **late).count();
        while count > 0 {
            let line = self.lines.next_line().await.expect("a pipe").expect("the herd lives");
            let (proxy, has) = line.split_once(' ').expect("two numbers");
            let at = proxy.parse::<usize>().expect("a number") - self.first;
            self.epochs[at] = has.parse().expect("a number");
            if late[at] && self.epochs[at] >= epoch {
                late[at] = false;
                count -= 1;
            }
        }
    }

    /// Waits until all of them have an epoch.
    pub async fn all_reach(&mut self, epoch: u64) {
        let all = self.first..self.first + self.epochs.len();
        self.reach(epoch, all).await;
    }
}

/// What the child does with the words behind `herd`: it runs its proxies until it is killed.
pub async fn run(words: &[String], interest: impl Fn(usize) -> Interest) {
    let [url, start, end] = words else { panic!("an address, the first number, and one past the last") };
    let number = |word: &str| word.parse::<usize>().expect("a number");
    let token = std::io::read_to_string(std::io::stdin()).expect("a token file");
    let token: TokenFile = token.parse().expect("a token file");
    let mut tasks = tokio::task::JoinSet::new();
    for number in number(start)..number(end) {
        let (url, token) = (url.parse().expect("an address"), token.clone());
        let mut proxy = Simulated::start(&format!("p{number}"), url, token, interest(number));
        tasks.spawn(async move {
            let mut epoch = 0;
            loop {
                proxy.reaches(epoch + 1).await;
                epoch = proxy.seen().epoch;
                println!("{number} {epoch}");
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}
