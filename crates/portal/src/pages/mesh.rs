//! The page about the mesh: who is in it, who may call whom, and who does.

use askama::Template;

use super::{Frame, Made, page};
use crate::api::Asking;
use crate::facts::mesh::{Call, May, Mesh};
use crate::facts::{self, Lack, Section};
use crate::mesh_picture::MeshPicture;

#[derive(Template)]
#[template(path = "mesh.html")]
struct OneMesh {
    frame: Frame,
    mesh: Option<Mesh>,
    picture: MeshPicture,
    lack: Option<Lack>,
}

/// The mesh, if there is one.
pub async fn mesh(frame: Frame, asking: Asking<'_>) -> Made {
    let Section { items, lack, .. } = Section::read(asking, facts::MESHES, Mesh::of).await?;
    let mesh = items.into_iter().next();
    let picture = mesh.as_ref().map(MeshPicture::of).unwrap_or_default();
    Ok(page(&OneMesh { frame, mesh, picture, lack }))
}

impl OneMesh {
    fn allowed(&self, call: &Call) -> &'static str {
        let words = self.frame.words;
        match call.may {
            May::Nothing => words.mesh_refused,
            May::Some => words.mesh_some,
            May::Everything => words.mesh_everything,
        }
    }
}
