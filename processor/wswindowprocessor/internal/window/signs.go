// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

// A receiver that says so from time to time is alive. Where it is another process,
// that is what tells a calm stream from one that nobody reads any more, or whose
// records wait somewhere on their way.
//
// All of it is in the receiver's time, by the records alone: when they arrive says
// nothing. So what comes late, out of a queue that stood still, is as good as what
// comes at once; and what never comes is missed.

// signs are what is known of the life of a stream's receiver.
type signs struct {
	every  int64 // ms between two signs; 0: the receiver gives none
	latest int64 // unix ms of the latest sign, or event
}

// silence is how many signs in a row may be lost before nobody listened.
const silence = 3

// missing says that the receiver gives signs, and none from t or later has come.
func (s *signs) missing(t int64) bool { return s.every > 0 && s.latest < t }

// sign takes a sign of life of a time, which speaks for the time up to every before.
func (s *stream) sign(at, every int64) {
	if s.signs.every == 0 { // whoever gave none may have been there
		s.signs.latest = max(s.signs.latest, at)
	}
	s.signs.every = every
	s.lives(at)
}

// lives notes that the receiver was there at a time. A hole before it is a gap.
func (s *stream) lives(at int64) {
	if at-s.signs.latest > silence*s.signs.every {
		s.missed(at)
	}
	s.signs.latest = max(s.signs.latest, at)
}

// replaced takes a socket that has come up and that nobody said was down. If there
// was another in its place, its receiver was killed: from the latest sign on nobody
// listened.
func (s *stream) replaced(at int64) {
	if s.signs.every > 0 && at > s.signs.latest {
		s.missed(at)
	}
}

// missed notes that nobody listened from the latest sign up to a time.
func (s *stream) missed(until int64) {
	s.addGap(s.signs.latest+s.ahead, until+s.ahead)
}

// settled is up to when the stream's windows may end by a watermark. While signs
// are missing it waits for them: what happened since may be under way, and come
// with the next. A stream that is known to be down goes on by itself from there.
// When all channels would have expired there is nothing left to wait for.
func (s *stream) settled(ttl int64) int64 {
	if s.signs.every == 0 {
		return s.watermark
	}
	known := max(s.newest, s.signs.latest+s.ahead)
	if len(s.down) > 0 {
		known += s.watermark - s.downMark
	}
	if s.watermark-known >= ttl {
		return s.watermark
	}
	return min(s.watermark, known)
}
