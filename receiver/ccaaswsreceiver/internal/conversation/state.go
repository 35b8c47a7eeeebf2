// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package conversation

import (
	"encoding/json"
	"fmt"
	"time"

	sealed "github.com/otelcol-ccaas/otelcol-ccaas/internal/state/envelope"
)

// version is that of the saved state. A new field is no reason to change it.
const version = 1

// saved is the saved state: of each conversation the time up to which its facts were
// emitted. Facts up to there are history after a restart, later ones are new.
type saved struct {
	Horizon       int64               `json:"horizon"` // unix ns
	Conversations []savedConversation `json:"conversations"`
}

type savedConversation struct {
	Key      uint64 `json:"key,string"`
	Horizon  int64  `json:"horizon"`  // unix ns
	Snapshot int64  `json:"snapshot"` // unix ns
}

// Encode returns the state, in an envelope.
func (t *Tracker) Encode(now time.Time) ([]byte, error) {
	state := saved{Horizon: later(t.horizon, now, now).UnixNano()}
	for element := t.order.Back(); element != nil; element = element.Prev() {
		c := element.Value.(*conversation) //nolint:forcetypeassert // the list holds nothing else
		state.Conversations = append(state.Conversations, savedConversation{
			Key: c.key, Horizon: later(c.horizon, c.latest, now).UnixNano(), Snapshot: c.snapshot.UnixNano(),
		})
	}
	content, err := json.Marshal(&state)
	if err != nil {
		return nil, err
	}
	return sealed.Encode(version, content), nil
}

// Restore takes over a saved state. The tracker must be new.
func (t *Tracker) Restore(value []byte) error {
	_, content, err := sealed.Decode(value, version, version)
	if err != nil {
		return err
	}
	var state saved
	if err := json.Unmarshal(content, &state); err != nil {
		return fmt.Errorf("conversations: %w", err)
	}
	if at := time.Unix(0, state.Horizon); state.Horizon > 0 && at.Before(t.horizon) {
		t.horizon = at
	}
	for _, one := range state.Conversations {
		if _, known := t.conversations[one.Key]; known || t.bytes+conversationBytes > t.most {
			continue
		}
		c := &conversation{
			key: one.Key, horizon: time.Unix(0, one.Horizon), facts: map[uint64]int64{},
			snapshot: time.Unix(0, one.Snapshot), latest: time.Unix(0, one.Horizon),
		}
		t.conversations[one.Key] = t.order.PushFront(c)
		t.bytes += conversationBytes
	}
	return nil
}
