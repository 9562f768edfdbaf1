//! Rows of `arp` (RFC 826, RFC 5227).

use super::{Out, PacketInfo};
use crate::ip::{Address, map_v4};
use rustc_hash::FxHashMap;
use std::fmt::Write as _;
use telltale_schema::arp::{ObjectClass, Row, Space, decide};
use telltale_schema::{Common, Direction, Protocol, RoleSource, Transport};

/// Addresses remembered per sensor; when full, no new one is learned (counted).
const MAX_CLAIMS: usize = 65_536;

#[derive(Debug, Clone, Copy)]
struct Claim {
    mac: u64,
    previous: Option<u64>,
}

/// Who claims which address.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    by_address: FxHashMap<(u32, Address), Claim>,
    object: String,
    ordinal: u64,
    /// Addresses that were not learned because the table was full.
    pub full: u64,
}

fn mac_of(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |acc, byte| (acc << 8) | u64::from(*byte))
}

impl Claims {
    /// The last other MAC address that claimed this one, then learns the claim.
    fn claim(&mut self, segment: u32, ip: Address, mac: u64) -> Option<u64> {
        let room = self.by_address.len() < MAX_CLAIMS;
        match self.by_address.get_mut(&(segment, ip)) {
            Some(claim) if claim.mac == mac => claim.previous,
            Some(claim) => {
                claim.previous = Some(claim.mac);
                claim.mac = mac;
                claim.previous
            }
            None if room => {
                self.by_address.insert(
                    (segment, ip),
                    Claim {
                        mac,
                        previous: None,
                    },
                );
                None
            }
            None => {
                self.full += 1;
                None
            }
        }
    }

    /// Writes the row of an ARP message; false when it is none for IPv4 over Ethernet.
    pub(crate) fn message(
        &mut self,
        out: &mut Out,
        packet: PacketInfo,
        segment: (u32, &str),
        bytes: &[u8],
    ) -> bool {
        let Some(([0, 1, 8, 0, 6, 4, op_hi, op_lo], rest)) = bytes.split_first_chunk::<8>() else {
            return false;
        };
        let Some((sender_mac, rest)) = rest.split_first_chunk::<6>() else {
            return false;
        };
        let Some((sender_ip, rest)) = rest.split_first_chunk::<4>() else {
            return false;
        };
        let Some((target_mac, rest)) = rest.split_first_chunk::<6>() else {
            return false;
        };
        let Some(target_ip) = rest.first_chunk::<4>() else {
            return false;
        };
        let operation = u16::from_be_bytes([*op_hi, *op_lo]);
        let (sender_mac, target_mac) = (mac_of(sender_mac), mac_of(target_mac));
        let (from, to) = (map_v4(*sender_ip), map_v4(*target_ip));
        let gratuitous = sender_ip == target_ip && *sender_ip != [0; 4];
        let probe = operation == 1 && *sender_ip == [0; 4];
        let previous_mac = if *sender_ip == [0; 4] {
            None
        } else {
            self.claim(segment.0, from, sender_mac)
        };
        let class = match (gratuitous, probe) {
            (true, _) => ObjectClass::Gratuitous,
            (_, true) => ObjectClass::Probe,
            _ => ObjectClass::None,
        };
        let decision = decide(Space::Arp, operation, None, class);
        let reply = operation == 2 && !gratuitous;
        // who asks is the client, on request and reply
        let (client, server, client_mac, server_mac) = if reply {
            (to, from, target_mac, sender_mac)
        } else {
            (from, to, sender_mac, target_mac)
        };
        let object = if reply || gratuitous {
            *sender_ip
        } else {
            *target_ip
        };
        let [a, b, c, d] = object;
        self.object.clear();
        // writing to a String cannot fail
        write!(self.object, "ip:{a}.{b}.{c}.{d}").unwrap_or_default();
        let flow_ordinal = self.ordinal;
        self.ordinal += 1;
        let row_no = out.next_row;
        out.next_row += 1;
        let pdu_id = out.next_pdu;
        out.next_pdu += 1;
        out.counters.rows += 1;
        out.counters.pdu(Protocol::Arp);
        let known = |mac: u64| (mac != 0 && mac != 0xffff_ffff_ffff).then_some(mac);
        let common = Common {
            row_no,
            event_time: packet.ts_ns,
            site: &out.site,
            sensor: &out.sensor,
            segment: segment.1,
            packet: packet.number,
            capture_file: (!out.capture_file.is_empty()).then_some(&*out.capture_file),
            protocol: Protocol::Arp,
            operation: decision.operation,
            function: decision.function,
            function_code: Some(operation),
            direction: if gratuitous {
                Direction::Unsolicited
            } else if reply {
                Direction::Response
            } else {
                Direction::Request
            },
            pdu_id,
            item_count: 1,
            flow_ordinal,
            transport: Transport::Ethernet,
            vlan: packet.vlan,
            role_source: RoleSource::Protocol,
            src_ip: Some(from),
            dst_ip: Some(to),
            src_mac: packet.src_mac,
            dst_mac: packet.dst_mac,
            client_ip: Some(client),
            server_ip: Some(server),
            client_mac: known(client_mac),
            server_mac: known(server_mac),
            object: Some(&self.object),
            object_type: Some("ip_address"),
            ..Common::default()
        };
        let row = Row {
            arp_operation: operation,
            sender_mac,
            sender_ip: from,
            target_mac,
            target_ip: to,
            gratuitous,
            probe,
            previous_mac,
            frame_mac_differs: packet.src_mac.is_some_and(|mac| mac != sender_mac),
        };
        out.builders.arp.append(&common, &row);
        true
    }
}
