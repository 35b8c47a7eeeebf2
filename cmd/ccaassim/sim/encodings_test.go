// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everyEncoding is how each API that takes turns writes.
func everyEncoding(seed uint64, series []Series) map[api]encoding {
	d := newDirectory(4, 50, rand.New(rand.NewPCG(seed, 5)))
	return map[api]encoding{
		realtimeEvents: newEncoder(series, TimestampMilliseconds),
		eventHub:       &cases{directory: d, series: series},
		connectChat:    &chats{directory: d, series: series},
		taskRouter:     &tasks{directory: d, series: series},
	}
}

func TestASeedRepeatsEveryAPIsFrames(t *testing.T) {
	t.Parallel()
	config := DefaultConfig()
	series := config.traffic(time.Now()).series
	trouble := DefaultTrouble()
	encoded := func(seed uint64) map[api]string {
		all := compose(seed, everyTrouble)
		written := map[api]string{}
		for a, e := range everyEncoding(seed, series) {
			var c chunk
			e.encode(&c, &all.batch, &trouble)
			written[a] = string(c.bytes)
		}
		return written
	}
	first, again, other := encoded(5), encoded(5), encoded(6)
	for a := range first {
		assert.Equal(t, first[a], again[a], a)
		assert.NotEqual(t, first[a], other[a], a)
	}
}

func TestSkewShiftsEveryAPIsTimes(t *testing.T) {
	t.Parallel()
	series := []Series{{Region: "us-east-1"}, {Region: "eu-west-1"}}
	trouble := DefaultTrouble()
	trouble.Skew, trouble.SkewRegion = -5*time.Second, "eu-west-1"
	const at = 1_715_623_400_123_456_789 // 18:03:20.123
	for a, e := range everyEncoding(1, series) {
		for n, want := range [][]string{{"1715623400", "18:03:20.123Z"}, {"1715623395", "18:03:15.123Z"}} {
			b := &batch{}
			b.add(frame{form: FrameObject, items: []item{{event: event{kind: messageSend, series: int32(n)}}}}, clock{origin: at})
			var c chunk
			e.encode(&c, b, &trouble)
			text := string(c.bytes)
			assert.Regexp(t, want[0]+"|"+want[1], text, a)
		}
	}
	s := newSnapshots(newDirectory(1, 1, rand.New(rand.NewPCG(1, 5))), series)
	snapshot := s.snapshot(nil, "a.topic", ofMessages, &conversation{series: 1, connected: at}, &trouble)
	assert.Contains(t, string(snapshot), `"connectedTime":"2024-05-13T18:03:15.123Z"`)
	assert.True(t, json.Valid(snapshot))
}

func TestWhatClientsSayDoesNotUpsetTheirSockets(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *Config) { c.Silent = true })
	c := newClient(t, server)
	watched, _ := c.watch(t, c.token(t))
	for question, conn := range map[string]*websocket.Conn{
		`{"message":"ping"}`:        watched,
		`{"action":"heartbeat"}`:    dialURL(t, server.advertised("ws")+hubQuery),
		`{"topic":"aws/heartbeat"}`: c.chat(t),
	} {
		for _, text := range []string{"", "garbage", "null", "[]", `{"message":7}`, `{"action":{}}`, `{"topic":[],"content":"x"}`, "\xff\xfe"} {
			require.NoError(t, conn.WriteMessage(websocket.BinaryMessage, []byte(text)))
		}
		assert.NotEmpty(t, say(t, conn, question))
	}
}
