// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

// clock turns traffic time into unix nanoseconds.
type clock struct {
	origin    int64 // of traffic time; at full speed, the present
	fullSpeed bool
}

// time is when an item's event happened. At full speed traffic time runs as it
// may, and an event happened when it departs, less what it was held back. An event
// that is sent twice happened once.
func (c clock) time(i *item) int64 {
	if i.duplicate {
		return *i.shared
	}
	happened := c.origin + int64(i.event.at)
	if c.fullSpeed {
		happened = c.origin - int64(i.departs-i.event.at)
	}
	if i.shared != nil {
		*i.shared = happened
	}
	return happened
}
