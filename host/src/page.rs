//! Serves the page on this machine: its files as they were built, and the models of `weights/`.
//!
//! Nothing but reading, nothing but what is below these two folders, and nobody but browsers of this
//! machine. Any web host does the same with the folder as it is.

use std::fs;
use std::io::Cursor;
use std::net::Ipv4Addr;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

use crate::{image, note, paths};

/// What the page may do: nothing beyond its own files.
pub const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; \
     connect-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'";

/// The list of models, among them.
pub const MODELS: &str = "models/models.json";

/// Where the page is taken from.
#[derive(Debug, Clone)]
pub struct Folders {
    /// What `cargo xtask page` built.
    pub page: PathBuf,
    /// Models, in place of those that the page brings.
    pub models: PathBuf,
}

/// A model that the page offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offered {
    /// The name of its file, without `.img`.
    pub name: String,
    /// How large it is.
    pub bytes: usize,
    /// Which one it is exactly.
    pub checksum: String,
}

impl Folders {
    /// A page in `folder`, if one is named; else that of the project, or what lies beside this program.
    #[must_use]
    pub fn find(folder: Option<&Path>) -> Option<Self> {
        let built = paths::project_dir().join("dist/page");
        let beside = std::env::current_exe().ok();
        let beside = beside.and_then(|program| Some(program.parent()?.join("page")));
        let folders = match folder {
            Some(folder) => vec![folder.to_path_buf()],
            None => [Some(built), beside].into_iter().flatten().collect(),
        };
        let page = folders
            .into_iter()
            .find(|folder| folder.join("index.html").is_file())?;
        Some(Self {
            page,
            models: paths::weights_dir(),
        })
    }

    /// The answer to a request for a path, which begins with a slash.
    #[must_use]
    pub fn answer(&self, path: &str) -> Option<(Vec<u8>, &'static str)> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let path = path.strip_prefix('/')?;
        let path = match path {
            "" => "index.html",
            path => path,
        };
        let kind = kind(Path::new(path))?;
        // Whatever else a path can say leads out of the folder.
        let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        if path.contains(['\\', '%', ':']) || !Path::new(path).components().all(is_plain) {
            return None;
        }
        let model = path.strip_prefix("models/");
        let bytes = match model.and_then(|name| self.model(name)) {
            Some(answer) => answer?,
            None => fs::read(self.page.join(path)).ok()?,
        };
        Some((bytes, kind))
    }

    /// The list of models of one's own, or one of them; nothing where there are none.
    fn model(&self, name: &str) -> Option<Option<Vec<u8>>> {
        let own = offered(&self.models);
        if own.is_empty() {
            return None;
        }
        if name == "models.json" {
            return Some(serde_json::to_vec(&own).ok());
        }
        let is_named = |model: &Offered| format!("{}.img", model.name) == name;
        let is_own = own.iter().any(is_named);
        Some(
            is_own
                .then(|| fs::read(self.models.join(name)).ok())
                .flatten(),
        )
    }
}

/// The models in a folder, by their names; what is no model is left out.
#[must_use]
pub fn offered(folder: &Path) -> Vec<Offered> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut models: Vec<Offered> = files
        .filter_map(|entry| {
            let path = entry.path();
            let name = path.file_stem()?.to_str()?.to_owned();
            let image = (path.extension()? == "img")
                .then(|| image::open(&path))?
                .ok()?;
            Some(Offered {
                name,
                bytes: image.bytes().len(),
                checksum: format!("{:08x}", image.model().ok()?.checksum()),
            })
        })
        .collect();
    models.sort_by(|a, b| a.name.cmp(&b.name));
    models
}

/// The MIME type of a file that the page may consist of.
fn kind(path: &Path) -> Option<&'static str> {
    Some(match path.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "wasm" => "application/wasm",
        "img" | "uf2" | "bin" | "elf" => "application/octet-stream",
        "hex" | "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

/// A server for browsers of this machine.
pub struct Host {
    server: Server,
    folders: Folders,
}

impl Host {
    /// Listens at a port, or at any with 0.
    ///
    /// # Errors
    /// When somebody else does.
    pub fn start(folders: Folders, port: u16) -> std::io::Result<Self> {
        let server = Server::http((Ipv4Addr::LOCALHOST, port)).map_err(std::io::Error::other)?;
        Ok(Self { server, folders })
    }

    /// The page's address.
    #[must_use]
    pub fn address(&self) -> String {
        let port = self.server.server_addr().to_ip().map_or(0, |ip| ip.port());
        format!("http://localhost:{port}/")
    }

    /// Answers until the program ends.
    pub fn serve(&self) {
        for request in self.server.incoming_requests() {
            self.respond(request);
        }
    }

    fn respond(&self, request: Request) {
        let is_read = matches!(request.method(), Method::Get | Method::Head);
        let found = match is_read && is_for_this_machine(&request) {
            true => self.folders.answer(request.url()),
            false => None,
        };
        let (status, bytes, kind) = match found {
            Some((bytes, kind)) => (200, bytes, kind),
            None => (404, b"there is nothing here\n".to_vec(), "text/plain"),
        };
        let mut response = Response::from_data(bytes).with_status_code(StatusCode(status));
        for header in headers(kind) {
            response.add_header(header);
        }
        send(request, response);
    }
}

fn send(request: Request, response: Response<Cursor<Vec<u8>>>) {
    // A browser that has gone away needs no answer.
    let path = request.url().to_owned();
    if let Err(error) = request.respond(response)
        && !matches!(
            error.kind(),
            std::io::ErrorKind::BrokenPipe
                | std::io::ErrorKind::ConnectionReset
                | std::io::ErrorKind::ConnectionAborted
        )
    {
        note!("{path} was not sent: {error}");
    }
}

/// A page of somebody else may have found a name of its own for this machine.
fn is_for_this_machine(request: &Request) -> bool {
    let host = request
        .headers()
        .iter()
        .find(|header| header.field.equiv("Host"));
    let host = host.map_or("", |header| header.value.as_str());
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    ["localhost", "127.0.0.1"].contains(&name)
}

fn headers(kind: &str) -> Vec<Header> {
    let policy = format!("{POLICY}; frame-ancestors 'none'");
    [
        ("Content-Type", kind),
        ("Content-Security-Policy", &policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cache-Control", "no-cache"),
    ]
    .into_iter()
    .filter_map(|(name, value)| Header::from_bytes(name, value).ok())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders() -> (tempfile::TempDir, Folders) {
        let dir = tempfile::tempdir().unwrap();
        let [page, models] = ["page", "weights"].map(|name| dir.path().join(name));
        fs::create_dir_all(page.join("models")).unwrap();
        fs::create_dir_all(&models).unwrap();
        for name in [
            "index.html",
            "main.js",
            "engine.wasm",
            "notes.md",
            "models/models.json",
        ] {
            fs::write(page.join(name), name).unwrap();
        }
        fs::write(dir.path().join("secret.txt"), "secret").unwrap();
        (dir, Folders { page, models })
    }

    #[test]
    fn files_of_the_page_come_with_their_types() {
        let (_dir, folders) = folders();
        for (path, content, kind) in [
            ("/", "index.html", "text/html; charset=utf-8"),
            ("/main.js?v=1", "main.js", "text/javascript; charset=utf-8"),
            ("/engine.wasm", "engine.wasm", "application/wasm"),
            (
                "/models/models.json",
                "models/models.json",
                "application/json",
            ),
        ] {
            let answer = folders.answer(path);
            assert_eq!(answer, Some((content.into(), kind)), "{path}");
        }
    }

    #[test]
    fn nothing_else_is_served() {
        let (_dir, folders) = folders();
        for path in [
            "/../secret.txt",
            "/models/../../secret.txt",
            "//etc/passwd.txt",
            "/%2e%2e/secret.txt",
            "/..\\secret.txt",
            "/C:/secret.txt",
            "/./index.html",
            "/notes.md",
            "/models",
            "/missing.js",
            "secret.txt",
            "",
        ] {
            assert_eq!(folders.answer(path), None, "{path}");
        }
    }

    #[test]
    fn own_models_take_the_place_of_those_that_the_page_brings() {
        let (_dir, folders) = folders();
        let image = inkling_engine::writer::made_up(9, 10, 1, 1);
        fs::write(folders.models.join("mine.img"), image.bytes()).unwrap();
        fs::write(folders.models.join("broken.img"), &image.bytes()[1..]).unwrap();
        let (list, _) = folders.answer("/models/models.json").unwrap();
        let list: serde_json::Value = serde_json::from_slice(&list).unwrap();
        assert_eq!(list.as_array().map(Vec::len), Some(1));
        assert_eq!(list[0]["name"], "mine");
        assert_eq!(list[0]["bytes"], image.bytes().len());
        let (bytes, _) = folders.answer("/models/mine.img").unwrap();
        assert_eq!(bytes, image.bytes());
        assert_eq!(folders.answer("/models/broken.img"), None);
    }
}
