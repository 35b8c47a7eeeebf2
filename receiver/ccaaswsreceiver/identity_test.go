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
)

// sifted runs frames through an outbox that knows duplicates, in fake time, and
// gives the bodies that come out, and what was counted. Every batch takes the
// courier as long as delay says.
func sifted(t *testing.T, limits BatchConfig, delay time.Duration, put func(*outbox)) (bodies []string, events, duplicates int64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		decoder, err := jsonevent.NewDecoder(jsonevent.DefaultFields())
		require.NoError(t, err)
		known := newDuplicates(DeduplicationConfig{Window: 2 * time.Minute, MaxEvents: 100_000})
		var decoding sync.Mutex // as the connections of one tracker of conversations have it
		decode := func(text []byte, _ time.Time, to jsonevent.Sink) {
			decoding.Lock()
			defer decoding.Unlock()
			decoder.Decode(text, to)
		}
		o := newOutbox(limits, decode, known, recordsFor(nil), func(*jsonevent.Violation) {})
		var courier sync.WaitGroup
		courier.Go(func() {
			o.carry(t.Context(), func(_ context.Context, b *batch) {
				assert.Equal(t, b.size, b.logs.LogRecordCount())
				for _, resource := range b.logs.ResourceLogs().All() {
					assert.Positive(t, resource.ScopeLogs().Len(), "no empty resource")
					for _, scope := range resource.ScopeLogs().All() {
						assert.Positive(t, scope.LogRecords().Len(), "no empty scope")
					}
				}
				for _, record := range recordsOf(b.logs) {
					bodies = append(bodies, record.Body().Str())
				}
				events += b.read.events
				duplicates += b.read.duplicates
				assert.Empty(t, b.read.violations)
				time.Sleep(delay)
			})
		})
		put(o)
		o.close()
		courier.Wait()
	})
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

// Which events were put is the oracle: each comes out once, as it came first.
func TestEventsThatComeAgain(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	first := map[[2]int]string{}
	var put, want []string
	bodies, events, duplicates := sifted(t, large, 0, func(o *outbox) {
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

// While a batch cannot be handed over, the reader of one socket stands still in the
// middle of a frame. What comes on the other socket must not get in between.
func TestTwoSocketsWhileReadingStandsStill(t *testing.T) {
	t.Parallel()
	var put [2][]string
	var readers sync.WaitGroup
	bodies, _, duplicates := sifted(t, usual, time.Millisecond, func(o *outbox) {
		for socket := range put {
			random := rand.New(rand.NewPCG(1, uint64(socket)))
			readers.Go(func() {
				for n := range 500 {
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

// Two of one socket that have no id may have all else in common and be two; what
// two sockets tell is one.
func TestEventsWithoutAnID(t *testing.T) {
	t.Parallel()
	const event = `{"type":"message.send","timestamp":1715623400123,"channelId":"c"}`
	bodies, _, duplicates := sifted(t, large, 0, func(o *outbox) {
		for socket, times := range []int{3, 2, 1} {
			for range times {
				o.frame([]byte(event), time.Now(), 7+socket%2)
			}
		}
	})
	assert.Len(t, bodies, 4)
	assert.Equal(t, int64(2), duplicates)
}

// The window is of our own time.
func TestEventsAreForgotten(t *testing.T) {
	t.Parallel()
	event := []byte(same(1, 1, 'a'))
	bodies, _, _ := sifted(t, large, 0, func(o *outbox) {
		for range 10 {
			o.frame(event, time.Now(), 1)
			time.Sleep(time.Minute)
		}
	})
	assert.Len(t, bodies, 4, "at 0, 3, 6 and 9 minutes")
}
