// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// otlpSink takes OTLP over HTTP, as Loki, Elastic, Tempo and others do, and remembers
// what came.
type otlpSink struct {
	*httptest.Server
	mutex    sync.Mutex
	events   map[string]int      // log records, by EventName
	labels   map[string]bool     // resource attributes that every log record has had
	metrics  map[string]bool     // names
	requests map[string]int      // by path
	headers  map[string][]string // of the last request
}

func startOTLPSink(t testing.TB) *otlpSink {
	t.Helper()
	s := &otlpSink{events: map[string]int{}, metrics: map[string]bool{}, requests: map[string]int{}}
	s.Server = serveOTLP(t, s.take)
	return s
}

// serveOTLP is a server of OTLP over HTTP that passes the body of every request to take.
func serveOTLP(t testing.TB, take func(r *http.Request, body []byte) error) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := content(r)
		if err == nil {
			err = take(r, body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	return server
}

func content(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(r.Body)
	}
	unzipped, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unzipped)
}

func (s *otlpSink) take(r *http.Request, body []byte) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.requests[r.URL.Path]++
	s.headers = r.Header
	switch {
	case strings.HasSuffix(r.URL.Path, "/v1/logs"):
		return s.takeLogs(body)
	case strings.HasSuffix(r.URL.Path, "/v1/metrics"):
		return s.takeMetrics(body)
	default:
		return nil
	}
}

func (s *otlpSink) takeLogs(body []byte) error {
	request := plogotlp.NewExportRequest()
	if err := request.UnmarshalProto(body); err != nil {
		return err
	}
	for _, resource := range request.Logs().ResourceLogs().All() {
		if s.labels == nil {
			s.labels = map[string]bool{"tenant_id": true, "region": true, "channel_type": true}
		}
		for label := range s.labels {
			if _, there := resource.Resource().Attributes().Get(label); !there {
				delete(s.labels, label)
			}
		}
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				s.events[record.EventName()]++
			}
		}
	}
	return nil
}

func (s *otlpSink) takeMetrics(body []byte) error {
	request := pmetricotlp.NewExportRequest()
	if err := request.UnmarshalProto(body); err != nil {
		return err
	}
	for _, resource := range request.Metrics().ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				s.metrics[metric.Name()] = true
			}
		}
	}
	return nil
}

// seen calls look with what has come so far.
func (s *otlpSink) seen(look func() error) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return look()
}
