//! Asking a control plane: one method a verb of its API.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::TokioExecutor;
use rustls_pki_types::ServerName;
use serde_json::{Value, json};

use crate::address::Collection;
use crate::connect::Connector;
use crate::error::Error;
use crate::kubeconfig::{Credentials, Endpoint};
use crate::lines::Lines;
use crate::object::Object;
use crate::options::{ApplyOptions, DeleteOptions, ListOptions, Listed, Patch, Query, WriteOptions};
use crate::status::Status;
use crate::watch::Watch;
use crate::{answer, tls};

/// Longest wait for an answer. Watches are no answers; they may be silent for as long as nothing happens.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Objects asked for at once.
const PAGE_OBJECTS: u32 = 500;
/// Most pages of one list. Past it the server is not making sense.
const PAGES_MAX: usize = 10_000;

const JSON: &str = "application/json";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const APPLY: &str = "application/apply-patch+yaml";

/// Speaks to one control plane. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    endpoint: Arc<Endpoint>,
    pool: Pool<Connector, Full<Bytes>>,
    authorization: Option<HeaderValue>,
}

/// What is asked.
struct Question<'q> {
    method: Method,
    path: &'q str,
    accept: &'q str,
    body: Option<(&'q str, &'q Value)>,
}

impl<'q> Question<'q> {
    fn get(path: &'q str) -> Question<'q> {
        Question { method: Method::GET, path, accept: JSON, body: None }
    }
}

impl Client {
    /// A client for an endpoint. Nothing is connected yet.
    ///
    /// # Errors
    /// When certificates or names in the endpoint cannot be used.
    pub fn new(endpoint: Endpoint) -> Result<Client, Error> {
        let unusable = |what: &str| {
            Error::config(format!("{what} of {} cannot be used", endpoint.server), "mend the kubeconfig")
        };
        let uri: Uri = endpoint.server.parse().map_err(|_| unusable("the address"))?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = endpoint.server_name.clone().unwrap_or(host);
        let server_name = ServerName::try_from(name).map_err(|_| unusable("the server name"))?;
        let tls = if endpoint.is_tls() { Some(tls::config(&endpoint)?) } else { None };
        let authorization = match &endpoint.credentials {
            Credentials::Token(token) => {
                let mut value =
                    HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| unusable("the token"))?;
                value.set_sensitive(true);
                Some(value)
            }
            Credentials::Certificate { .. } | Credentials::None => None,
        };
        let pool = Pool::builder(TokioExecutor::new()).build(Connector { tls, server_name });
        Ok(Client { endpoint: Arc::new(endpoint), pool, authorization })
    }

    /// The control plane it speaks to.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks for any document, such as `/version`.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub async fn document(&self, path: &str) -> Result<Value, Error> {
        self.ask(Question::get(path)).await
    }

    /// Asks for any batch of documents, such as events.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub async fn documents(&self, path: &str) -> Result<Vec<Value>, Error> {
        self.ask_for(Question::get(path), answer::array).await
    }

    /// Posts a document to any path that takes one, and takes the answer.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub async fn post(&self, path: &str, document: &Value) -> Result<Value, Error> {
        let body = Some((JSON, document));
        self.ask(Question { method: Method::POST, path, accept: JSON, body }).await
    }

    /// Every object of a collection, page by page.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub async fn list(&self, collection: &Collection, options: &ListOptions) -> Result<Listed, Error> {
        let (path, limit) = (collection.path(), PAGE_OBJECTS.to_string());
        let mut objects = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let query = Query::list(options).with("limit", Some(&limit)).with("continue", next.as_deref());
            let mut page = match self.ask(Question::get(&query.after(&path))).await {
                // What was to be continued is no longer known: begin again, as one page however long it is.
                Err(Error::Status(status)) if status.is_gone() && next.is_some() => {
                    objects.clear();
                    self.ask(Question::get(&Query::list(options).after(&path))).await?
                }
                answered => answered?,
            };
            let items = page.get_mut("items").map(Value::take);
            let Some(Value::Array(items)) = items else {
                return Err(Error::answer(format!("{path} is no list")));
            };
            objects.extend(items.into_iter().map(|item| with_kind(item, collection)));
            next = page["metadata"]["continue"].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
            if next.is_none() {
                let resource_version =
                    page["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
                return Ok(Listed { objects, resource_version });
            }
        }
        Err(Error::answer(format!("{path} has no end")))
    }

    /// A collection as the `Table` that the server would show.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub async fn table(&self, collection: &Collection, options: &ListOptions) -> Result<Value, Error> {
        let path = Query::list(options).after(&collection.path());
        self.ask(Question { accept: TABLE, ..Question::get(&path) }).await
    }

    /// One object as a `Table`.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub async fn table_of(&self, collection: &Collection, name: &str) -> Result<Value, Error> {
        self.ask(Question { accept: TABLE, ..Question::get(&collection.object_path(name)) }).await
    }

    /// One object.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal; that it does not exist is one.
    pub async fn get(&self, collection: &Collection, name: &str) -> Result<Object, Error> {
        let answer = self.ask(Question::get(&collection.object_path(name))).await?;
        Ok(with_kind(answer, collection))
    }

    /// Makes a new object.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal; that there is one already is one.
    pub async fn create(
        &self,
        collection: &Collection,
        object: &Value,
        options: WriteOptions,
    ) -> Result<Object, Error> {
        let path = Query::default()
            .dry_run(options.dry_run)
            .with("fieldManager", Some(crate::FIELD_MANAGER))
            .after(&collection.path());
        self.write(collection, Method::POST, &path, (JSON, object)).await
    }

    /// Applies an object with server-side apply: its fields become ours, all others stay whose they are.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal; that others own fields is one, unless `force` is set.
    pub async fn apply(
        &self,
        collection: &Collection,
        name: &str,
        object: &Value,
        options: &ApplyOptions,
    ) -> Result<Object, Error> {
        let path = Query::default()
            .dry_run(options.dry_run)
            .with("fieldManager", Some(&options.manager))
            .with("force", options.force.then_some("true"))
            .after(&collection.object_path(name));
        self.write(collection, Method::PATCH, &path, (APPLY, object)).await
    }

    /// Replaces an object. With its `resourceVersion` in it, nobody else's change is lost.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal; that it was changed meanwhile is one.
    pub async fn replace(
        &self,
        collection: &Collection,
        name: &str,
        object: &Value,
        options: WriteOptions,
    ) -> Result<Object, Error> {
        let path = Query::default()
            .dry_run(options.dry_run)
            .with("fieldManager", Some(crate::FIELD_MANAGER))
            .after(&collection.object_path(name));
        self.write(collection, Method::PUT, &path, (JSON, object)).await
    }

    /// Changes parts of an object.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub async fn patch(
        &self,
        collection: &Collection,
        name: &str,
        patch: &Patch,
        options: WriteOptions,
    ) -> Result<Object, Error> {
        let path = Query::default()
            .dry_run(options.dry_run)
            .with("fieldManager", Some(crate::FIELD_MANAGER))
            .after(&collection.object_path(name));
        self.write(collection, Method::PATCH, &path, (patch.media_type(), patch.body())).await
    }

    /// Changes parts of the status of an object, which takes a right of its own.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub async fn patch_status(
        &self,
        collection: &Collection,
        name: &str,
        patch: &Patch,
    ) -> Result<Object, Error> {
        let path = Query::default()
            .with("fieldManager", Some(crate::FIELD_MANAGER))
            .after(&format!("{}/status", collection.object_path(name)));
        self.write(collection, Method::PATCH, &path, (patch.media_type(), patch.body())).await
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub async fn delete(
        &self,
        collection: &Collection,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(), Error> {
        let mut body = json!({ "apiVersion": "v1", "kind": "DeleteOptions" });
        if options.dry_run {
            body["dryRun"] = json!(["All"]);
        }
        if let Some(uid) = &options.uid {
            body["preconditions"] = json!({ "uid": uid });
        }
        let path = collection.object_path(name);
        let body = Some((JSON, &body));
        self.ask(Question { method: Method::DELETE, path: &path, accept: JSON, body }).await?;
        Ok(())
    }

    /// Follows a collection from a revision on.
    #[must_use]
    pub fn watch(&self, collection: Collection, options: ListOptions, from: &str) -> Watch {
        Watch::new(self.clone(), collection, options, from)
    }

    async fn write(
        &self,
        collection: &Collection,
        method: Method,
        path: &str,
        body: (&str, &Value),
    ) -> Result<Object, Error> {
        let answer = self.ask(Question { method, path, accept: JSON, body: Some(body) }).await?;
        Ok(with_kind(answer, collection))
    }

    async fn ask(&self, question: Question<'_>) -> Result<Value, Error> {
        self.ask_for(question, answer::json).await
    }

    async fn ask_for<T>(
        &self,
        question: Question<'_>,
        read: impl FnOnce(&[u8]) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let answered = async {
            let response = self.send(question).await?;
            read(&answer::whole(&self.endpoint.server, response.into_body()).await?)
        };
        let timeout = || Error::timeout(&self.endpoint.server, ANSWER_TIMEOUT.as_secs());
        tokio::time::timeout(ANSWER_TIMEOUT, answered).await.unwrap_or_else(|_| Err(timeout()))
    }

    /// The head of the answer, when it is no refusal.
    async fn send(&self, question: Question<'_>) -> Result<Response<Incoming>, Error> {
        let Question { method, path, accept, body } = question;
        let server = &self.endpoint.server;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{server}{path}"))
            .header(ACCEPT, accept)
            .header(USER_AGENT, concat!("selvedge/", env!("CARGO_PKG_VERSION")));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let bytes = match body {
            Some((media_type, value)) => {
                request = request.header(CONTENT_TYPE, media_type);
                Bytes::from(value.to_string())
            }
            None => Bytes::new(),
        };
        let request =
            request.body(Full::new(bytes)).map_err(|fault| Error::answer(format!("{path}: {fault}")))?;
        let response =
            self.pool.request(request).await.map_err(|error| Error::unreachable(server, &error))?;
        let code = response.status();
        if code.is_success() {
            return Ok(response);
        }
        let body = answer::whole(server, response.into_body()).await?;
        Err(Error::Status(Box::new(Status::read(code, &body))))
    }

    /// An answer that goes on for as long as either side wants, a line at a time.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn lines(&self, path: &str) -> Result<Lines, Error> {
        let server = &self.endpoint.server;
        let timeout = || Error::timeout(server, ANSWER_TIMEOUT.as_secs());
        let head = tokio::time::timeout(ANSWER_TIMEOUT, self.send(Question::get(path)));
        let response = head.await.unwrap_or_else(|_| Err(timeout()))?;
        Ok(Lines::new(server, response.into_body()))
    }

    /// The body of a watch that goes on from a revision.
    pub(crate) async fn follow(
        &self,
        collection: &Collection,
        options: &ListOptions,
        from: &str,
    ) -> Result<Incoming, Error> {
        let query = Query::list(options)
            .with("watch", Some("true"))
            .with("allowWatchBookmarks", Some("true"))
            .with("resourceVersion", Some(from));
        let path = query.after(&collection.path());
        let timeout = || Error::timeout(&self.endpoint.server, ANSWER_TIMEOUT.as_secs());
        let head = tokio::time::timeout(ANSWER_TIMEOUT, self.send(Question::get(&path)));
        head.await.unwrap_or_else(|_| Err(timeout())).map(Response::into_body)
    }
}

/// Lists leave the kind out of their items; an object without one cannot be shown or stored.
pub(crate) fn with_kind(mut value: Value, collection: &Collection) -> Object {
    if let Value::Object(map) = &mut value
        && !map.contains_key("kind")
    {
        map.shift_insert(0, "apiVersion".to_owned(), collection.kind.api_version().into());
        map.shift_insert(1, "kind".to_owned(), collection.kind.kind.as_ref().into());
    }
    Object(value)
}
