//! A function that answers a request, as what carries gRPC wants it.

use std::pin::Pin;
use std::task::{Context, Poll};

use tonic::{Request, Response, Status};
use tower_service::Service;

/// A service of one call.
pub(super) struct Call<F>(pub F);

impl<F, Answering, In, Out> Service<Request<In>> for Call<F>
where
    F: FnMut(Request<In>) -> Answering,
    Answering: Future<Output = Result<Out, Status>> + Send + 'static,
{
    type Response = Response<Out>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Out>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        let answering = (self.0)(request);
        Box::pin(async move { answering.await.map(Response::new) })
    }
}
