//! The turns of a connection.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use callgate_core::{BoxError, Connection};
use h2::{Ping, PingPong, server};
use tokio::task::coop::{has_budget_remaining, unconstrained};

use super::{
    gathered::Gathered,
    place::Place,
    places::Places,
    stream,
    turns::{MOST, OfConnection, Turns},
};
use crate::server::{
    activity::{Activity, Order},
    answer::Answer,
    connection::Shared,
    socket::Socket,
};

/// Serves a connection of HTTP/2 until it ends. What was read of it before comes first.
///
/// # Errors
/// The connection breaks, or the client breaks HTTP.
pub(in crate::server) async fn serve<A: Answer>(
    early: Bytes,
    socket: Socket,
    activity: &Arc<Activity>,
    connection: Arc<Connection>,
    shared: &Arc<Shared<A>>,
) -> Result<(), BoxError> {
    let socket = Gathered::new(early, socket);
    let Some(served) = greet(&socket, activity, shared).await? else { return Ok(()) };
    let turns = poll_fn(|cx| Poll::Ready(Turns::of(cx.waker()))).await;
    let open =
        |place: Arc<Place>| stream::serve(place, Arc::clone(shared), Arc::clone(&connection), Arc::clone(activity));
    let mut driver = Driver {
        waker: Waker::from(Arc::new(OfConnection(Arc::clone(&turns)))),
        places: Places::new(&turns, open),
        called: Vec::new(),
        most: usize::try_from(shared.concurrent_streams).unwrap_or(usize::MAX),
        turns,
        socket,
        served,
        probe: None,
        activity,
        is_finishing: false,
    };
    poll_fn(|_| driver.poll()).await?;
    Ok(())
}

type Served = server::Connection<Gathered<Socket>, Bytes>;

/// Exchanges the settings; `None` where the client says nothing for as long as a connection may rest.
async fn greet<A>(
    socket: &Gathered<Socket>,
    activity: &Activity,
    shared: &Shared<A>,
) -> Result<Option<Served>, BoxError> {
    let mut greeting = pin!(shared.http2.handshake(socket.clone()));
    poll_fn(|cx| {
        socket.begin_turn();
        if let Poll::Ready(served) = greeting.as_mut().poll(cx) {
            return Poll::Ready(served.map(Some).map_err(Into::into));
        }
        if let Poll::Ready(Err(error)) = socket.poll_send(cx) {
            return Poll::Ready(Err(error.into()));
        }
        if activity.order() >= Order::Finish { Poll::Ready(Ok(None)) } else { Poll::Pending }
    })
    .await
}

/// Polls without regard to what streams have read and written on this turn: what came of it must not be kept from the client.
/// The socket has a bound of its own.
fn apart<T>(mut poll: impl FnMut() -> Poll<T>) -> Poll<T> {
    pin!(unconstrained(poll_fn(|_| poll()))).poll(&mut Context::from_waker(Waker::noop()))
}

struct Driver<'a, F, O> {
    turns: Arc<Turns>,
    /// Calls the connection itself.
    waker: Waker,
    places: Places<F, O>,
    /// Places that were called, and are not yet looked at.
    called: Vec<usize>,
    /// How many streams are served at once.
    most: usize,
    socket: Gathered<Socket>,
    served: Served,
    /// What asks a silent client whether it is there.
    probe: Option<PingPong>,
    activity: &'a Activity,
    is_finishing: bool,
}

impl<F, O> Driver<'_, F, O>
where
    F: Future<Output = Infallible>,
    O: Fn(Arc<Place>) -> F,
{
    /// One turn.
    fn poll(&mut self) -> Poll<Result<(), BoxError>> {
        self.turns.begin(&mut self.called);
        self.socket.begin_turn();
        self.look_at_activity();
        self.poll_streams();
        let waker = self.waker.clone();
        let of_connection = &mut Context::from_waker(&waker);
        if let Poll::Ready(ended) = self.poll_connection(of_connection) {
            return Poll::Ready(ended.map_err(Into::into));
        }
        if let Poll::Ready(Err(error)) = apart(|| self.socket.poll_send(of_connection)) {
            return Poll::Ready(Err(error.into()));
        }
        self.turns.end(!self.called.is_empty());
        Poll::Pending
    }

    /// Goes on with the streams that were called, as far as the turn goes.
    fn poll_streams(&mut self) {
        let mut count = 0;
        while count < self.called.len() && has_budget_remaining() {
            self.places.poll(self.called[count]);
            count += 1;
        }
        self.called.drain(..count);
    }

    /// Reads what came and takes requests up, and hands what streams have to send to the socket.
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        let mut taken_up = 0;
        loop {
            self.turns.looks_at_connection();
            let polled = if self.places.taken() < self.most {
                apart(|| self.served.poll_accept(cx))
            } else {
                // Those that the client has reset go when they are looked at, on the next turn.
                apart(|| self.served.poll_closed(cx)).map(|closed| closed.err().map(Err))
            };
            match polled {
                Poll::Ready(Some(arrived)) => {
                    self.places.take_up(arrived?);
                    taken_up += 1;
                    if taken_up == MOST {
                        self.turns.call_connection();
                        return Poll::Pending;
                    }
                }
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                // The first request may just have come, on a connection that was waiting for it before it closes.
                Poll::Pending if self.finishes() => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn look_at_activity(&mut self) {
        self.finishes();
        if self.activity.has_come_to_rest() {
            self.places.give_back();
            self.socket.give_back();
        }
        if self.activity.is_to_be_probed() {
            self.probe();
        }
    }

    /// Tells the client once that the connection closes after what runs on it. True when it does so.
    fn finishes(&mut self) -> bool {
        if self.is_finishing || !self.activity.is_last() {
            return false;
        }
        self.is_finishing = true;
        self.served.graceful_shutdown();
        true
    }

    /// Asks whether the client is there. Whatever it sends is its answer.
    fn probe(&mut self) {
        if self.probe.is_none() {
            self.probe = self.served.ping_pong();
        }
        if let Some(probe) = &mut self.probe {
            // The last answer has to be taken before another one is asked for; while it is due, one is enough.
            let _answered = probe.poll_pong(&mut Context::from_waker(Waker::noop()));
            probe.send_ping(Ping::opaque()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use callgate_core::Body;
    use http::{Request, Response};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::{super::protocol, *};
    use crate::server::{
        activity::{Patience, Watch},
        connections::Connections,
        limits::Limits,
        origin::ListenerId,
        socket::{Stream, Transport},
    };

    #[derive(Clone)]
    struct Silence;

    impl Answer for Silence {
        fn answer(
            &self,
            _: Request<Body>,
            _: &Arc<Connection>,
        ) -> impl Future<Output = Response<Body>> + Send + 'static {
            std::future::pending()
        }
    }

    const PING: u8 = 6;
    const ACK: u8 = 1;

    /// Reads up to a ping with these flags, and gives back what it has.
    async fn ping(client: &mut TcpStream, flags: u8) -> [u8; 8] {
        loop {
            let mut head = [0; 9];
            client.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            client.read_exact(&mut payload).await.unwrap();
            if head[3] == PING && head[4] == flags {
                return payload.try_into().unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_silent_client_is_asked_each_time_whether_it_is_there() {
        let limits = Limits::default();
        let connections = Connections::new(&limits, Arc::default());
        let seat = connections.enter(connections.try_place().unwrap(), ListenerId::next());
        let activity = Arc::clone(seat.activity());
        activity.is_multiplexed();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let socket = Socket::new(Stream::Plain(Transport::Tcp(stream)), seat);
        let shared = Arc::new(Shared {
            answer: Silence,
            head_size: limits.head_size,
            http2: protocol(&limits),
            concurrent_streams: limits.concurrent_streams,
            connections,
        });
        let connection = Arc::new(Connection::new("public".into(), None, false, Arc::from([])));

        let asked = async {
            poll_fn(|cx| {
                activity.is_driven_by(cx.waker());
                Poll::Ready(())
            })
            .await;
            client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
            let mut watch = Watch::default();
            let patience = Patience { head: 9, idle: 9, write: 9, silence: 1, death: 9 };
            for _ in 0..2 {
                // Once it is seen that something came, and then that nothing did.
                watch.look(&activity, patience);
                watch.look(&activity, patience);
                let asked = ping(&mut client, 0).await;
                client.write_all(&[&[0, 0, 8, PING, ACK, 0, 0, 0, 0][..], &asked].concat()).await.unwrap();
                // Once this one is answered, that answer was read.
                client.write_all(&[0, 0, 8, PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).await.unwrap();
                assert_eq!(ping(&mut client, ACK).await, [1, 2, 3, 4, 5, 6, 7, 8]);
            }
        };
        tokio::select! {
            _ = serve(Bytes::new(), socket, &activity, connection, &shared) => panic!("the connection ended"),
            () = asked => {}
        }
    }
}
