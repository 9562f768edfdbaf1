//! Long userdata answers in parts, and jobs whose data a controller pushes later.
use super::session::MAX_REASSEMBLY;
use super::userdata::Userdata;

/// Jobs of one connection that are remembered; the oldest goes first.
const MAX_JOBS: usize = 32;

/// The parts of a long userdata answer of one direction, put together by the
/// reference of their data unit. Answers longer than [`MAX_REASSEMBLY`] stay in parts.
#[derive(Debug, Default)]
pub struct Parts {
    bytes: Vec<u8>,
    /// Group, subfunction, data unit, sequence of the answer under way.
    unit: Option<(u8, u8, u8, u8)>,
}

impl Parts {
    /// The PDU with all that came so far of its answer as payload.
    pub fn join<'a>(&'a mut self, u: &Userdata<'a>) -> Userdata<'a> {
        let Some(unit) = u.data_unit.filter(|unit| *unit != 0) else {
            return *u;
        };
        let id = (u.group, u.sub, unit, u.sequence);
        let continues = self.unit == Some(id);
        if !continues {
            self.bytes.clear();
        }
        self.unit = u.more.then_some(id);
        if !continues && !u.more {
            return *u;
        }
        if self.bytes.len().saturating_add(u.payload.len()) > MAX_REASSEMBLY {
            self.bytes.clear();
            self.unit = None;
            return *u;
        }
        self.bytes.extend_from_slice(u.payload);
        Userdata {
            payload: &self.bytes,
            ..*u
        }
    }

    /// What came so far of the answer whose next part `request` asks for.
    #[must_use]
    pub fn under_way<'a>(&'a self, request: &Userdata<'a>) -> Option<Userdata<'a>> {
        let (group, sub, _, sequence) = self.unit?;
        let same = (group, sub, sequence) == (request.group, request.sub, request.sequence);
        same.then(|| Userdata {
            kind: super::userdata::Kind::Response,
            payload: &self.bytes,
            ..*request
        })
    }

    /// Forgets the parts, after a gap in the stream.
    pub fn reset(&mut self) {
        self.bytes.clear();
        self.unit = None;
    }
}

/// Requests whose data come later, by function group and sequence number.
#[derive(Debug, Default)]
pub struct Jobs {
    kept: Vec<(u8, u8, Vec<u8>)>,
}

impl Jobs {
    /// Remembers a request under the number that its answer gave it.
    pub fn remember(&mut self, group: u8, sequence: u8, request: &[u8]) {
        if let Some((.., kept)) = self
            .kept
            .iter_mut()
            .find(|(g, s, _)| (*g, *s) == (group, sequence))
        {
            kept.clear();
            kept.extend_from_slice(request);
            return;
        }
        if self.kept.len() >= MAX_JOBS {
            self.kept.remove(0);
        }
        self.kept.push((group, sequence, request.to_vec()));
    }

    /// The request of a job.
    #[must_use]
    pub fn find(&self, group: u8, sequence: u8) -> Option<&[u8]> {
        self.kept
            .iter()
            .find(|(g, s, _)| (*g, *s) == (group, sequence))
            .map(|(.., kept)| kept.as_slice())
    }
}
