// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package skew

import (
	"time"
)

// Culprit is whose clock is wrong.
type Culprit string

// The culprits. Both also stands for two small errors that only add up to one
// beyond tolerance.
const (
	Host     Culprit = "host"
	Platform Culprit = "platform"
	Both     Culprit = "both"
)

// AttributeFault returns whose clock is wrong, given how far the platform is ahead of us and
// how far we are ahead of the true time.
func AttributeFault(skew, host, tolerance time.Duration) Culprit {
	hostWrong := host.Abs() > tolerance
	platformWrong := (skew + host).Abs() > tolerance
	switch {
	case hostWrong && !platformWrong:
		return Host
	case platformWrong && !hostWrong:
		return Platform
	default:
		return Both
	}
}

// Verdict is the result of a reading of our own clock.
type Verdict int

// The verdicts.
const (
	Aligned    Verdict = iota // our clock is right
	Misaligned                // it is wrong, and may be set right yet
	GivenUp                   // it has been wrong since our start: a restart does not help
	Restart                   // it has been wrong for too long: a restart can set it
)

// Watch follows our own clock by a reference.
type Watch struct {
	Limit    time.Duration // beyond is misaligned
	Patience time.Duration // how long it may stay so; 0: for ever

	wasAligned bool // a restart can help
	wrong      bool
	since      time.Duration
	restarted  bool
}

// Read records a reading: how far our clock is ahead, and the maximum error. A clock that
// has never been aligned since our start does not cause a restart: an earlier restart did
// not set it. So a restart follows another one only if the clock was aligned in between.
func (w *Watch) Read(offset, uncertainty, now time.Duration) Verdict {
	if offset.Abs()-uncertainty <= w.Limit {
		w.wasAligned, w.wrong = true, false
		return Aligned
	}
	if !w.wrong {
		w.wrong, w.since = true, now
	}
	switch {
	case w.Patience == 0 || w.restarted:
		return Misaligned
	case !w.wasAligned:
		return GivenUp
	case now-w.since >= w.Patience:
		w.restarted = true
		return Restart
	default:
		return Misaligned
	}
}

// release is the share of a limit below which an episode ends, so that an offset
// near the limit does not flap.
const release = 0.8

// Episode reports whether an offset is beyond a limit, with hysteresis.
type Episode struct {
	Limit time.Duration
	On    bool
}

// Judge updates the episode with the present offset.
func (e *Episode) Judge(offset time.Duration) {
	limit := float64(e.Limit)
	if e.On {
		limit *= release
	}
	e.On = float64(offset.Abs()) > limit
}
