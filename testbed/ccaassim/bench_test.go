// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/realtime"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
)

// BenchmarkFullSpeed is what an event costs before it is written to a socket:
// generated, composed into frames, encoded.
func BenchmarkFullSpeed(b *testing.B) {
	for _, sessions := range []int{1_000, 1_000_000} {
		b.Run("sessions="+strconv.Itoa(sessions), func(b *testing.B) {
			config := config.Default()
			config.Sessions = sessions
			g := traffic.NewGenerator(config.Traffic(time.Now()), rand.New(rand.NewPCG(1, 1)))
			framer := traffic.NewFramer(g, rand.New(rand.NewPCG(1, 2)), traffic.FrameArray, 100)
			encode := realtime.NewEncoder(g.Series, config.Timestamp)
			at := traffic.Clock{Origin: time.Now().UnixNano(), FullSpeed: true}
			var all traffic.Batch
			var c api.FrameBuffer
			events, bytes := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				f, _ := framer.Next(&config.Trouble)
				if all.Add(f, at); len(all.Items) >= batchEvents {
					c.Reset()
					encode.Encode(&c, &all, &config.Trouble)
					bytes += len(c.Bytes)
					events += len(all.Items)
					all.Reset()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(max(events, 1)), "ns/event")
			b.ReportMetric(float64(bytes)/float64(max(events, 1)), "B/event")
		})
	}
}

// BenchmarkLoopback is the complete simulator against a client that reads frames
// and throws them away.
func BenchmarkLoopback(b *testing.B) {
	config := config.Default()
	config.FullSpeed, config.Events, config.Frame, config.FrameEvents = true, 1_000_000, traffic.FrameArray, 100
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

// BenchmarkEveryAPI is what an event costs to encode in the words of each API.
func BenchmarkEveryAPI(b *testing.B) {
	config := config.Default()
	g := traffic.NewGenerator(config.Traffic(time.Now()), rand.New(rand.NewPCG(1, 1)))
	framer := traffic.NewFramer(g, rand.New(rand.NewPCG(1, 2)), traffic.FrameObject, 1)
	at := traffic.Clock{Origin: time.Now().UnixNano()}
	var all traffic.Batch
	for range batchEvents {
		f, _ := framer.Next(&config.Trouble)
		all.Add(f, at)
	}
	report := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batchEvents, "ns/event")
	}
	for name, e := range everyEncoding(1, g.Series) {
		b.Run(name, func(b *testing.B) {
			var c api.FrameBuffer
			for b.Loop() {
				c.Reset()
				e.Encode(&c, &all, &config.Trouble)
			}
			report(b)
		})
	}
}
