//! One call to the control plane, over the connection that there is.

use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use crate::config::Wire;

/// Asks, showing the token where there is one.
///
/// # Errors
/// What the control plane says, or that it cannot be reached.
pub(crate) async fn call<Asked, Answer>(
    caller: &mut Grpc<Wire>,
    bearer: Option<&MetadataValue<Ascii>>,
    path: &'static str,
    asked: Asked,
) -> Result<Answer, Status>
where
    Asked: prost::Message + 'static,
    Answer: prost::Message + Default + 'static,
{
    let mut request = Request::new(asked);
    if let Some(bearer) = bearer {
        request.metadata_mut().insert("authorization", bearer.clone());
    }
    caller.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = http::uri::PathAndQuery::from_static(path);
    let codec: ProstCodec<Asked, Answer> = ProstCodec::default();
    Ok(caller.unary(request, path, codec).await?.into_inner())
}
