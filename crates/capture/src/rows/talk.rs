//! What all protocols do alike: cut a stream into PDUs, give up on requests that
//! nobody answered, say how long an answer took.

use super::{Analyzer, Buffers, Cx};
use telltale_dissect::Framing;
use telltale_dissect::pending::{Pending, Request};
use telltale_schema::Protocol;

/// What a flow keeps of its protocol.
pub(crate) trait Speaker: Send {
    /// What its rows are made in.
    type Buffers;

    /// Its own of the buffers that all flows share.
    fn buffers(all: &mut Buffers) -> &mut Self::Buffers;
}

/// A flow's protocol at work: what the flow keeps, with the shared buffers. The
/// buffers stay in the cache, and a flow that waits holds no memory for rows.
pub(crate) struct Talk<'a, S: Speaker> {
    pub flow: &'a mut S,
    pub buffers: &'a mut S::Buffers,
}

/// What is kept with a request that waits.
pub(crate) trait Asked {
    /// When it was asked, nanoseconds.
    fn ts_ns(&self) -> i64;
}

/// What a protocol must say of itself.
pub(crate) trait Dialogue {
    /// Its protocol column.
    const PROTOCOL: Protocol;
    /// The error row of bytes that begin no PDU quotes what follows them, too.
    const QUOTES_ON: bool = false;
    type Key: PartialEq;
    type Mark: Asked;

    /// Where the next PDU of a stream ends.
    fn next_pdu(bytes: &[u8]) -> Framing;

    /// One PDU.
    fn pdu(&mut self, cx: &mut Cx<'_>, bytes: &[u8]);

    /// One datagram.
    fn datagram(&mut self, cx: &mut Cx<'_>, bytes: &[u8]);

    /// A hole in the sender's stream.
    fn gap(&mut self, cx: &mut Cx<'_>);

    /// Requests that wait for their response.
    fn pending(&mut self) -> &mut Pending<Self::Key, Self::Mark>;

    /// A row for a request that nobody answered.
    fn unanswered(&mut self, cx: &mut Cx<'_>, request: Request<Self::Key, Self::Mark>);

    /// Contiguous bytes; how many were used.
    fn stream(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while !rest.is_empty() {
            match Self::next_pdu(rest) {
                Framing::Pdu { len } => {
                    let (pdu, tail) = rest.split_at_checked(len.max(1)).unwrap_or((rest, &[]));
                    self.pdu(cx, pdu);
                    rest = tail;
                }
                Framing::NeedMore { .. } => break,
                Framing::Resync { skip, error } => {
                    let (lost, tail) = rest.split_at_checked(skip.max(1)).unwrap_or((rest, &[]));
                    let quoted = if Self::QUOTES_ON { rest } else { lost };
                    cx.error(Self::PROTOCOL, &error, skip, quoted);
                    rest = tail;
                }
            }
        }
        bytes.len() - rest.len()
    }

    /// Gives up requests that were asked before this time.
    fn give_up(&mut self, cx: &mut Cx<'_>, before_ns: i64) {
        while let Some(old) = self.pending().take_if(|r| r.mark.ts_ns() < before_ns) {
            self.unanswered(cx, old);
        }
    }

    /// Time passed.
    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.give_up(cx, patience(cx));
    }

    /// The flow is over.
    fn finish(&mut self, cx: &mut Cx<'_>) {
        self.give_up(cx, i64::MAX);
    }
}

/// Requests asked before this time have waited too long.
pub(crate) fn patience(cx: &Cx<'_>) -> i64 {
    cx.packet.ts_ns.saturating_sub(cx.response_timeout_ns())
}

/// Microseconds from a request to now; none when time went backwards.
pub(crate) fn latency(cx: &Cx<'_>, asked: &impl Asked) -> Option<u64> {
    let ns = cx.packet.ts_ns.saturating_sub(asked.ts_ns());
    u64::try_from(ns).ok().map(|ns| ns / 1000)
}

impl<S: Speaker> Analyzer for S
where
    for<'a> Talk<'a, S>: Dialogue,
{
    fn stream(&mut self, all: &mut Buffers, cx: &mut Cx<'_>, bytes: &[u8]) -> usize {
        talk(self, all).stream(cx, bytes)
    }

    fn datagram(&mut self, all: &mut Buffers, cx: &mut Cx<'_>, bytes: &[u8]) {
        talk(self, all).datagram(cx, bytes);
    }

    fn gap(&mut self, all: &mut Buffers, cx: &mut Cx<'_>) {
        talk(self, all).gap(cx);
    }

    fn tick(&mut self, all: &mut Buffers, cx: &mut Cx<'_>) {
        talk(self, all).tick(cx);
    }

    fn finish(&mut self, all: &mut Buffers, cx: &mut Cx<'_>) {
        talk(self, all).finish(cx);
    }
}

fn talk<'a, S: Speaker>(flow: &'a mut S, all: &'a mut Buffers) -> Talk<'a, S> {
    Talk {
        flow,
        buffers: S::buffers(all),
    }
}
