use std::collections::BTreeMap;
use telltale_schema::Protocol;

/// How packets become rows. Every bound has a policy, stated here, and a counter
/// in [`crate::Counters`].
#[derive(Debug, Clone)]
pub struct Config {
    /// Name of the site in every row.
    pub site: String,
    /// Name of the sensor in every row.
    pub sensor: String,
    /// Address space of a packet without a VLAN, and of VLANs not listed below.
    pub segment: String,
    /// Address space by VLAN.
    pub segment_by_vlan: BTreeMap<u16, String>,
    /// Ports that a site says carry a protocol, besides the usual ones. A hint:
    /// a flow is what it says.
    pub ports: BTreeMap<u16, Protocol>,
    /// Keep frames seen twice instead of dropping them; counted either way.
    pub keep_duplicates: bool,
    /// A frame of rows is cut at this many rows …
    pub flush_rows: usize,
    /// … or this many bytes …
    pub flush_bytes: usize,
    /// … or this much event time in nanoseconds.
    pub flush_ns: i64,
    /// How far packets may come out of order in time, nanoseconds; the watermark
    /// stays behind by it.
    pub lateness_ns: i64,
    /// Flows followed at once; when full, the one idle longest ends (`eviction`).
    pub max_flows: usize,
    /// A flow without a packet for this long ends (`timeout`), nanoseconds of event time.
    pub flow_idle_ns: i64,
    /// A living flow gives an `update` row this often, nanoseconds of event time.
    pub flow_update_ns: i64,
    /// Bytes of TCP segments waiting for a hole to fill, over all flows; when
    /// full, the flow that asks for more gives up its oldest hole.
    pub reassembly_bytes: usize,
    /// The same for one direction of a flow.
    pub reassembly_bytes_per_flow: usize,
    /// A hole is given up after this long, nanoseconds of event time.
    pub hole_ns: i64,
    /// Bytes of IP fragments; when full, the datagram begun first is dropped.
    pub fragment_bytes: usize,
    /// A request without an answer for this long is `no_response`, nanoseconds.
    pub response_timeout_ns: i64,
    /// Key of the hash that stands in for passwords.
    pub password_key: [u8; 32],
}

impl Default for Config {
    fn default() -> Self {
        Self {
            site: "default".to_owned(),
            sensor: "sensor-1".to_owned(),
            segment: "default".to_owned(),
            segment_by_vlan: BTreeMap::new(),
            ports: BTreeMap::new(),
            keep_duplicates: false,
            flush_rows: 8192,
            flush_bytes: 8 << 20,
            flush_ns: 1_000_000_000,
            lateness_ns: 2_000_000_000,
            max_flows: 1 << 18,
            flow_idle_ns: 300_000_000_000,
            flow_update_ns: 60_000_000_000,
            reassembly_bytes: 64 << 20,
            reassembly_bytes_per_flow: 1 << 20,
            hole_ns: 1_000_000_000,
            fragment_bytes: 16 << 20,
            response_timeout_ns: 10_000_000_000,
            password_key: blake3::derive_key(
                "telltale 2026 password hash key",
                b"telltale-default-password-key",
            ),
        }
    }
}

impl Config {
    /// Sets the key of the password hash from a passphrase.
    #[must_use]
    pub fn with_password_key(mut self, passphrase: &str) -> Self {
        self.password_key =
            blake3::derive_key("telltale 2026 password hash key", passphrase.as_bytes());
        self
    }
}
