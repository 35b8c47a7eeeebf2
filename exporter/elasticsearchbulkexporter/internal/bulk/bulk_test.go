// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package bulk

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
)

var to = Indices{Events: "events", Windows: "windows"}

func records() (plog.Logs, plog.LogRecordSlice) {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr("tenant_id", "acme_corp")
	return logs, resource.ScopeLogs().AppendEmpty().LogRecords()
}

func someRecords() plog.Logs {
	logs, list := records()
	for range 2 { // two events that say the same
		event := list.AppendEmpty()
		event.SetEventName("message.send")
		event.SetTimestamp(1_715_623_400_123_000_000)
		event.Attributes().PutStr("ccaas.channel.id", "c1")
		event.Attributes().PutDouble("ccaas.clock.skew", math.NaN())
		event.Body().SetStr(`{"type":"message.send"}`)
	}
	window := list.AppendEmpty()
	window.SetEventName("ws_throughput")
	window.SetTimestamp(1_715_623_410_000_000_000)
	body := window.Body().SetEmptyMap()
	body.PutStr("metric", "ws_throughput")
	body.PutEmptyMap("tags").PutStr("region", "us-east-1")
	body.PutEmptyMap("fields").PutInt("active_connections", 142)
	body.PutInt("window_end", 1_715_623_410_000)
	return logs
}

func TestRequest(t *testing.T) {
	t.Parallel()
	body, documents, invalid := Request(someRecords(), to)
	assert.Equal(t, 3, documents)
	assert.Zero(t, invalid)
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	require.Len(t, lines, 6)
	assert.JSONEq(t, `{"@timestamp":"2024-05-13T18:03:20.123Z","event.action":"message.send","tenant_id":"acme_corp",
		"ccaas.channel.id":"c1","ccaas.clock.skew":null,"body":"{\"type\":\"message.send\"}"}`, lines[1])
	assert.JSONEq(t, `{"@timestamp":"2024-05-13T18:03:30Z","metric":"ws_throughput","tags":{"region":"us-east-1"},
		"fields":{"active_connections":142},"window_end":1715623410000}`, lines[5])
	var identifiers []string
	for i, index := range []string{"events", "events", "windows"} {
		var action struct {
			Create struct {
				Index string `json:"_index"`
				ID    string `json:"_id"`
			}
		}
		require.NoError(t, json.Unmarshal([]byte(lines[2*i]), &action))
		assert.Equal(t, index, action.Create.Index)
		assert.Len(t, action.Create.ID, 22)
		assert.NotContains(t, identifiers, action.Create.ID)
		identifiers = append(identifiers, action.Create.ID)
	}
	again, _, _ := Request(someRecords(), to)
	assert.Equal(t, string(body), string(again), "a retry has the same identifiers")
}

// A window that is emitted again, with other fields, is the same window; an event that arrives later is another.
func TestRequest_Identity(t *testing.T) {
	t.Parallel()
	identifiers := func(logs plog.Logs) (found []string) {
		body, _, _ := Request(logs, to)
		for i, line := range strings.Split(string(body), "\n") {
			if i%2 == 0 && line != "" {
				found = append(found, line)
			}
		}
		return found
	}
	before := identifiers(someRecords())
	logs := someRecords()
	list := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	list.At(0).SetObservedTimestamp(7)
	list.At(2).Body().Map().PutInt("step_ms", 9000)
	after := identifiers(logs)
	assert.NotContains(t, before, after[0])
	assert.Equal(t, before[2], after[2])
}

func TestRead(t *testing.T) {
	t.Parallel()
	result, err := Read([]byte(`{"items":[{"create":{"status":201}},{"create":{"status":409}},{"create":{"status":400,"error":{"type":"a"}}},{"create":{"status":503,"error":"b"}}]}`))
	require.NoError(t, err)
	assert.Equal(t, Result{Duplicates: 1, Rejected: 1, Retry: 1, Reason: `"b"`}, result)
	_, err = Read([]byte("<html>"))
	require.Error(t, err)
}
