// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package skew

import "time"

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
