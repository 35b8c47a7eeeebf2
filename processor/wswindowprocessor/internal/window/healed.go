// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"math"
	"slices"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// A gap is healed when the receiver has reconstructed its opens and closes: they are in the
// totals then. Windows of the gap were emitted before and stay incomplete, so a window says
// in which time before it every gap is healed. The receiver heals gaps in their order, several
// at once: an older one that is not healed with them has been given up, and the time begins
// after it.

// missed records a gap to be healed. One without a start is not the receiver's: of an
// archive that is replayed, or of windows of another size.
func (s *stream) missed(one gap) {
	if s.live && one.start != math.MinInt64 && one.start < one.end {
		s.unhealed = appendGap(s.unhealed, one)
	}
}

// heal records that all gaps in a time are healed.
func (s *stream) heal(in gap) {
	if in.end <= in.start {
		return
	}
	since, until, givenUp := in.start, in.end, int64(math.MinInt64)
	if s.healed.end > 0 {
		since = min(s.healed.start, since)
	}
	s.unhealed = slices.DeleteFunc(s.unhealed, func(one gap) bool {
		switch {
		case one.start >= in.start-gapTolerance && one.end <= in.end+gapTolerance:
			since, until = min(since, one.start), max(until, one.end)
			return true
		case one.start < in.start-gapTolerance: // also where only its end is healed
			givenUp = max(givenUp, one.end)
			return true
		}
		return false
	})
	for _, later := range s.unhealed {
		until = min(until, later.start)
	}
	since, until = max(since, givenUp), max(until, s.healed.end)
	if until > since {
		s.healed = gap{since, until}
	}
}

// healedAt returns the time before t in which every gap is healed.
func (s *stream) healedAt(t int64) wsevent.Healed {
	if s.healed.end <= s.healed.start || s.healed.start >= t {
		return wsevent.Healed{}
	}
	return wsevent.Healed{Since: wsevent.UnixMilli(s.healed.start), Until: wsevent.UnixMilli(min(s.healed.end, t))}
}
