// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/state/envelope"
)

// version is that of the saved state. A new field is no reason to change it.
const version = 1

// saved is the saved state.
type saved struct {
	Since   int64 `json:"since"`
	SavedAt int64 `json:"saved_at"`
	// Unhealed is since when events may be missing; 0: since SavedAt.
	Unhealed int64           `json:"unhealed,omitempty"`
	Forgot   int64           `json:"forgot,omitempty"`
	Open     []channel       `json:"open"`
	Closed   []closedChannel `json:"closed"` // the oldest first
}

// Changed reports whether a channel was opened or closed since the last Encode.
func (c *Channels) Changed() bool { return c.changed }

// Encode returns the state, in an envelope, with the time since which events may be missing
// in it: a gap that began and is not healed is so resumed after a restart.
func (c *Channels) Encode(now, unhealed time.Time) ([]byte, error) {
	state := saved{Since: c.since, SavedAt: now.UnixNano(), Unhealed: unhealed.UnixNano(), Forgot: c.forgot}
	for _, one := range c.open {
		state.Open = append(state.Open, *one)
	}
	slices.SortFunc(state.Open, func(a, b channel) int { return strings.Compare(a.Channel, b.Channel) })
	for element := c.order.Back(); element != nil; element = element.Prev() {
		state.Closed = append(state.Closed, *element.Value.(*closedChannel)) //nolint:forcetypeassert // the list holds nothing else
	}
	content, err := json.Marshal(&state)
	if err != nil {
		return nil, err
	}
	c.changed = false
	return envelope.Encode(version, content), nil
}

// Restore takes over a saved state, and returns when it was saved, and since when events
// may be missing in it. The channels must be new.
func (c *Channels) Restore(value []byte) (savedAt, unhealed time.Time, err error) {
	_, content, err := envelope.Decode(value, version, version)
	if err != nil {
		return time.Time{}, time.Time{}, err
	}
	var state saved
	if err := json.Unmarshal(content, &state); err != nil {
		return time.Time{}, time.Time{}, fmt.Errorf("channels: %w", err)
	}
	if state.SavedAt <= 0 || state.Since <= 0 || state.Since > state.SavedAt {
		return time.Time{}, time.Time{}, errors.New("channels: the times of the state are out of range")
	}
	c.since, c.forgot, c.restored = state.Since, state.Forgot, true
	for i := range state.Open {
		one := &state.Open[i]
		if _, known := c.open[one.Channel]; known || one.Channel == "" || len(c.open) >= c.most {
			continue
		}
		c.open[one.Channel] = one
		c.named[one.name()] = append(c.named[one.name()], one)
	}
	for i := range state.Closed {
		one := &state.Closed[i]
		if _, known := c.closed[one.ID]; !known && c.order.Len() < c.most {
			c.closed[one.ID] = c.order.PushFront(one)
		}
	}
	if state.Unhealed <= 0 || state.Unhealed > state.SavedAt {
		state.Unhealed = state.SavedAt
	}
	return time.Unix(0, state.SavedAt), time.Unix(0, state.Unhealed), nil
}
