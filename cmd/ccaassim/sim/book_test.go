// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func testBook() (enter func(k kind, channel uint64, at time.Duration) *conversation, b *book) {
	start := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	b = newBook(3, start)
	ids := uint64(0)
	return func(k kind, channel uint64, at time.Duration) *conversation {
		ids++
		i := &item{event: event{kind: k, id: identity{low: ids}, channel: identity{low: channel}, ending: &normalEndings[0]}}
		happened := start.Add(at).UnixNano()
		c := b.enter(i, 0, happened)
		all := &batch{items: []item{*i}, times: []int64{happened}}
		all.used[notifications] = true
		all.await(notifications, sent)
		b.settle(all)
		return c
	}, b
}

func TestTheBookKnowsWhatWasThereBefore(t *testing.T) {
	t.Parallel()
	enter, b := testBook()
	opened := enter(connectionOpen, 1, time.Second)
	assert.Equal(t, b.before+int64(time.Minute+time.Second), opened.connected)
	assert.Len(t, opened.tellings, 1)
	found := enter(messageSend, 2, time.Second)
	assert.Less(t, found.connected, b.before)
	assert.Same(t, found, enter(connectionOpen, 2, 2*time.Second))
	assert.Empty(t, found.tellings, "a late opening is no news")
}

func TestTheBookForgets(t *testing.T) {
	t.Parallel()
	enter, b := testBook()
	var c *conversation
	for n := range 5 {
		c = enter(messageReceive, 1, time.Duration(n)*time.Second)
	}
	require.Len(t, c.messages, 3)
	assert.Equal(t, uint64(3), c.messages[0].id.low, "the latest messages are kept")

	enter(connectionClose, 1, 10*time.Second)
	late := enter(messageSend, 1, 11*time.Second)
	assert.Same(t, c, late, "what jitter holds back finds its conversation")
	assert.NotZero(t, late.ended)
	enter(messageSend, 2, 10*time.Second+time.Duration(linger)+time.Second)
	assert.Len(t, b.conversations, 1)
	assert.Empty(t, b.ended)
}
