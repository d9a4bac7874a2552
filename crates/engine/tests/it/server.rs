//! A small HTTP server on loopback that answers what a test tells it to, byte for byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Requests received, whole.
pub type Seen = Arc<Mutex<Vec<String>>>;

pub struct Server {
    pub address: SocketAddr,
    pub seen: Seen,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// Answers each request with what `answer` makes of it.
pub async fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Server {
    serve_slowly(move |request| vec![answer(request)], 0).await
}

/// Sends each part of an answer after a pause.
pub async fn serve_slowly(
    answer: impl Fn(&str) -> Vec<Vec<u8>> + Send + Sync + 'static,
    pause_ms: u64,
) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let (log, answer) = (seen.clone(), Arc::new(answer));
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream, log.clone(), answer.clone(), pause_ms));
        }
    });
    Server { address, seen, task }
}

async fn talk<A>(mut stream: TcpStream, seen: Seen, answer: Arc<A>, pause_ms: u64)
where
    A: Fn(&str) -> Vec<Vec<u8>>,
{
    while let Some(request) = read_request(&mut stream).await {
        seen.lock().unwrap().push(request.clone());
        for part in answer(&request) {
            tokio::time::sleep(std::time::Duration::from_millis(pause_ms)).await;
            if stream.write_all(&part).await.is_err() {
                return;
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0_u8; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length:")
                    .map(|v| v.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

/// An answer with a JSON body.
pub fn json_answer(body: &str) -> Vec<u8> {
    answer(200, "content-type: application/json\r\n", body.as_bytes())
}

pub fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut out =
        format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    out
}
