// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
)

// inSessions is an Engine with open channels of one series, each with a session.
func inSessions(config Config, channels int) (*Engine, []uint64) {
	e := New(config)
	ids := make([]uint64, channels)
	random := rand.New(rand.NewPCG(1, 1))
	detail := Detail{ChannelID: "3f8a2b1c-9d4e-4f6a-8b7c-1234567890ab"}
	for i := range ids {
		ids[i] = random.Uint64() | 1
		event := at(ConnectionOpen, 0, ids[i])
		event.Detail = &detail
		observe(e, acme, []Event{event}, base)
	}
	return e, ids
}

func heapOf[T any](build func() T) (T, int64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	built := build()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return built, int64(after.HeapAlloc) - int64(before.HeapAlloc) //nolint:gosec // they fit
}

// sessionMemory returns what a session without a recorder takes besides its channel, in bytes.
func sessionMemory() float64 {
	const channels = 1_000_000
	off, without := heapOf(func() *Engine {
		e, _ := inSessions(defaults(), channels)
		return e
	})
	config := withSessions()
	config.Sessions.RecorderEvents = 0
	on, with := heapOf(func() *Engine {
		e, _ := inSessions(config, channels)
		return e
	})
	runtime.KeepAlive(off)
	runtime.KeepAlive(on)
	return float64(with-without) / channels
}

// A session without a recorder takes at most 32 bytes more than its channel.
func TestSession_Memory(t *testing.T) { //nolint:paralleltest // it measures the heap
	assert.LessOrEqual(t, sessionMemory(), 32.0)
}

// BenchmarkSessionMemory reports the same.
func BenchmarkSessionMemory(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(sessionMemory(), "B/channel")
	}
}

// BenchmarkSessions is the cost of a message on an open channel without sessions, with
// them, and with a recorder: compare the rows of one run.
func BenchmarkSessions(b *testing.B) {
	off, on, recorder := defaults(), withSessions(), withSessions()
	on.Sessions.RecorderEvents = 0
	for _, channels := range []int{1_000, 1_000_000} {
		for _, mode := range []struct {
			name   string
			config Config
		}{{"off", off}, {"on", on}, {"recorder", recorder}} {
			b.Run(fmt.Sprintf("channels=%d/sessions=%s", channels, mode.name), func(b *testing.B) {
				e, ids := inSessions(mode.config, channels)
				random := rand.New(rand.NewPCG(2, 2))
				batches := make([][]Event, 512)
				detail := Detail{ChannelID: "3f8a2b1c-9d4e-4f6a-8b7c-1234567890ab"}
				for i := range batches {
					for range 100 {
						event := at(MessageSend+Kind(random.IntN(2)), 0, ids[random.IntN(channels)])
						event.Detail = &detail
						batches[i] = append(batches[i], event)
					}
				}
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					batch := batches[n%len(batches)]
					now := base + int64(n)*5
					for i := range batch {
						batch[i].Time = now
					}
					observe(e, acme, batch, now)
					n++
					e.due, e.ended = e.due[:0], e.ended[:0]
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*100), "ns/event")
			})
		}
	}
}
