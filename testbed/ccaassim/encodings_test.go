// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/connectchat"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/eventhub"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/realtime"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/taskrouter"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
)

// everyEncoding is the encoding of each API that sends in turn.
func everyEncoding(seed uint64, series []traffic.Series) map[string]api.Encoding {
	d := api.NewDirectory(4, 50, rand.New(rand.NewPCG(seed, 5)))
	return map[string]api.Encoding{
		"realtime_events": realtime.NewEncoder(series, config.TimestampMilliseconds),
		"event_hub":       eventhub.NewEncoder(d, series),
		"connect_chat":    connectchat.NewEncoder(d, series),
		"task_router":     taskrouter.NewEncoder(d, series),
	}
}

func TestASeedRepeatsEveryAPIsFrames(t *testing.T) {
	t.Parallel()
	encoded := func(seed uint64) map[string]string {
		config := config.Default()
		config.Events = 3000
		trouble := config.Trouble
		trouble.Duplicates, trouble.Malformed, trouble.Jitter, trouble.Skew = 0.05, 0.05, 500*time.Millisecond, time.Second
		trouble.OversizedBytes = 70_000
		g := traffic.NewGenerator(config.Traffic(time.Unix(0, 0)), rand.New(rand.NewPCG(seed, 1)))
		framer := traffic.NewFramer(g, rand.New(rand.NewPCG(seed, 3)), traffic.FrameMixed, 20)
		var all traffic.Batch
		for f, ok := framer.Next(&trouble); ok; f, ok = framer.Next(&trouble) {
			all.Add(f, traffic.Clock{})
		}
		written := map[string]string{}
		for name, e := range everyEncoding(seed, g.Series) {
			var frames api.FrameBuffer
			e.Encode(&frames, &all, &trouble)
			written[name] = string(frames.Bytes)
		}
		return written
	}
	first, again, other := encoded(5), encoded(5), encoded(6)
	for name := range first {
		assert.Equal(t, first[name], again[name], name)
		assert.NotEqual(t, first[name], other[name], name)
	}
}

func TestSkewShiftsEveryAPIsTimes(t *testing.T) {
	t.Parallel()
	series := []traffic.Series{{Region: "us-east-1"}, {Region: "eu-west-1"}}
	trouble := fault.DefaultTrouble()
	trouble.Skew, trouble.SkewRegion = -5*time.Second, "eu-west-1"
	for name, e := range everyEncoding(1, series) {
		for n, want := range []string{`1715623400|18:03:20\.123Z`, `1715623395|18:03:15\.123Z`} {
			b := &traffic.Batch{}
			b.Add(traffic.Frame{Form: traffic.FrameObject, Items: []traffic.Item{{Event: traffic.Event{Kind: traffic.MessageSend, Series: int32(n)}}}}, traffic.Clock{Origin: 1_715_623_400_123_456_789})
			var frames api.FrameBuffer
			e.Encode(&frames, b, &trouble)
			assert.Regexp(t, want, string(frames.Bytes), name)
		}
	}
}

func TestInvalidClientFramesAreIgnored(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) { c.Silent = true })
	c := newClient(t, server)
	watched, _ := c.watch(t, c.token(t))
	for request, conn := range map[string]*websocket.Conn{
		`{"message":"ping"}`:        watched,
		`{"action":"heartbeat"}`:    dialURL(t, server.host.URL("ws")+hubQuery),
		`{"topic":"aws/heartbeat"}`: c.chat(t),
	} {
		for _, text := range []string{"", "garbage", "null", "[]", `{"message":7}`, `{"action":{}}`, `{"topic":[],"content":"x"}`, "\xff\xfe"} {
			require.NoError(t, conn.WriteMessage(websocket.BinaryMessage, []byte(text)))
		}
		assert.NotEmpty(t, exchange(t, conn, request))
	}
}
