//! The least that stands between a client and a service: bytes are copied, and nothing is parsed.

use tokio::{io::copy_bidirectional_with_sizes, net::TcpStream};

use crate::{Problem, listen};

/// As much as one read may give, so that a message needs few.
const BUFFER: usize = 64 * 1024;

/// Serves until the process is ended; each connection has one of its own to the service's port of this machine.
pub(crate) async fn serve(service: u16, port: u16) -> Result<(), Problem> {
    let listener = listen(port).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        copy(stream, service);
    }
}

#[expect(clippy::disallowed_methods, reason = "there is no gateway here whose tasks these would be")]
fn copy(mut stream: TcpStream, service: u16) {
    tokio::spawn(async move {
        let copied = async {
            let mut behind = TcpStream::connect(("127.0.0.1", service)).await?;
            stream.set_nodelay(true)?;
            behind.set_nodelay(true)?;
            copy_bidirectional_with_sizes(&mut stream, &mut behind, BUFFER, BUFFER).await
        };
        if let Err(error) = copied.await {
            // Who goes away in the middle of a request, as generators do at their end.
            eprintln!("a connection ended: {error}");
        }
    });
}
