// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/promalert/alertlog"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// message is a record to be delivered.
type message struct {
	payload.Message

	// observed is the record's ObservedTimestamp.
	observed time.Time

	// err says why there is nothing that could be sent.
	err error
}

// messagesOf makes a message of each record, in order.
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
	if m.err != nil {
		m.Content.Body = []byte(record.Body().AsString()) // for the dead letter
	} else {
		m.Body = alertlog.Body(record.Body())
		m.Attributes = record.Attributes().AsRaw()
		m.Resource = resource.Attributes().AsRaw()
	}
	m.ID = idOf(m, resource, record)
	return m
}

// severityOf is the severity in one of OpenTelemetry's six words.
func severityOf(record plog.LogRecord) string {
	number := record.SeverityNumber()
	if number < plog.SeverityNumberTrace || number > plog.SeverityNumberFatal4 {
		return strings.ToLower(record.SeverityText())
	}
	words := [...]string{"trace", "debug", "info", "warn", "error", "fatal"}
	return words[(number-plog.SeverityNumberTrace)/4]
}

// idOf is the webhook-id. It depends on nothing but what the record says, so that
// it is the same after a restart, and where an alert is told again after a crash. For
// an alert that is the episode, firing or resolved, and the window: a reminder is
// of a later window, and so another message.
func idOf(m *message, resource pcommon.Resource, record plog.LogRecord) string {
	hash := sha256.New()
	part := func(text []byte) {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text)))) // so that parts cannot run together
		hash.Write(text)
	}
	part([]byte(m.Event))
	part(binary.BigEndian.AppendUint64(nil, uint64(record.Timestamp())))
	part([]byte(m.Severity))
	part([]byte(m.AlertID))
	if m.AlertID == "" {
		part(m.Content.Body)
		for _, attributes := range []pcommon.Map{resource.Attributes(), record.Attributes()} {
			text, _ := appendMap(nil, attributes, 0) // one that is too deep counts as none
			part(text)
		}
	}
	return "msg_" + hex.EncodeToString(hash.Sum(nil)[:16])
}
