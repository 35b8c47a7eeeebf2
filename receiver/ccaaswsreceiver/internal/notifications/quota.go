// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package notifications

import "time"

// Used returns the share of the platform's channels that this receiver has, those of
// rotations included, and the share of its topics that the fullest channel has. Full is
// whether no further channel may carry topics.
func (c *Channels) Used(now time.Time) (channels, topics float64, full bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	number := len(c.channels)
	for _, at := range c.rotated {
		if now.Sub(at) <= c.settings.Overlap {
			number++
		}
	}
	fullest, carrying := 0, 0
	for _, share := range c.shares {
		fullest = max(fullest, len(share))
		if len(share) > 0 {
			carrying++
		}
	}
	return float64(number) / MaxChannels, float64(fullest) / MaxTopics, carrying >= MaxCarrying
}
