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

// BenchmarkEveryAPI is what an event costs to encode in the words of each API.
func BenchmarkEveryAPI(b *testing.B) {
	config := DefaultConfig()
	g := newGenerator(config.traffic(time.Now()), rand.New(rand.NewPCG(1, 1)))
	composer := newComposer(g, rand.New(rand.NewPCG(1, 2)), FrameObject, 1)
	at := clock{origin: time.Now().UnixNano()}
	var all batch
	for range batchEvents {
		f, _ := composer.next(&config.Trouble)
		all.add(f, at)
	}
	report := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batchEvents, "ns/event")
	}
	for a, e := range everyEncoding(1, g.series) {
		b.Run(a.String(), func(b *testing.B) {
			var c chunk
			for b.Loop() {
				c.reset()
				e.encode(&c, &all, &config.Trouble)
			}
			report(b)
		})
	}
	b.Run(notifications.String(), func(b *testing.B) {
		d := newDirectory(config.Queues, config.Agents, rand.New(rand.NewPCG(1, 5)))
		book, written := newBook(config.SnapshotMessages, time.Now()), newSnapshots(d, g.series)
		all.used[notifications] = true
		var c chunk
		for b.Loop() {
			c.reset()
			for n := range all.items {
				conversation := book.enter(&all.items[n], n, all.times[n])
				c.bytes = written.snapshot(c.bytes, "a.topic", ofMessages, conversation, &config.Trouble)
			}
			all.await(notifications, sent)
			book.settle(&all)
		}
		report(b)
	})
}
