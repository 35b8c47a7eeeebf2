// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wswindowprocessor

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"github.com/cespare/xxhash/v2"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor/internal/window"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/eventblock"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// sessionReader reads what sessions need of event records. A nil one reads nothing.
type sessionReader struct {
	config *SessionsConfig
}

func newSessionReader(config *SessionsConfig) *sessionReader {
	if !config.Enabled {
		return nil
	}
	return &sessionReader{config: config}
}

func (r *sessionReader) start(b *batch) {
	if r == nil {
		return
	}
	clear(b.details) // they refer to texts of the last batch
	clear(b.records)
	b.details, b.records = b.details[:0], b.records[:0]
}

// add adds the detail of the latest event.
func (r *sessionReader) add(b *batch, kind window.Kind, record plog.LogRecord) {
	if r == nil {
		return
	}
	var detail window.Detail
	if b.events[len(b.events)-1].Channel != 0 {
		attributes := record.Attributes()
		id, _ := attributes.Get(wsevent.ChannelID)
		detail.ChannelID = id.Str()
		if kind == window.ConnectionOpen || kind == window.ConnectionClose {
			if user, ok := attributes.Get(wsevent.UserID); ok {
				r.user(&detail, user.Str())
			}
		}
		if kind == window.ConnectionClose {
			detail.CloseCode, detail.HasCode = wslog.Int(attributes, wsevent.CloseCode)
			if reason, ok := attributes.Get(wsevent.CloseReason); ok {
				detail.CloseReason = reason.Str()
			}
		}
	}
	b.details, b.records = append(b.details, detail), append(b.records, record)
}

// addOfBlock is add for an event of a block. The block is not of one session, so it is not
// stamped.
func (r *sessionReader) addOfBlock(b *batch, e *eventblock.Event) {
	if r == nil {
		return
	}
	var detail window.Detail
	if e.Channel != 0 && !e.Kind.Message() {
		detail.ChannelID = string(e.ChannelID)
		r.user(&detail, string(e.UserID))
		if e.Kind == eventblock.ConnectionClose {
			detail.CloseCode, detail.HasCode, detail.CloseReason = max(0, e.CloseCode), e.HasCode, string(e.CloseReason)
		}
	}
	b.details, b.records = append(b.details, detail), append(b.records, notStamped)
}

// replace replaces the details from an index on by that of one event that has none.
func (r *sessionReader) replace(b *batch, begin int) {
	if r != nil {
		b.details, b.records = append(b.details[:begin], window.Detail{}), append(b.records[:begin], notStamped)
	}
}

// notStamped stands for the record of an event that has none of its own. It is never written.
var notStamped = func() plog.LogRecord {
	record := plog.NewLogRecord()
	record.SetTraceID(pcommon.TraceID{1})
	return record
}()

// user adds whose session it is.
func (r *sessionReader) user(detail *window.Detail, user string) {
	if user == "" {
		return
	}
	detail.User = max(1, xxhash.Sum64String(user))
	switch r.config.UserID {
	case userFull:
		detail.UserID = user
	case userPseudonym:
		hash := hmac.New(sha256.New, []byte(r.config.PseudonymKey))
		hash.Write([]byte(user))
		detail.UserID = hex.EncodeToString(hash.Sum(nil)[:16])
	}
}

// finish gives the events their details, now that those move no more.
func (r *sessionReader) finish(b *batch) {
	if r == nil {
		return
	}
	for i := range b.events {
		if b.events[i].Channel != 0 {
			b.events[i].Detail = &b.details[i]
		}
	}
}

// stamp writes the trace of its session into each event record that has none.
func (s *shard) stamp(b *batch) {
	if b.sessions == nil {
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.stampRecords(b)
	if b.copies != nil {
		s.stampRecords(b.copies)
	}
}

func (s *shard) stampRecords(b *batch) {
	s.engine.Traces(b.groups, func(group, event int, of wsevent.SpanContext) {
		if group > 0 {
			event += b.ends[group-1]
		}
		if record := b.records[event]; record.TraceID().IsEmpty() {
			record.SetTraceID(pcommon.TraceID(of.TraceID))
			record.SetSpanID(pcommon.SpanID(of.SpanID))
		}
	})
}

// maxWaitingSessions is how many sessions of a shard wait for downstream before event
// records are refused. Those that expire meanwhile are added.
const maxWaitingSessions = 100_000

// waitingSessions wait for downstream, and how many of them are in a checkpoint.
type waitingSessions struct {
	records []wsevent.Session
	saved   int
}

func (w *waitingSessions) sent(n int) {
	w.records = w.records[n:]
	w.saved = max(0, w.saved-n)
	if len(w.records) == 0 {
		w.records = nil
	}
}

func (s *shard) drainSessions() {
	ended := s.engine.DrainSessions()
	for i := range ended {
		ended[i].Pseudonym = s.config.Sessions.UserID == userPseudonym
	}
	s.sessions.records = append(s.sessions.records, ended...)
}

func (s *shard) waitingSessions() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.sessions.records)
}

// encodeSessions writes session records. Those in a row with the same tags share a
// resource.
func encodeSessions(resources plog.ResourceLogsSlice, sessions []wsevent.Session, observed pcommon.Timestamp) {
	var records plog.LogRecordSlice
	for i := range sessions {
		if i == 0 || sessions[i].Tags != sessions[i-1].Tags {
			resource := resources.AppendEmpty()
			wslog.PutTags(resource.Resource().Attributes(), sessions[i].Tags)
			scope := resource.ScopeLogs().AppendEmpty()
			scope.Scope().SetName(metadata.ScopeName)
			records = scope.LogRecords()
		}
		record := records.AppendEmpty()
		record.SetObservedTimestamp(observed)
		wslog.EncodeSession(record, &sessions[i])
	}
}
