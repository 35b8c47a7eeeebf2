// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// sessionTruth is what happened in a session, by the record of a simulator.
type sessionTruth struct {
	start, end     int64 // unix ms
	outcome        string
	code           int64
	sent, received int64
	bytes          int64
	receive, reply int64  // unix ms; 0: none
	reconnectOf    string // channel of the dropped session of the same user; "": none
}

// sessionsOf reads the sessions that have ended out of the record of a simulator, by channel.
func sessionsOf(t testing.TB, path string) map[string]sessionTruth {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	all := map[string]sessionTruth{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var line struct {
			ReconnectOf string `json:"reconnect_of"`
			Event       struct {
				Type        string `json:"type"`
				Timestamp   int64  `json:"timestamp"`
				ChannelID   string `json:"channelId"`
				PayloadSize int64  `json:"payloadSize"`
				Code        int64  `json:"code"`
			} `json:"event"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line), lines.Text())
		e, s := line.Event, all[line.Event.ChannelID]
		require.Zero(t, s.end, "a channel is used once")
		switch e.Type {
		case wsevent.ConnectionOpen:
			s.start, s.reconnectOf = e.Timestamp, line.ReconnectOf
		case wsevent.ConnectionClose:
			s.end, s.code, s.outcome = e.Timestamp, e.Code, wsevent.OutcomeDropped
			if e.Code == 1000 || e.Code == 1001 {
				s.outcome = wsevent.OutcomeClosed
			}
		case wsevent.MessageReceive:
			s.received++
			if s.receive == 0 {
				s.receive = e.Timestamp
			}
		case wsevent.MessageSend:
			s.sent++
			if s.receive != 0 && s.reply == 0 && e.Timestamp > s.receive {
				s.reply = e.Timestamp
			}
		}
		s.bytes += e.PayloadSize
		all[e.ChannelID] = s
	}
	require.NoError(t, lines.Err())
	for id, s := range all {
		if s.end == 0 {
			delete(all, id)
		}
	}
	return all
}

// disagrees returns what a record says other than the simulator.
func (s sessionTruth) disagrees(r wsevent.Session) error {
	got := sessionTruth{
		start: int64(r.Start), end: int64(r.End), outcome: r.Outcome, code: r.CloseCode, sent: r.MessagesSent, received: r.MessagesReceived, bytes: r.PayloadBytes,
	}
	reply := int64(0)
	if s.reply != 0 {
		reply = s.reply - s.receive
	}
	want := s
	want.receive, want.reply, want.reconnectOf = 0, 0, ""
	if got != want || r.FirstReply.Milliseconds() != reply || r.FirstReplyKnown != (s.reply != 0) {
		return fmt.Errorf("session of %s: %+v with a first reply of %v; the simulator has %+v", r.ChannelID, got, r.FirstReply, s)
	}
	return nil
}

// sessionSink takes records and traces by OTLP over HTTP, and remembers sessions.
type sessionSink struct {
	*httptest.Server
	mutex          sync.Mutex
	records        map[wsevent.TraceID]wsevent.Session // of sessions that have ended
	events         map[wsevent.TraceID][]string        // EventNames of event records
	spans          map[wsevent.TraceID]ptrace.Span
	reopened       map[wsevent.Tags]int64 // by series, in total
	contradictions []string
}

func startSessionSink(t testing.TB) *sessionSink {
	t.Helper()
	s := &sessionSink{
		records: map[wsevent.TraceID]wsevent.Session{}, events: map[wsevent.TraceID][]string{}, spans: map[wsevent.TraceID]ptrace.Span{},
		reopened: map[wsevent.Tags]int64{},
	}
	s.Server = serveOTLP(t, s.take)
	return s
}

func (s *sessionSink) take(r *http.Request, body []byte) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case strings.HasSuffix(r.URL.Path, "/v1/logs"):
		request := plogotlp.NewExportRequest()
		if err := request.UnmarshalProto(body); err != nil {
			return err
		}
		return s.takeLogs(request.Logs())
	case strings.HasSuffix(r.URL.Path, "/v1/traces"):
		request := ptraceotlp.NewExportRequest()
		if err := request.UnmarshalProto(body); err != nil {
			return err
		}
		for _, resource := range request.Traces().ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					s.spans[wsevent.TraceID(span.TraceID())] = span
				}
			}
		}
	}
	return nil
}

func (s *sessionSink) takeLogs(logs plog.Logs) error {
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				id := wsevent.TraceID(record.TraceID())
				switch {
				case wslog.IsSession(record):
					session, err := wslog.DecodeSession(record, resource.Resource().Attributes())
					if err != nil {
						return err
					}
					s.note(session)
				case wslog.IsWindow(record):
					window, err := wslog.DecodeRecord(record)
					if err != nil {
						return err
					}
					total, _ := wslog.Int(window.Totals, wsevent.FieldConnectionsReopened)
					s.reopened[window.Tags] = max(s.reopened[window.Tags], total)
				case !record.TraceID().IsEmpty():
					s.events[id] = append(s.events[id], record.EventName())
				}
			}
		}
	}
	return nil
}

func (s *sessionSink) note(session wsevent.Session) {
	if before, again := s.records[session.TraceID]; again && !assert.ObjectsAreEqual(before, session) {
		s.contradictions = append(s.contradictions, fmt.Sprintf("first %+v, then %+v", before, session))
	}
	s.records[session.TraceID] = session
}

func (s *sessionSink) recorded() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.records)
}

// byChannel returns the records, and fails where a channel has two.
func (s *sessionSink) byChannel() (all map[string]wsevent.Session, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.contradictions) > 0 {
		return nil, errors.New(strings.Join(s.contradictions, "\n"))
	}
	all = map[string]wsevent.Session{}
	for _, record := range s.records {
		if other, twice := all[record.ChannelID]; twice {
			return nil, fmt.Errorf("the session of %s has two IDs: %s and %s", record.ChannelID, other.TraceID, record.TraceID)
		}
		all[record.ChannelID] = record
	}
	return all, nil
}

// agree returns what the records say other than the simulator: an invented session, another number,
// or another session that one is the reconnect of.
func agree(records map[string]wsevent.Session, truth map[string]sessionTruth) error {
	if len(records) != len(truth) {
		return fmt.Errorf("%d sessions, the simulator has %d", len(records), len(truth))
	}
	for id, want := range truth {
		record := records[id]
		if err := want.disagrees(record); err != nil {
			return err
		}
		if !record.Complete {
			return fmt.Errorf("a session is incomplete: %+v", record)
		}
		var before wsevent.TraceID
		if want.reconnectOf != "" {
			before = records[want.reconnectOf].TraceID
		}
		if record.ReconnectOf.TraceID != before {
			return fmt.Errorf("%+v is the reconnect of another session than %s, that of channel %q", record, before, want.reconnectOf)
		}
	}
	return nil
}

// hasReopened returns an error while the windows have another number of reconnects in total.
func (s *sessionSink) hasReopened(want int64) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	got := int64(0)
	for _, total := range s.reopened {
		got += total
	}
	if got != want {
		return fmt.Errorf("connections_reopened is %d in total, the simulator has %d", got, want)
	}
	return nil
}

// hasAll returns an error while a session that has ended has no record.
func (s *sessionSink) hasAll(truth map[string]sessionTruth) error {
	records, err := s.byChannel()
	if err != nil {
		return err
	}
	missing := 0
	for id := range truth {
		if _, ok := records[id]; !ok {
			missing++
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d of %d sessions have no record", missing, len(truth))
	}
	return nil
}

// linkedAlert is what the webhook of config/traces.yaml sends.
type linkedAlert struct {
	Status string   `json:"status"`
	Traces []string `json:"traces"`
	Alert  struct {
		Traces []string `json:"traces"`
	} `json:"alert"`
}

// startLinkSink receives them.
func startLinkSink(t testing.TB) (address string, firing func() (linkedAlert, error)) {
	t.Helper()
	var mutex sync.Mutex
	var got []linkedAlert
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var a linkedAlert
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &a)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mutex.Lock()
		defer mutex.Unlock()
		got = append(got, a)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() (linkedAlert, error) {
		mutex.Lock()
		defer mutex.Unlock()
		for _, a := range got {
			if a.Status == wsevent.StatusFiring && len(a.Traces) > 0 {
				return a, nil
			}
		}
		return linkedAlert{}, fmt.Errorf("%d alerts, none with traces", len(got))
	}
}

// exemplars are the trace IDs that a Prometheus has of a metric.
func (p prometheus) exemplars(expression string) (ids []string, err error) {
	now := time.Now()
	_, body, err := get(fmt.Sprintf("%s/api/v1/query_exemplars?query=%s&start=%d&end=%d", p.url, url.QueryEscape(expression), now.Add(-time.Hour).Unix(), now.Add(time.Hour).Unix()))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data []struct {
			Exemplars []struct {
				Labels map[string]string `json:"labels"`
			} `json:"exemplars"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", body, err)
	}
	for _, series := range answer.Data {
		for _, exemplar := range series.Exemplars {
			ids = append(ids, exemplar.Labels["trace_id"])
		}
	}
	return ids, nil
}

// The alert of a burst of drops leads to a trace, its events, and the exemplars of a real
// Prometheus; the histograms are native there.
func TestAlertLeadsToTheConversation(t *testing.T) {
	t.Parallel()
	record := filepath.Join(t.TempDir(), "truth.jsonl")
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Events, c.Announce, c.Sessions, c.Record, c.DropRate = 300, 6_000, true, 200, record, 20
	})
	server, sessions := startPrometheus(t), startSessionSink(t)
	alerts, firing := startLinkSink(t)
	shipped(t, "traces.yaml", []string{
		"TRACES_URL=" + sessions.URL, "LOKI_URL=" + sessions.URL, "PROMETHEUS_URL=" + server.url, "CCAAS_WEBHOOK=" + alerts,
		"CCAAS_WEBHOOK_SECRET=" + webhookSecret, "TRACE_PAGE=https://tempo.example.com/trace", socketURL(platform),
	}, append([]string{noOwnMetrics}, shortWindows...)...)

	var found linkedAlert
	eventually(t, func() (err error) {
		found, err = firing()
		return err
	})
	fired := time.Now()
	require.LessOrEqual(t, len(found.Traces), 5)
	require.Len(t, found.Alert.Traces, len(found.Traces))
	assert.Equal(t, "https://tempo.example.com/trace/"+found.Alert.Traces[0], found.Traces[0])
	eventually(t, func() error {
		sessions.mutex.Lock()
		defer sessions.mutex.Unlock()
		for _, id := range found.Alert.Traces {
			for trace, span := range sessions.spans {
				if trace.String() == id && span.Status().Code() == ptrace.StatusCodeError {
					return nil
				}
			}
		}
		return fmt.Errorf("none of %v among %d traces", found.Alert.Traces, len(sessions.spans))
	})
	measured(t, "trace of an alert %v after it fired", time.Since(fired).Round(time.Millisecond))

	sent(t, platform)
	truth := sessionsOf(t, record)
	eventually(t, func() error { return sessions.hasAll(truth) })
	records, err := sessions.byChannel()
	require.NoError(t, err)
	for id, want := range truth {
		require.NoError(t, want.disagrees(records[id]))
	}
	eventually(t, func() error { return sessions.eventsOf(records) })

	eventually(t, func() error {
		for _, metric := range []string{"ws_connections_dropped_total", "ws_session_duration_seconds"} {
			ids, err := server.exemplars(metric)
			if err != nil {
				return err
			}
			if len(ids) == 0 {
				return fmt.Errorf("no exemplars of %s", metric)
			}
			for _, id := range ids {
				if !sessions.hasTrace(id) {
					return fmt.Errorf("exemplar %s of %s has no trace", id, metric)
				}
			}
		}
		samples, err := server.query(`histogram_count(sum(ws_session_duration_seconds))`)
		if err != nil {
			return err
		}
		if len(samples) != 1 || int(samples[0].value) != len(truth) {
			return fmt.Errorf("%v sessions in the histogram, want %d", samples, len(truth))
		}
		quantile, err := server.query(`histogram_quantile(0.95, sum(ws_session_duration_seconds))`)
		if err == nil && (len(quantile) != 1 || quantile[0].value <= 0) {
			err = fmt.Errorf("no quantile: %v", quantile)
		}
		return err
	})
}

// eventsOf returns an error while an event of a session has another trace ID, or none.
func (s *sessionSink) eventsOf(records map[string]wsevent.Session) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, record := range records {
		if n := len(s.events[record.TraceID]); int64(n) != record.MessagesSent+record.MessagesReceived+2 {
			return fmt.Errorf("%d events have the trace ID of %+v", n, record)
		}
	}
	return nil
}

func (s *sessionSink) hasTrace(id string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for trace := range s.spans {
		if trace.String() == id {
			return true
		}
	}
	return false
}
