// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package bulk writes requests of the bulk API and reads its responses. It holds no clock and no connection.
package bulk

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// Indices are where documents go. Those without an index are left out.
type Indices struct{ Events, Windows string }

// Request is the body of a bulk request: an action and a document for each record. Documents without an encoding are
// left out and counted.
//
// The identifier of a document is a hash of what it says, so that a request that is sent again creates nothing twice.
// Equal records of a batch, which are two events, are distinguished by their number.
func Request(logs plog.Logs, to Indices) (body []byte, documents, invalid int) {
	var out bytes.Buffer
	seen := map[string]int{}
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				index, identity, fields := to.Events, "", event(resource.Resource(), record)
				if isWindow(record) {
					index, fields = to.Windows, window(record)
					identity = windowIdentity(fields)
				}
				if index == "" {
					continue
				}
				document, err := json.Marshal(fields)
				if err != nil {
					invalid++
					continue
				}
				if identity == "" {
					identity = fmt.Sprintf("%d %s", record.ObservedTimestamp(), document)
				}
				seen[identity]++
				sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", seen[identity], identity))
				action, err := json.Marshal(map[string]any{"create": map[string]any{"_index": index, "_id": base64.RawURLEncoding.EncodeToString(sum[:16])}})
				if err != nil {
					invalid++
					continue
				}
				out.Write(action)
				out.WriteByte('\n')
				out.Write(document)
				out.WriteByte('\n')
				documents++
			}
		}
	}
	return out.Bytes(), documents, invalid
}

// isWindow reports whether a record holds a window.
func isWindow(record plog.LogRecord) bool {
	return record.EventName() == wsevent.ThroughputMetric && record.Body().Type() == pcommon.ValueTypeMap
}

// Windows returns a copy of the records that hold windows, without the other records.
func Windows(logs plog.Logs) plog.Logs {
	windows := plog.NewLogs()
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			var to plog.LogRecordSlice
			found := false
			for _, record := range scope.LogRecords().All() {
				if !isWindow(record) {
					continue
				}
				if !found {
					of := windows.ResourceLogs().AppendEmpty()
					resource.Resource().CopyTo(of.Resource())
					in := of.ScopeLogs().AppendEmpty()
					scope.Scope().CopyTo(in.Scope())
					to, found = in.LogRecords(), true
				}
				record.CopyTo(to.AppendEmpty())
			}
		}
	}
	return windows
}

// event is a document of a record: dimensions and attributes by their names, the body as it is.
func event(resource pcommon.Resource, record plog.LogRecord) map[string]any {
	document := map[string]any{"@timestamp": timestamp(record), "event.action": record.EventName()}
	for _, attributes := range []pcommon.Map{resource.Attributes(), record.Attributes()} {
		for name, value := range attributes.All() {
			document[name] = finite(value.AsRaw())
		}
	}
	if record.Body().Type() != pcommon.ValueTypeEmpty {
		document["body"] = record.Body().AsString()
	}
	return document
}

// window is a document of a window record: its body, with the time that data streams need.
func window(record plog.LogRecord) map[string]any {
	document, _ := finite(record.Body().Map().AsRaw()).(map[string]any)
	document["@timestamp"] = timestamp(record)
	return document
}

// windowIdentity is the series and the end of a window, which is emitted once.
func windowIdentity(document map[string]any) string {
	tags, err := json.Marshal(document[wsevent.KeyTags])
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %s %v", document[wsevent.KeyMetric], tags, document[wsevent.KeyWindowEnd])
}

func timestamp(record plog.LogRecord) string {
	at := record.Timestamp()
	if at == 0 {
		at = record.ObservedTimestamp()
	}
	return at.AsTime().UTC().Format(time.RFC3339Nano)
}

// finite replaces numbers that JSON does not have by null.
func finite(value any) any {
	switch v := value.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
	case map[string]any:
		for key, inner := range v {
			v[key] = finite(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = finite(inner)
		}
	}
	return value
}

// Result is what a response says of the documents of a request.
type Result struct {
	Duplicates int    // were there already
	Rejected   int    // are wrong, and lost
	Retry      int    // can be sent again
	Reason     string // of one that was rejected or can be sent again
}

// Read reads a response whose status is 200.
func Read(body []byte) (Result, error) {
	var response struct {
		Items []map[string]struct {
			Status int
			Error  json.RawMessage
		}
	}
	var result Result
	if err := json.Unmarshal(body, &response); err != nil {
		return result, fmt.Errorf("the response of the bulk API is not valid: %w", err)
	}
	for _, item := range response.Items {
		for _, action := range item {
			switch status := action.Status; {
			case status >= 200 && status <= 299:
				continue
			case status == 409:
				result.Duplicates++
				continue
			case status == 429 || status >= 500:
				result.Retry++
			default:
				result.Rejected++
			}
			result.Reason = string(action.Error[:min(len(action.Error), 500)])
		}
	}
	return result, nil
}
