//! A server on loopback that notes who comes, and whose answers may be without end.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Answers on loopback, and counts.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(address: IpAddr, port: u16) -> std::io::Result<Server> {
        let listener = TcpListener::bind((address, port))?;
        let address = listener.local_addr()?;
        let (seen, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, ends) = (seen.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                // Whoever attacks may hang up at any time.
                let _gone = serve(&stream, &count, &ends);
            }
        });
        Ok(Server { address, seen, over, thread: Some(thread) })
    }

    /// Nobody came.
    pub(super) fn was_left_alone(&self) -> Result<(), String> {
        match self.seen.load(Ordering::SeqCst) {
            0 => Ok(()),
            count => Err(format!("{count} requests reached the other side")),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for somebody.
        let _woken = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn serve(mut stream: &TcpStream, seen: &AtomicUsize, over: &AtomicBool) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let mut lines = BufReader::new(stream).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(()) };
    for line in lines.by_ref() {
        if line?.is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_string();
    match path.as_str() {
        "/away" => {
            let port = stream.local_addr()?.port();
            let line = format!(
                "HTTP/1.1 302 X\r\nlocation: http://localhost:{port}/seen\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(line.as_bytes())
        }
        "/much" => {
            stream.write_all(b"HTTP/1.1 200 X\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n")?;
            let chunk = [b'x'; 64 << 10];
            while !over.load(Ordering::SeqCst) {
                stream.write_all(&chunk)?;
            }
            Ok(())
        }
        "/slow" => {
            stream
                .write_all(b"HTTP/1.1 200 X\r\ncontent-type: text/plain\r\ncontent-length: 100000\r\n\r\n")?;
            while !over.load(Ordering::SeqCst) {
                stream.write_all(b"x")?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
        _ => {
            seen.fetch_add(1, Ordering::SeqCst);
            stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi")
        }
    }
}
