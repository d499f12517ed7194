//! One file over HTTPS, with a progress bar and a limit on every wait.

use std::io::Read;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::CorpusError;
use crate::output;

/// Where the tutorial gets its text.
pub const TINYSHAKESPEARE_URL: &str =
    "https://raw.githubusercontent.com/dmlc/web-data/master/mxnet/tinyshakespeare/input.txt";

/// No corpus is larger; more can only be something else.
const MAX_BYTES: u64 = 64 << 20;

const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(120);

/// The bytes behind `url`.
pub fn get(url: &str) -> Result<Vec<u8>, CorpusError> {
    let host = url.split('/').nth(2).unwrap_or(url);
    let failed =
        |reason: String| CorpusError::Fetch(format!("{host} cannot be reached ({reason})"));
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_send_request(Some(CONNECT))
        .timeout_recv_response(Some(CONNECT))
        .timeout_global(Some(WHOLE))
        .build()
        .into();
    let response = agent
        .get(url)
        .call()
        .map_err(|error| failed(error.to_string()))?;
    let body = response.into_body();
    let bar = body
        .content_length()
        .map_or_else(ProgressBar::no_length, ProgressBar::new);
    let bar = output::bar(bar);
    if let Ok(style) =
        ProgressStyle::with_template("{msg} {wide_bar} {bytes} of {total_bytes}, {eta} left")
    {
        bar.set_style(style);
    }
    bar.set_message("downloading");
    let mut bytes = Vec::new();
    bar.wrap_read(body.into_reader().take(MAX_BYTES))
        .read_to_end(&mut bytes)
        .map_err(|error| failed(error.to_string()))?;
    bar.finish_and_clear();
    Ok(bytes)
}
