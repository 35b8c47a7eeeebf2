// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadatatest"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

const strangeFrame = `{"kind":"chat","customer":{"phone":"+49 30 1234","name":"Ada"},"parts":[{"text":"secret words"}]}`

func TestUnmatched_TypesThatMatchNothing(t *testing.T) {
	t.Parallel()
	config := configFor("ws://127.0.0.1:1")
	config.Types = jsonevent.Types{"message.send": {{"kind": {"mail"}}}}
	b := newBench(t, config)
	conn, err := b.connection(0, newStatus(func(*componentstatus.Event) {}), plainDecode)
	require.NoError(t, err)
	conn.session = wsclient.New(wsclient.Settings{}, conn)
	began := time.Now()
	for second := range 60 {
		at := began.Add(time.Duration(second) * time.Second)
		for range 4 {
			conn.Text([]byte(strangeFrame), at, 1)
		}
		conn.tick(at)
	}
	logged := b.logs.FilterMessageSnippet("none of them has an event").All()
	require.Len(t, logged, 1, "once")
	fields := logged[0].ContextMap()
	assert.Equal(t, []any{"customer.name", "customer.phone", "kind", "parts[0].text"}, fields["keys"])
	assert.Equal(t, 30*time.Second, fields["for"])
	assert.Equal(t, int64(31*4), fields["frames"])
	for _, value := range []string{"Ada", "1234", "secret"} {
		assert.NotContains(t, fmt.Sprint(fields), value)
	}
	ignore := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualCcaasWsFrames(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 240}}, ignore)
	metadatatest.AssertEqualCcaasWsIgnored(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 240}}, ignore)
	metadatatest.AssertEqualCcaasWsIo(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: int64(240 * len(strangeFrame))}}, ignore)
}

func TestUnmatched_AnEventEndsIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, configFor("ws://127.0.0.1:1"))
	conn, err := b.connection(0, newStatus(func(*componentstatus.Event) {}), plainDecode)
	require.NoError(t, err)
	conn.session = wsclient.New(wsclient.Settings{}, conn)
	began := time.Now()
	conn.Text([]byte(`{"kind":"hello"}`), began, 1)
	conn.Text(of("globex", 1), began.Add(time.Second), 1)
	conn.Text([]byte(`{"kind":"hello"}`), began.Add(2*time.Second), 1)
	conn.tick(began.Add(time.Minute))
	assert.Zero(t, b.logs.FilterMessageSnippet("none of them has an event").Len())
}

func TestUnmatched_FieldsThatMatchNothing(t *testing.T) {
	t.Parallel()
	config := configFor("ws://127.0.0.1:1")
	config.Fields.Type = "envelope.type"
	b := newBench(t, config)
	conn, err := b.connection(0, newStatus(func(*componentstatus.Event) {}), plainDecode)
	require.NoError(t, err)
	conn.session = wsclient.New(wsclient.Settings{}, conn)
	began := time.Now()
	conn.Text(of("globex", 1), began, 1)
	conn.tick(began.Add(29 * time.Second))
	assert.Zero(t, b.logs.FilterMessageSnippet("none of them has an event").Len())
	conn.tick(began.Add(30 * time.Second))
	assert.Equal(t, 1, b.logs.FilterMessageSnippet("none of them has an event").Len())
}

func TestKeysOf(t *testing.T) {
	t.Parallel()
	deep := `{"a":{"b":{"c":{"d":{"e":{"f":1}}}}}}`
	for text, want := range map[string][]string{
		`hello`:                             nil,
		`"text"`:                            nil,
		`[]`:                                nil,
		`{"b":1,"a":{"x":null}}`:            {"a.x", "b"},
		`[{"a":1},{"b":2}]`:                 {"a"},
		`{"a":1}` + "\n" + `{"b":2}`:        {"a"},
		`{"+49 30 1234":{"ada@x.org":1}}`:   {"[redacted].[redacted]"},
		`{"4930123456":1,"ok_1":2,"":3}`:    {"[redacted]", "ok_1"},
		`{"list":[],"object":{},"l":[[1]]}`: {"l[0][0]", "list"},
		deep:                                {"a.b.c.d.e"},
		`{"a":`:                             nil,
	} {
		assert.ElementsMatch(t, want, keysOf([]byte(text)), text)
	}
	many := []byte("{")
	for i := range 100 {
		many = fmt.Appendf(many, `"k%02d":1,`, i)
	}
	keys := keysOf(append(many, `"z":1}`...))
	require.Len(t, keys, maxKeys+1)
	assert.Equal(t, "… and 41 more", keys[maxKeys])
}
