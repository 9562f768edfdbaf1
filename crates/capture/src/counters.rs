use telltale_schema::Protocol;

/// What was seen and what was dropped; every drop in the crate is one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets taken.
    pub packets: u64,
    /// Captured bytes of them.
    pub bytes: u64,
    /// PDUs by protocol, by its number.
    pub pdus: [u64; 8],
    /// Rows written.
    pub rows: u64,
    /// Rows of `packet_error`.
    pub errors: u64,
    /// Frames seen twice.
    pub duplicates: u64,
    /// Packets whose link type is not decoded.
    pub link_unknown: u64,
    /// Packets without IP or ARP inside.
    pub not_ip: u64,
    /// Flows begun.
    pub flows: u64,
    /// Flows ended because the table was full.
    pub flow_evictions: u64,
    /// TCP bytes seen before.
    pub retransmitted_bytes: u64,
    /// Holes in TCP streams that were given up.
    pub gaps: u64,
    /// Bytes in those holes.
    pub gap_bytes: u64,
    /// Bytes of stream dropped because no PDU ended within the bound.
    pub overflow_bytes: u64,
    /// IP datagrams dropped before they were whole.
    pub fragments_dropped: u64,
    /// Bytes of IP fragments that overlapped.
    pub fragment_overlaps: u64,
    /// Requests forgotten because too many waited for an answer.
    pub pairing_evictions: u64,
    /// ARP claims not learned because the table of addresses was full.
    pub arp_claims_full: u64,
    /// Errors of a flow beyond those it may report, counted but not written.
    pub errors_suppressed: u64,
}

impl Counters {
    /// PDUs of one protocol.
    #[must_use]
    pub fn pdus_of(&self, protocol: Protocol) -> u64 {
        self.pdus.get(protocol as usize).copied().unwrap_or(0)
    }

    pub(crate) fn pdu(&mut self, protocol: Protocol) {
        if let Some(count) = self.pdus.get_mut(protocol as usize) {
            *count += 1;
        }
    }
}
