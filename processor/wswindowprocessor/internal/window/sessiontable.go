// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import "math"

// session is what is counted of a channel's session: 24 bytes and no pointer, because
// there may be a million of them. Where the channel table's slots are used by half, three
// more bytes for each of them make that at most 32 a channel.
type session struct {
	sent, received uint32 // messages
	receive, reply uint32 // ms from the session's start, plus one; 0: not yet
	bits           uint64 // flags, and above them the bytes of payload
}

// Flags of a session.
const (
	sessionSized   = 1 << iota // a message had a size
	sessionPartial             // its open, or some of it, is not known
	sessionDetails             // it has details
	sessionChanged             // it is among the changes that are not saved
	sessionFlags   = iota      // how many there are

	maxSessionBytes = math.MaxInt64 >> (sessionFlags + 1)
)

func (s *session) is(flag uint64) bool { return s.bits&flag != 0 }
func (s *session) set(flag uint64)     { s.bits |= flag }
func (s *session) unset(flag uint64)   { s.bits &^= flag }
func (s *session) bytes() int64        { return int64(s.bits >> sessionFlags) } //nolint:gosec // it fits

func (s *session) addBytes(n int64) {
	flags := s.bits & (1<<sessionFlags - 1)
	sum := min(s.bytes()+min(n, maxSessionBytes), maxSessionBytes)
	s.bits = uint64(sum)<<sessionFlags | flags //nolint:gosec // not negative
}

// message counts a message that is at ms after the session's start. A reply is the
// earliest message to the customer after the first from the customer; at the same time,
// the one that arrived after it.
func (s *session) message(event *Event, at int64) {
	if event.Unknown {
		// without a size
	} else {
		s.set(sessionSized)
		s.addBytes(event.Bytes)
	}
	offset := uint32(0)
	if at >= 0 && at < math.MaxUint32 {
		offset = uint32(at) + 1
	}
	if event.Kind == MessageReceive {
		s.received = increment(s.received)
		if offset != 0 && (s.receive == 0 || offset < s.receive) {
			s.receive = offset
		}
		return
	}
	s.sent = increment(s.sent)
	if s.receive != 0 && offset >= s.receive && (s.reply == 0 || offset < s.reply) {
		s.reply = offset
	}
}

func increment(n uint32) uint32 {
	if n == math.MaxUint32 {
		return n
	}
	return n + 1
}

// shift moves the session's start to an earlier time.
func (s *session) shift(earlier int64) {
	for _, offset := range []*uint32{&s.receive, &s.reply} {
		switch moved := int64(*offset) + earlier; {
		case *offset == 0:
		case moved > math.MaxUint32:
			*offset = 0
		default:
			*offset = uint32(moved) //nolint:gosec // it fits
		}
	}
}

// sessionRef is the number of a channel's session among those of its series, in three
// bytes; 0 for none.
type sessionRef [3]byte

// maxSessions is how many sessions a series can follow. Channels beyond have none.
const maxSessions = 1<<24 - 1

func refOf(n uint32) sessionRef { return sessionRef{byte(n), byte(n >> 8), byte(n >> 16)} }
func (r sessionRef) number() uint32 {
	return uint32(r[0]) | uint32(r[1])<<8 | uint32(r[2])<<16
}

// sessions are those of a series' channels.
type sessions struct {
	chunks  []*[sessionChunk]session
	free    uint32              // the first that is free; its field sent is the next one
	next    uint32              // the first that was never used
	details map[uint32]*details // by number

	recordings []*[sessionChunk]*recording // by number; nil without a recorder
	ended      []endedSession              // ended, and their channel is open again

	since     int64 // unix ms: where the totals begin; 0: where those of the series do
	totals    [outcomes]sessionTotals
	exemplars []sampledExemplar // of sessions in totals that no window has reported
	overlap   []sampledExemplar // dropped sessions that the next window holds, too
	left      int               // how many of this window may still be sampled
}

const sessionChunk = 64

func newSessions(since int64) *sessions {
	return &sessions{next: 1, details: map[uint32]*details{}, since: since}
}

// add returns the number of a new session, 0 when there are too many.
func (s *sessions) add() uint32 {
	if n := s.free; n != 0 {
		s.free = s.at(n).sent
		*s.at(n) = session{}
		return n
	}
	n := s.next
	if n > maxSessions {
		return 0
	}
	s.next++
	if int(n/sessionChunk) == len(s.chunks) {
		s.chunks = append(s.chunks, new([sessionChunk]session))
	}
	return n
}

func (s *sessions) at(n uint32) *session { return &s.chunks[n/sessionChunk][n%sessionChunk] }

func (s *sessions) release(n uint32) {
	s.clear(n)
	s.at(n).sent = s.free
	s.free = n
}

// clear makes a session a new one.
func (s *sessions) clear(n uint32) {
	if s.at(n).is(sessionDetails) {
		delete(s.details, n)
	}
	*s.at(n) = session{}
	if int(n/sessionChunk) < len(s.recordings) {
		s.recordings[n/sessionChunk][n%sessionChunk] = nil
	}
}

// recordingOf returns the recording of a session, nil for none.
func (s *sessions) recordingOf(n uint32) *recording {
	if int(n/sessionChunk) >= len(s.recordings) {
		return nil
	}
	return s.recordings[n/sessionChunk][n%sessionChunk]
}

func (s *sessions) needRecording(n uint32) *recording {
	for int(n/sessionChunk) >= len(s.recordings) {
		s.recordings = append(s.recordings, new([sessionChunk]*recording))
	}
	slot := &s.recordings[n/sessionChunk][n%sessionChunk]
	if *slot == nil {
		*slot = &recording{}
	}
	return *slot
}

// detailsOf returns what else is known of a session, nil for nothing.
func (s *sessions) detailsOf(n uint32) *details {
	if !s.at(n).is(sessionDetails) {
		return nil
	}
	return s.details[n]
}

// needDetails returns the details of a session, new ones where it has none.
func (s *sessions) needDetails(n uint32) *details {
	if d := s.detailsOf(n); d != nil {
		return d
	}
	d := &details{}
	s.details[n] = d
	s.at(n).set(sessionDetails)
	return d
}
