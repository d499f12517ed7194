//! One file over HTTPS, with a progress bar and a limit on every wait.

use std::io::Read;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

use super::CorpusError;
use crate::output;

/// Where the tutorial gets its text.
pub const TINYSHAKESPEARE_URL: &str =
    "https://raw.githubusercontent.com/dmlc/web-data/master/mxnet/tinyshakespeare/input.txt";

/// How long it is.
pub const TINYSHAKESPEARE_BYTES: u64 = 1_115_394;

const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(120);

/// The bytes behind `url`, of which there may be so many and no more.
pub fn get(url: &str, most: u64) -> Result<Vec<u8>, CorpusError> {
    get_by(&limited().build().into(), url, most)
}

/// No wait is without an end.
fn limited() -> ConfigBuilder<AgentScope> {
    ureq::Agent::config_builder()
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_send_request(Some(CONNECT))
        .timeout_recv_response(Some(CONNECT))
        .timeout_global(Some(WHOLE))
}

fn get_by(agent: &ureq::Agent, url: &str, most: u64) -> Result<Vec<u8>, CorpusError> {
    let host = url.split('/').nth(2).unwrap_or(url);
    let failed =
        |reason: String| CorpusError::Fetch(format!("{host} cannot be reached ({reason})"));
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
    bar.wrap_read(body.into_reader().take(most + 1))
        .read_to_end(&mut bytes)
        .map_err(|error| failed(error.to_string()))?;
    bar.finish_and_clear();
    if bytes.len() as u64 > most {
        let url = url.to_owned();
        return Err(CorpusError::TooLong { url, most });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What comes of a server that sends so many bytes, or without an end, and tells no length.
    fn sent(bytes: Option<usize>) -> Result<Vec<u8>, CorpusError> {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/text", server.local_addr().unwrap());
        let serving = thread::spawn(move || {
            let (mut client, _) = server.accept().unwrap();
            let request = BufReader::new(client.try_clone().unwrap());
            request
                .lines()
                .find(|line| line.as_ref().unwrap().is_empty());
            client.write_all(b"HTTP/1.0 200 OK\r\n\r\n").unwrap();
            let chunk = [b'x'; 1000];
            let mut left = bytes.unwrap_or(usize::MAX);
            // An endless one ends with the client.
            while left > 0 {
                let Ok(count) = client.write(&chunk[..left.min(chunk.len())]) else {
                    break;
                };
                left -= count;
            }
        });
        let result = get_by(&limited().proxy(None).build().into(), &url, 100_000);
        serving.join().unwrap();
        result
    }

    #[test]
    fn a_download_that_is_too_long_is_ended_and_refused() {
        assert_eq!(sent(Some(100_000)).unwrap().len(), 100_000);
        for bytes in [Some(100_001), None] {
            let error = sent(bytes).unwrap_err();
            assert!(matches!(error, CorpusError::TooLong { .. }), "{error}");
        }
    }
}
