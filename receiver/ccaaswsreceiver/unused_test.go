// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

func TestUnused_EntriesThatMatchNoEvent(t *testing.T) {
	t.Parallel()
	config := configFor("ws://127.0.0.1:1")
	config.Types = jsonevent.Types{
		"message.send":     {{"kind": {"msg"}}, {"kind": {"mail"}}},
		"connection.close": {{"kind": {"bye"}}},
	}
	config.Fields.Type = ""
	config.Fields.UserID = "customer.id"       // sent
	config.Fields.Region = "data.region"       // never sent
	config.Fields.CloseReason = "close.reason" // no close, not judged
	b := newBench(t, config)
	conn, err := b.connection(0, newStatus(func(*componentstatus.Event) {}), plainDecode)
	require.NoError(t, err)
	conn.session = wsclient.New(wsclient.Settings{}, conn)
	began := time.Now()
	for second := range 70 {
		for range 4 {
			conn.Text([]byte(`{"kind":"msg","timestamp":1715623400123,"channelId":"a","customer":{"id":"b"}}`), began.Add(time.Duration(second)*time.Second), 1)
		}
	}
	logged := b.logs.FilterMessageSnippet("have matched no event").All()
	require.Len(t, logged, 1, "once")
	fields := logged[0].ContextMap()
	assert.Equal(t, []any{
		"types::connection.close[0]: 0 of 241 events", "types::message.send[1]: 0 of 241 events",
		"fields::region: data.region: 0 of 241 events",
	}, fields["entries"])
	assert.Equal(t, time.Minute, fields["for"])
}

func TestUnused_EveryEntryMatches(t *testing.T) {
	t.Parallel()
	config := configFor("ws://127.0.0.1:1")
	config.Fields.UserID = "customer.id"
	b := newBench(t, config)
	conn, err := b.connection(0, newStatus(func(*componentstatus.Event) {}), plainDecode)
	require.NoError(t, err)
	conn.session = wsclient.New(wsclient.Settings{}, conn)
	began := time.Now()
	for second := range 200 {
		conn.Text([]byte(`{"type":"message.send","timestamp":1715623400123,"channelId":"a","customer":{"id":"b"}}`), began.Add(time.Duration(second)*time.Second), 1)
	}
	assert.Zero(t, b.logs.FilterMessageSnippet("have matched no event").Len())
}
