// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package notifications

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/history"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

// testStore enters items into a store, each in a batch of its own that is sent.
func testStore() (enter func(k traffic.Kind, channel uint64, at time.Duration) *conversation, s *conversationStore) {
	start := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	s = newConversationStore(3, history.New(start).Began)
	ids := uint64(0)
	return func(k traffic.Kind, channel uint64, at time.Duration) *conversation {
		ids++
		i := &traffic.Item{Event: traffic.Event{Kind: k, Id: traffic.ID{Low: ids}, Channel: traffic.ID{Low: channel}, Ending: &traffic.Ending{Code: 1000}}}
		happened := start.Add(at).UnixNano()
		c := s.enter(i, 0, happened)
		all := truth.NewBatch(1)
		all.Items, all.Times, all.InUse[0] = []traffic.Item{*i}, []int64{happened}, true
		all.Expect(0, truth.Sent)
		s.settle(&all, 0)
		return c
	}, s
}

func TestConversationStore_BeganUnseen(t *testing.T) {
	t.Parallel()
	enter, _ := testStore()
	opened := enter(traffic.ConnectionOpen, 1, time.Second)
	start := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	assert.Equal(t, start.Add(time.Second).UnixNano(), opened.connected)
	assert.Len(t, opened.transitions, 1)
	found := enter(traffic.MessageSend, 2, time.Second)
	assert.Less(t, found.connected, start.Add(-time.Minute).UnixNano())
	assert.Same(t, found, enter(traffic.ConnectionOpen, 2, 2*time.Second))
	assert.Empty(t, found.transitions, "an opening after a message changes nothing")
}

func TestConversationStore_Evicts(t *testing.T) {
	t.Parallel()
	enter, s := testStore()
	var c *conversation
	for n := range 5 {
		c = enter(traffic.MessageReceive, 1, time.Duration(n)*time.Second)
	}
	require.Len(t, c.messages, 3)
	assert.Equal(t, uint64(3), c.messages[0].id.Low, "the latest messages are kept")

	enter(traffic.ConnectionClose, 1, 10*time.Second)
	late := enter(traffic.MessageSend, 1, 11*time.Second)
	assert.Same(t, c, late, "a delayed event finds its conversation")
	assert.NotZero(t, late.ended)
	enter(traffic.MessageSend, 2, 10*time.Second+time.Duration(linger)+time.Second)
	assert.Len(t, s.conversations, 1)
	assert.Empty(t, s.ended)
}
