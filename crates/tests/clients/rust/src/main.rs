//! A kube-rs watcher that tells what it sees of ConfigMaps in the namespace `shop`, one line an event, until its
//! standard input ends. `watcher KUBECONFIG [list|stream]`: begins with a list, or with a watch that tells everything.

use std::path::PathBuf;
use std::pin::pin;

use futures_util::TryStreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, InitialListStrategy, watcher};
use kube::{Api, Client, Config, ResourceExt as _};
use tokio::io::AsyncReadExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().expect("a kubeconfig"));
    let begins = match arguments.next().as_deref() {
        Some("stream") => InitialListStrategy::StreamingList,
        _ => InitialListStrategy::ListWatch,
    };
    let kubeconfig = Kubeconfig::read_from(path).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let client = Client::try_from(config.expect("a sound kubeconfig")).expect("a client");
    tokio::select! {
        () = tell(Api::namespaced(client, "shop"), begins) => {}
        () = ended() => {}
    }
}

async fn tell(maps: Api<ConfigMap>, begins: InitialListStrategy) {
    let settings = watcher::Config { initial_list_strategy: begins, ..watcher::Config::default() };
    let mut events = pin!(watcher(maps, settings).default_backoff());
    loop {
        match events.try_next().await {
            Ok(Some(Event::Init)) => println!("begins"),
            Ok(Some(Event::InitApply(object))) => println!("has {}", object.name_any()),
            Ok(Some(Event::InitDone)) => println!("that is all"),
            Ok(Some(Event::Apply(object))) => println!("put {}", object.name_any()),
            Ok(Some(Event::Delete(object))) => println!("deleted {}", object.name_any()),
            Ok(None) => return,
            // The stream mends itself after a while; a control plane that restarts is away for a moment.
            Err(_) => {}
        }
    }
}

async fn ended() {
    let mut rest = Vec::new();
    let _any = tokio::io::stdin().read_to_end(&mut rest).await;
}
