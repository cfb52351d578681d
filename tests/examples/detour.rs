//! A way to the gateway on which something happens before the first batch of messages gets there.

use std::io::{self, Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What is to happen, until it has.
type Event = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// Starts a proxy in front of a gateway and gives its URL. `event` happens when the first request to
/// post messages comes; this one, and those that come beside it, wait until it is over. The proxy ends
/// with the program.
pub fn before_the_first_batch(
    gateway: SocketAddr,
    event: impl FnOnce() + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let event: Event = Arc::new(Mutex::new(Some(Box::new(event))));
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let event = Arc::clone(&event);
            thread::spawn(move || pass_on(client, gateway, &event));
        }
    });
    url
}

fn pass_on(client: TcpStream, gateway: SocketAddr, event: &Event) -> io::Result<()> {
    let server = TcpStream::connect(gateway)?;
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let (mut from_client, mut to_server) = (client, server);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from_client.read(&mut buffer)?;
        // A request line always begins a read: clients write one request at a time.
        if buffer[..read].starts_with(b"POST /encrypted_messages") {
            // Whoever comes meanwhile waits for the lock.
            let mut event = event.lock().unwrap_or_else(PoisonError::into_inner);
            event.take().into_iter().for_each(|event| event());
        }
        if read == 0 {
            return to_server.shutdown(Shutdown::Write);
        }
        to_server.write_all(&buffer[..read])?;
    }
}
