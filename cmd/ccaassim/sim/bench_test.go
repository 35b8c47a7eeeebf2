// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkFullSpeed is what an event costs before it is written to a socket:
// generated, composed into frames, encoded.
func BenchmarkFullSpeed(b *testing.B) {
	for _, sessions := range []int{1_000, 1_000_000} {
		b.Run("sessions="+strconv.Itoa(sessions), func(b *testing.B) {
			config := DefaultConfig()
			config.Sessions = sessions
			g := newGenerator(config.traffic(time.Now()), rand.New(rand.NewPCG(1, 1)))
			composer := newComposer(g, rand.New(rand.NewPCG(1, 2)), FrameArray, 100)
			encode := newEncoder(g.series, config.Timestamp)
			at := clock{origin: time.Now().UnixNano(), fullSpeed: true}
			var all batch
			var c chunk
			events, bytes := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				f, _ := composer.next(&config.Trouble)
				if all.add(f, at); len(all.items) >= batchEvents {
					c.reset()
					encode.encode(&c, &all, &config.Trouble)
					bytes += len(c.bytes)
					events += len(all.items)
					all.reset()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(max(events, 1)), "ns/event")
			b.ReportMetric(float64(bytes)/float64(max(events, 1)), "B/event")
		})
	}
}

// BenchmarkLoopback is the whole simulator against a client that reads frames
// and throws them away.
func BenchmarkLoopback(b *testing.B) {
	config := DefaultConfig()
	config.FullSpeed, config.Events, config.Frame, config.FrameEvents = true, 1_000_000, FrameArray, 100
	for b.Loop() {
		server, err := Start(config)
		require.NoError(b, err)
		conn := newClient(b, server).dial(b)
		go func() {
			for {
				if _, _, err := conn.NextReader(); err != nil {
					return
				}
			}
		}()
		<-server.Done()
		require.NoError(b, server.Close())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(config.Events), "ns/event")
}
