// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

// A receiver sends heartbeats. Where it is another process, they distinguish a stream
// without events from one that is no longer received, or whose records are delayed.
//
// All times are the receiver's, taken from the records: when these arrive is irrelevant. A
// heartbeat that was delayed in a queue counts as one that arrives at once, and one that
// never arrives is missed.

// liveness is the state of a stream's heartbeats.
type liveness struct {
	interval int64 // ms between two heartbeats; 0: the receiver sends none
	latest   int64 // unix ms of the latest heartbeat or event
}

// maxMissedHeartbeats is the number of heartbeats in a row that may be missed before the
// time between them is a gap.
const maxMissedHeartbeats = 3

// overdue reports whether the receiver sends heartbeats and none from t on has arrived.
func (s *liveness) overdue(t int64) bool { return s.interval > 0 && s.latest < t }

// heartbeat records a heartbeat, which covers the time up to every ms before it.
func (s *stream) heartbeat(at, every int64) {
	if s.liveness.interval == 0 { // a receiver without heartbeats may have been there
		s.liveness.latest = max(s.liveness.latest, at)
	}
	s.liveness.interval = every
	s.observe(at)
}

// observe records that the receiver was up at a time. A hole before it is a gap.
func (s *stream) observe(at int64) {
	if at-s.liveness.latest > maxMissedHeartbeats*s.liveness.interval {
		s.addHeartbeatGap(at)
	}
	s.liveness.latest = max(s.liveness.latest, at)
}

// receiverRestarted handles a connection that came up without having been reported down:
// its receiver was killed, and from the latest heartbeat on the stream was not received.
func (s *stream) receiverRestarted(at int64) {
	if s.liveness.interval > 0 && at > s.liveness.latest {
		s.addHeartbeatGap(at)
	}
}

// addHeartbeatGap adds the gap from the latest heartbeat to a time.
func (s *stream) addHeartbeatGap(until int64) {
	s.addGap(s.liveness.latest+s.clockOffset, until+s.clockOffset)
}

// effectiveWatermark is the watermark by which the stream's windows may close. While
// heartbeats are overdue it waits for them: earlier records may be delayed. A stream that
// is reported down advances by itself from there. Once all channels would have expired
// there is nothing left to wait for. ttl is in ms.
func (s *stream) effectiveWatermark(ttl int64) int64 {
	if s.liveness.interval == 0 {
		return s.watermark
	}
	known := max(s.newest, s.liveness.latest+s.clockOffset)
	if len(s.down) > 0 {
		known += s.watermark - s.watermarkAtDown
	}
	if s.watermark-known >= ttl {
		return s.watermark
	}
	return min(s.watermark, known)
}
