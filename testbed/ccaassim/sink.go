// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
)

const (
	webhooksKept = 1000
	webhookBytes = 64 << 10
)

// Webhook is one POST to the sink.
type Webhook struct {
	Time   int64       `json:"time"` // unix ms, of its arrival
	Path   string      `json:"path"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
	Status int         `json:"status"` // answered; 0: reset, or not answered yet
}

// sink takes webhooks and keeps the latest.
type sink struct {
	mu       sync.Mutex
	log      io.Writer // a line for each; nil: none
	received int64
	webhooks []*Webhook // the latest, oldest first
}

func (s *sink) add(w *Webhook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received++
	if len(s.webhooks) == webhooksKept {
		s.webhooks = slices.Delete(s.webhooks, 0, 1)
	}
	s.webhooks = append(s.webhooks, w)
}

// answered notes the answer to a webhook, and logs it.
func (s *sink) answered(w *Webhook, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Status = status
	if s.log == nil {
		return
	}
	outcome := strconv.Itoa(status)
	if status == 0 {
		outcome = "reset"
	}
	_, _ = fmt.Fprintf(s.log, "webhook %s %s %s\n", w.Path, outcome, lineOf([]byte(w.Body)))
}

// lineOf is a webhook in one line: the main fields of an alert, or the complete body.
func lineOf(body []byte) string {
	for _, head := range []func([]byte) string{headOf, groupOf} {
		if line := head(body); line != "" {
			return line
		}
	}
	var line bytes.Buffer
	if json.Compact(&line, body) != nil {
		return strconv.Quote(string(body))
	}
	return line.String()
}

// headOf is the main fields of an alert; empty when the body is none.
func headOf(body []byte) string {
	var alert struct {
		Status    string   `json:"status"`
		Severity  string   `json:"alert_type"`
		Rule      string   `json:"metric"`
		Region    string   `json:"region"`
		Tenant    string   `json:"tenant_id"`
		Channel   string   `json:"channel_type"`
		Value     *float64 `json:"value"`
		Threshold *float64 `json:"threshold"`
		Context   string   `json:"context"`
	}
	if json.Unmarshal(body, &alert) != nil || alert.Status == "" || alert.Rule == "" {
		return ""
	}
	words := []string{alert.Status, alert.Severity, alert.Rule, alert.Region, alert.Tenant, alert.Channel}
	if alert.Value != nil {
		words = append(words, fmt.Sprintf("value %.4g", *alert.Value))
	}
	if alert.Threshold != nil {
		words = append(words, fmt.Sprintf("threshold %.4g", *alert.Threshold))
	}
	if alert.Status == "firing" && alert.Context != "" {
		words = append(words, fmt.Sprintf("%q", alert.Context))
	}
	return strings.Join(slices.DeleteFunc(words, func(word string) bool { return word == "" }), " ")
}

// groupOf is a notification of Alertmanager in one line: status, number of alerts, labels of
// the group and the tenants; empty when the body is none.
func groupOf(body []byte) string {
	var notification struct {
		Status string            `json:"status"`
		Group  map[string]string `json:"groupLabels"`
		Alerts []struct {
			Labels map[string]string `json:"labels"`
		} `json:"alerts"`
	}
	if json.Unmarshal(body, &notification) != nil || len(notification.Alerts) == 0 {
		return ""
	}
	words := []string{notification.Status, fmt.Sprintf("%d alerts", len(notification.Alerts))}
	for _, name := range slices.Sorted(maps.Keys(notification.Group)) {
		words = append(words, notification.Group[name])
	}
	var tenants []string
	for _, alert := range notification.Alerts {
		tenants = append(tenants, alert.Labels["tenant_id"])
	}
	slices.Sort(tenants)
	return strings.Join(append(words, strings.Join(slices.Compact(tenants), ",")), " ")
}

func (s *sink) latest() (received int64, webhooks []Webhook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	webhooks = make([]Webhook, len(s.webhooks))
	for n, w := range s.webhooks {
		webhooks[n] = *w
	}
	return s.received, webhooks
}

// Webhooks are the latest webhooks, oldest first, and how many there were in all.
func (s *Server) Webhooks() (received int64, webhooks []Webhook) { return s.sink.latest() }

// serveSink is GET /sink.
func (s *Server) serveSink(w http.ResponseWriter, _ *http.Request) {
	received, webhooks := s.sink.latest()
	api.WriteJSON(w, http.StatusOK, map[string]any{"received": received, "webhooks": webhooks})
}

// postSink is POST /sink, and any path below it.
func (s *Server) postSink(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, webhookBytes))
	if err != nil {
		api.Error(w, http.StatusRequestEntityTooLarge, err.Error())
		return
	}
	webhook := &Webhook{Time: time.Now().UnixMilli(), Path: r.URL.Path, Header: r.Header.Clone(), Body: string(body)}
	s.sink.add(webhook)
	if hang := s.host.Trouble.Now().SinkHang; hang > 0 {
		select {
		case <-time.After(hang):
		case <-r.Context().Done():
			return
		}
	}
	if s.host.Trouble.Now().SinkReset {
		s.sink.answered(webhook, 0)
		if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
			api.ResetConnection(connection)
		}
		return
	}
	if f := s.host.Trouble.Failure(func(t *fault.Trouble) *fault.Failure { return &t.SinkFail }); f.Status != 0 {
		s.sink.answered(webhook, f.Status)
		s.host.FailWith(w, f)
		return
	}
	s.sink.answered(webhook, http.StatusNoContent)
	w.WriteHeader(http.StatusNoContent)
}
