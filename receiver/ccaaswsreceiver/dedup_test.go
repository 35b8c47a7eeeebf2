// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// deduplicated runs frames through a batcher with deduplication in fake time. It returns
// the bodies of the delivered records, and what was counted.
func deduplicated(t *testing.T, limits BatchConfig, write func(*batcher)) (bodies []string, events, duplicates int64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { bodies, events, duplicates = deduplicate(t, limits, 0, write) })
	return bodies, events, duplicates
}

// deduplicate is the same in real time. The sender takes delay for each batch.
func deduplicate(t *testing.T, limits BatchConfig, delay time.Duration, write func(*batcher)) (bodies []string, events, duplicates int64) {
	t.Helper()
	decoder, err := jsonevent.NewDecoder(jsonevent.DefaultFields())
	require.NoError(t, err)
	dedup := newDeduplicator(DeduplicationConfig{Window: 2 * time.Minute, MaxEvents: 100_000})
	b := newBatcher(limits, plainDecode(decoder), dedup, recordsFor(nil), newStreams(stream{}))
	var sender sync.WaitGroup
	sender.Go(func() {
		b.run(t.Context(), func(_ context.Context, one *batch) {
			assert.Equal(t, one.size, one.logs.LogRecordCount())
			for _, resource := range one.logs.ResourceLogs().All() {
				assert.Positive(t, resource.ScopeLogs().Len(), "no empty resource")
				for _, scope := range resource.ScopeLogs().All() {
					assert.Positive(t, scope.LogRecords().Len(), "no empty scope")
				}
			}
			for _, record := range recordsOf(one.logs) {
				if record.EventName() != wsevent.StreamBackpressure { // on a slow machine
					bodies = append(bodies, record.Body().Str())
				}
			}
			events += one.read.events
			duplicates += one.read.duplicates
			assert.Empty(t, one.read.violations)
			time.Sleep(delay)
		})
	})
	write(b)
	b.close()
	sender.Wait()
	return bodies, events, duplicates
}

var large = BatchConfig{MaxEvents: 300, Timeout: 100 * time.Millisecond}

// same is an event of a tenant, with whatever else in another place.
func same(tenant, id int, channelType rune) string {
	region := ""
	if channelType == 'c' {
		region = `"region":"eu-west-1",` // as configured: one resource, two scopes
		channelType = 'b'
	}
	return fmt.Sprintf(`{"type":"message.send","timestamp":1715623400123,%s"channelId":"c","channelType":"%c","tenantId":"t%d","id":"%d"}`, region, channelType, tenant, id)
}

// A map is the oracle: each event is delivered once, as it was first received.
func TestDedup_AgainstMap(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	first := map[[2]int]string{}
	var put, want []string
	bodies, events, duplicates := deduplicated(t, large, func(o *batcher) {
		for range 2000 {
			text := []byte("")
			for range 1 + random.IntN(8) {
				tenant, id := random.IntN(3), random.IntN(3000)
				event := same(tenant, id, 'a'+rune(random.IntN(3)))
				text = append(append(text, event...), '\n')
				put = append(put, event)
				if first[[2]int{tenant, id}] == "" {
					first[[2]int{tenant, id}] = event
					want = append(want, event)
				}
			}
			o.frame(text, time.Now(), random.IntN(2))
			clear(text) // as the next frame does
		}
	})
	assert.Equal(t, slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(bodies)))
	assert.Equal(t, int64(len(want)), events)
	assert.Equal(t, int64(len(put)-len(want)), duplicates)
	assert.Greater(t, duplicates, int64(1000))
}

// A reader that is blocked in the middle of a frame owns the batch and the decoder: the
// reader of the other socket waits.
func TestBatcher_TwoSocketsUnderBackpressure(t *testing.T) {
	t.Parallel()
	var put [2][]string
	var readers sync.WaitGroup
	bodies, _, duplicates := deduplicate(t, usual, time.Millisecond, func(o *batcher) {
		for socket := range put {
			random := rand.New(rand.NewPCG(1, uint64(socket)))
			readers.Go(func() {
				for n := range 100 {
					text := []byte("[")
					for i := range 1 + random.IntN(9) {
						event := same(socket, 10*n+i, 'a'+rune(random.IntN(3)))
						put[socket] = append(put[socket], event)
						text = append(append(text, event...), ',')
					}
					text[len(text)-1] = ']'
					o.frame(text, time.Now(), socket)
					clear(text) // as the next frame does
				}
			})
		}
		readers.Wait()
	})
	assert.Equal(t, slices.Sorted(slices.Values(slices.Concat(put[0], put[1]))), slices.Sorted(slices.Values(bodies)))
	assert.Zero(t, duplicates)
}

// Events without an id of one socket are distinct, those of two sockets are duplicates.
func TestDedup_EventsWithoutID(t *testing.T) {
	t.Parallel()
	const event = `{"type":"message.send","timestamp":1715623400123,"channelId":"c"}`
	bodies, _, duplicates := deduplicated(t, large, func(o *batcher) {
		for socket, times := range []int{3, 2, 1} {
			for range times {
				o.frame([]byte(event), time.Now(), 7+socket%2)
			}
		}
	})
	assert.Len(t, bodies, 4)
	assert.Equal(t, int64(2), duplicates)
}

// The window is in arrival time.
func TestDedup_WindowExpires(t *testing.T) {
	t.Parallel()
	event := []byte(same(1, 1, 'a'))
	bodies, _, _ := deduplicated(t, large, func(o *batcher) {
		for range 10 {
			o.frame(event, time.Now(), 1)
			time.Sleep(time.Minute)
		}
	})
	assert.Len(t, bodies, 4, "at 0, 3, 6 and 9 minutes")
}
