// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatautil"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// message is a record to be delivered.
type message struct {
	payload.Message

	observed time.Time // the record's ObservedTimestamp
	err      error     // why the record has no payload
}

// resolved reports whether the message ends its episode.
func (m *message) resolved() bool {
	body, _ := m.Body.(map[string]any)
	return m.Event == wsevent.AlertResolved || body[wsevent.KeyStatus] == wsevent.StatusResolved
}

// messagesOf returns a message for each record, in order.
func messagesOf(logs plog.Logs) []*message {
	messages := make([]*message, 0, logs.LogRecordCount())
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				messages = append(messages, messageOf(resource.Resource(), record))
			}
		}
	}
	return messages
}

func messageOf(resource pcommon.Resource, record plog.LogRecord) *message {
	m := &message{observed: record.ObservedTimestamp().AsTime(), Message: payload.Message{
		Event:    record.EventName(),
		Severity: severityOf(record),
		Time:     record.Timestamp().AsTime(),
	}}
	if id, ok := record.Attributes().Get(wsevent.AlertID); ok {
		m.AlertID = id.AsString()
	}
	m.Content, m.err = contentOf(record.Body())
	if m.err == nil {
		m.Body = wslog.AlertBody(record.Body())
		m.Attributes = record.Attributes().AsRaw()
		m.Resource = resource.Attributes().AsRaw()
	} else {
		m.Content.Body = []byte(record.Body().AsString()) // for the dead letter
	}
	m.ID = idOf(m, resource, record)
	return m
}

// contentOf returns a body as it is sent: text unchanged, everything else as JSON.
func contentOf(body pcommon.Value) (payload.Payload, error) {
	switch body.Type() {
	case pcommon.ValueTypeStr:
		text := []byte(body.Str())
		return payload.Payload{Body: text, ContentType: contentType(text)}, nil
	case pcommon.ValueTypeBytes:
		raw := body.Bytes().AsRaw()
		return payload.Payload{Body: raw, ContentType: contentType(raw)}, nil
	default:
		value, err := jsonValue(body.AsRaw(), 0)
		if err != nil {
			return payload.Payload{}, err
		}
		text, err := json.Marshal(value)
		return payload.Payload{Body: text, ContentType: payload.JSON}, err
	}
}

func contentType(text []byte) string {
	switch {
	case json.Valid(text):
		return payload.JSON
	case utf8.Valid(text):
		return "text/plain; charset=utf-8"
	default:
		return "application/octet-stream"
	}
}

// maxDepth bounds the nesting of a body.
const maxDepth = 100

var errTooDeep = errors.New("body: nested more than 100 deep")

// jsonValue replaces numbers that JSON does not have, NaN and the infinities, by null, in
// the maps and slices that it is given.
func jsonValue(value any, depth int) (_ any, err error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	switch v := value.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			value = nil
		}
	case []any:
		for i := range v {
			if v[i], err = jsonValue(v[i], depth+1); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], err = jsonValue(v[key], depth+1); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

// severityOf returns the severity as one of OpenTelemetry's six short names.
func severityOf(record plog.LogRecord) string {
	number := record.SeverityNumber()
	if number < plog.SeverityNumberTrace || number > plog.SeverityNumberFatal4 {
		return strings.ToLower(record.SeverityText())
	}
	words := [...]string{"trace", "debug", "info", "warn", "error", "fatal"}
	return words[(number-plog.SeverityNumberTrace)/4]
}

// idOf returns the webhook-id. It depends on the content of the record alone, so that it is
// the same after a restart, and where an alert is emitted again after a crash. For an alert
// that is the episode, its status, its severity and the window, so that a repetition has an
// id of its own; for any other record everything but the time of its arrival.
func idOf(m *message, resource pcommon.Resource, record plog.LogRecord) string {
	parts := []pdatautil.HashOption{
		pdatautil.WithString(m.Event), pdatautil.WithString(strconv.FormatUint(uint64(record.Timestamp()), 10)),
		pdatautil.WithString(m.Severity), pdatautil.WithString(m.AlertID),
	}
	if m.AlertID == "" {
		parts = append(parts, pdatautil.WithValue(record.Body()), pdatautil.WithMap(resource.Attributes()),
			pdatautil.WithString(""), pdatautil.WithMap(record.Attributes()))
	}
	id := pdatautil.Hash(parts...)
	return "msg_" + hex.EncodeToString(id[:])
}
