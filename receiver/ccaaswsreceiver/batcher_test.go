// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// message is an event with an id.
func message(id int) string {
	return fmt.Sprintf(`{"type":"message.send","timestamp":1715623400123,"channelId":"c-1","id":"%d"}`, id)
}

// messages is a frame of many events.
func messages(first, n int) []byte {
	var all []string
	for id := range n {
		all = append(all, message(first+id))
	}
	return []byte("[" + strings.Join(all, ",") + "]")
}

// delivered is a batch and the time of its delivery.
type delivered struct {
	ids   []string // of events; the names of other records
	after time.Duration
	read  tally
}

// batching runs a batcher in fake time. The sender takes delay for each batch. It returns
// the batches after the work is done.
func batching(t *testing.T, limits BatchConfig, delay time.Duration, work func(*testing.T, *batcher)) []delivered {
	t.Helper()
	var batches []delivered
	synctest.Test(t, func(t *testing.T) {
		decoder, err := jsonevent.NewDecoder(jsonevent.DefaultFields())
		require.NoError(t, err)
		o := newBatcher(limits, plainDecode(decoder), nil, recordsFor(nil), newStreams(stream{}))
		began := time.Now()
		var sender sync.WaitGroup
		sender.Go(func() {
			o.run(t.Context(), func(_ context.Context, b *batch) {
				one := delivered{after: time.Since(began), read: b.read}
				for _, record := range recordsOf(b.logs) {
					if id := record.text(wsevent.EventID); id != "" {
						one.ids = append(one.ids, id)
					} else {
						one.ids = append(one.ids, record.EventName())
					}
				}
				assert.Len(t, one.ids, b.size)
				batches = append(batches, one)
				time.Sleep(delay)
			})
		})
		work(t, o)
		o.close()
		sender.Wait()
	})
	return batches
}

func ids(first, n int) []string {
	var all []string
	for id := range n {
		all = append(all, strconv.Itoa(first+id))
	}
	return all
}

var usual = BatchConfig{MaxEvents: 4, Timeout: 100 * time.Millisecond}

func TestBatcher_TimeoutWithoutFrames(t *testing.T) {
	t.Parallel()
	batches := batching(t, usual, 0, func(_ *testing.T, o *batcher) {
		time.Sleep(time.Second)
		o.frame(messages(1, 1), time.Now(), 1)
		time.Sleep(60 * time.Millisecond)
		o.frame(messages(2, 1), time.Now(), 1)
		time.Sleep(time.Second)
		o.frame(messages(3, 1), time.Now(), 1)
	})
	require.Len(t, batches, 2)
	assert.Equal(t, ids(1, 2), batches[0].ids)
	assert.Equal(t, 1100*time.Millisecond, batches[0].after)
	assert.Equal(t, ids(3, 1), batches[1].ids, "the last one, at the end")
	assert.Equal(t, int64(2), batches[0].read.frames)
	assert.Equal(t, int64(2), batches[0].read.events)
}

func TestBatcher_FullWithinFrame(t *testing.T) {
	t.Parallel()
	batches := batching(t, usual, 0, func(_ *testing.T, o *batcher) { o.frame(messages(0, 10), time.Now(), 1) })
	require.Len(t, batches, 3)
	assert.Equal(t, [][]string{ids(0, 4), ids(4, 4), ids(8, 2)}, [][]string{batches[0].ids, batches[1].ids, batches[2].ids})
}

func TestBatcher_BlocksAndRecordsBackpressure(t *testing.T) {
	t.Parallel()
	var waited, counted time.Duration
	batches := batching(t, usual, time.Second, func(_ *testing.T, o *batcher) {
		began := time.Now()
		o.frame(messages(0, 11), time.Now(), 1)
		waited = time.Since(began)
		counted = o.blocked.take(time.Now())
	})
	assert.Equal(t, time.Second, waited, "one batch is delivered, one is full, and there is no third")
	var all []string
	for _, batch := range batches {
		assert.LessOrEqual(t, len(batch.ids), usual.MaxEvents)
		all = append(all, batch.ids...)
	}
	assert.Equal(t, append(append(ids(0, 8), wsevent.StreamBackpressure), ids(8, 3)...), all, "nothing lost, in order, one record")
	assert.Equal(t, time.Second, counted)
}

// The record of a wait does not need a batch of its own, which would be waited for.
func TestBatcher_BackpressureDoesNotFeedItself(t *testing.T) {
	t.Parallel()
	batches := batching(t, BatchConfig{MaxEvents: 1, Timeout: time.Millisecond}, time.Second, func(_ *testing.T, o *batcher) {
		o.frame(messages(0, 20), time.Now(), 1)
	})
	require.Len(t, batches, 20)
	for i, batch := range batches {
		want := ids(i, 1)
		if i >= 2 { // after a batch that is delivered, and one that is full
			want = append(want, wsevent.StreamBackpressure)
		}
		assert.ElementsMatch(t, want, batch.ids)
	}
}

func TestBatcher_ShortWaitsHaveNoRecord(t *testing.T) {
	t.Parallel()
	var blocked time.Duration
	batches := batching(t, usual, minBackpressure-time.Millisecond, func(_ *testing.T, o *batcher) {
		o.frame(messages(0, 40), time.Now(), 1)
		blocked = o.blocked.take(time.Now())
	})
	require.Len(t, batches, 10)
	assert.Equal(t, 8*(minBackpressure-time.Millisecond), blocked, "it waited")
	for i, batch := range batches {
		assert.Equal(t, ids(4*i, 4), batch.ids)
	}
}

func TestBatcher_BytesFillABatch(t *testing.T) {
	t.Parallel()
	large := []byte(`{"type":"message.send","timestamp":1715623400123,"channelId":"c-1","id":"1","text":"` + strings.Repeat("x", 1<<20) + `"}`)
	batches := batching(t, BatchConfig{MaxEvents: 1000, Timeout: time.Second}, 0, func(_ *testing.T, o *batcher) {
		for range 10 {
			o.frame(bytes.Clone(large), time.Now(), 1)
		}
	})
	require.Len(t, batches, 3)
	assert.Len(t, batches[0].ids, 4)
}

func TestBatcher_ValidEventsBesideViolations(t *testing.T) {
	t.Parallel()
	batches := batching(t, usual, 0, func(_ *testing.T, o *batcher) {
		o.frame([]byte("["+message(1)+`,{"type":"connection.teleport"},`+message(2)+"]"), time.Now(), 1)
		o.frame([]byte("hello"), time.Now(), 1)
	})
	require.Len(t, batches, 1)
	assert.ElementsMatch(t, []string{"1", wsevent.ProtocolViolation, "2", wsevent.ProtocolViolation}, batches[0].ids)
	assert.Equal(t, map[string]int64{"unknown_type": 1, "not_json": 1}, batches[0].read.violations)
}
