// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// webhookSecret is the one of testdata/alerts.yaml.
const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// webhook is one POST that a sink got.
type webhook struct {
	at    time.Time
	id    string
	taken bool // answered with 2xx
	alert alert
}

// alert is what a test reads of an alert's payload.
type alert struct {
	Metric      string             `json:"metric"`
	Status      string             `json:"status"`
	AlertID     string             `json:"alert_id"`
	TenantID    string             `json:"tenant_id"`
	Region      string             `json:"region"`
	ChannelType string             `json:"channel_type"`
	FaultDomain string             `json:"fault_domain"`
	Value       float64            `json:"value"`
	WindowEnd   int64              `json:"window_end"`
	Snapshot    map[string]float64 `json:"snapshot"`
}

func (a alert) series() string { return a.TenantID + "/" + a.Region + "/" + a.ChannelType }

// Ways in which a sink answers.
type mood int

const (
	takes  mood = iota // 204
	fails              // 503
	hangs              // never
	resets             // reads, and hangs up
)

// sink is a receiver of webhooks that verifies what it gets.
type sink struct {
	url string

	mutex sync.Mutex
	mood  mood
	got   []webhook
}

func startSink(t testing.TB, in mood) *sink {
	t.Helper()
	verifier, err := webhooks.NewWebhook(webhookSecret)
	require.NoError(t, err)
	s := &sink{mood: in}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := time.Now()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the collector was killed
		}
		assert.NoError(t, verifier.Verify(body, r.Header), "the signature, by the reference library")
		assert.Equal(t, "Bearer token-5b0c", r.Header.Get("Authorization"))
		got := webhook{at: at, id: r.Header.Get(webhooks.HeaderWebhookID)}
		assert.NoError(t, json.Unmarshal(body, &got.alert), string(body))
		switch s.add(got) {
		case fails:
			w.WriteHeader(http.StatusServiceUnavailable)
		case hangs:
			<-r.Context().Done()
		case resets:
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *sink) add(got webhook) mood {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	got.taken = s.mood == takes
	s.got = append(s.got, got)
	return s.mood
}

func (s *sink) set(in mood) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.mood = in
}

func (s *sink) all() []webhook {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.got)
}

// taken are those that the sink has taken.
func (s *sink) taken() []webhook {
	return slices.DeleteFunc(s.all(), func(w webhook) bool { return !w.taken })
}
