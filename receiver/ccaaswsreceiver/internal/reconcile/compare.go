// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package reconcile

import "time"

// lastingRounds is how many rounds in a row a difference has to last before it is resolved:
// an event that is on its way makes a difference, too.
const lastingRounds = 3

// Difference is that between our channels and the platform's.
type Difference struct {
	Group       Group
	ChannelType string // of our channels, else of the platform's
	Own         int64
	Platform    int64
	Rounds      int // how many in a row it has had this sign
}

// Lasting reports whether it is to be resolved.
func (d *Difference) Lasting() bool { return d.Rounds >= lastingRounds }

// Comparison remembers the differences of the rounds before.
type Comparison struct{ rounds map[Group]int }

// Compare compares the open channels with the platform's counts. A platform that counts
// conversations is compared with the number of our conversations.
func (c *Comparison) Compare(channels *Channels, counts map[Group]int64) (all []Difference) {
	own := map[Group]int64{}
	types := map[Group]string{}
	for _, conversation := range channels.named {
		counted := map[Group]bool{}
		for _, one := range conversation {
			if _, compared := counts[one.Group]; !counted[one.Group] && (compared || one.Group != (Group{})) {
				counted[one.Group] = true
				own[one.Group]++
				types[one.Group] = one.ChannelType
			}
		}
	}
	rounds := map[Group]int{}
	for group, n := range counts {
		d := Difference{Group: group, ChannelType: types[group], Own: own[group], Platform: n}
		if d.ChannelType == "" {
			d.ChannelType = group.Media
		}
		switch before := c.rounds[group]; {
		case d.Own > d.Platform:
			d.Rounds = max(before, 0) + 1
			rounds[group] = d.Rounds
		case d.Own < d.Platform:
			d.Rounds = -(min(before, 0) - 1)
			rounds[group] = -d.Rounds
		}
		all = append(all, d)
	}
	c.rounds = rounds
	return all
}

// Stuck returns the number of conversations that are open and without an event for
// longer than a time, by channel type.
func (c *Channels) Stuck(after time.Duration, now time.Time) map[string]int64 {
	stuck := map[string]int64{}
	before := now.Add(-after).UnixNano()
	for _, conversation := range c.named {
		silent := true
		for _, one := range conversation {
			silent = silent && max(one.LastEvent, one.Start) != 0 && max(one.LastEvent, one.Start) < before
		}
		if silent {
			stuck[conversation[0].ChannelType]++
		}
	}
	return stuck
}

// Types returns the channel types of the open channels.
func (c *Channels) Types() map[string]bool {
	types := map[string]bool{}
	for _, one := range c.open {
		types[one.ChannelType] = true
	}
	return types
}
