// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertmanagerexporter

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

func (f *fixture) drill(t *testing.T, query, body string) drillResponse {
	t.Helper()
	code, text := f.request(t, http.MethodPost, "/api/v1/drill"+query, body, nil)
	require.Equal(t, http.StatusOK, code, text)
	var response drillResponse
	require.NoError(t, json.Unmarshal([]byte(text), &response))
	return response
}

// A drill is a marked alert that reaches the receiver of its labels, and is resolved.
func TestDrill(t *testing.T) {
	t.Parallel()
	s := newSink(t, func() int { return http.StatusOK })
	f := begin(t, s.URL, nil)
	response := f.drill(t, "", `{"labels":{"region":"eu-west-1","severity":"warning"}}`)
	assert.True(t, response.Delivered)
	require.Len(t, response.Deliveries, 1)
	assert.Equal(t, "oncall", response.Deliveries[0].Receiver)
	assert.Equal(t, 1, response.Deliveries[0].Attempts)
	assert.Positive(t, response.Deliveries[0].Seconds)
	var notification struct {
		Alerts []struct {
			Status              string
			Labels, Annotations map[string]string
		}
	}
	require.NoError(t, json.Unmarshal((<-s.received).body, &notification))
	require.Len(t, notification.Alerts, 1)
	labels := notification.Alerts[0].Labels
	assert.Equal(t, response.Labels, labels)
	assert.Equal(t, []string{"Drill", "warning", "eu-west-1"}, []string{labels["alertname"], labels["severity"], labels[wsevent.Region]})
	assert.NotEmpty(t, labels["drill"])
	assert.Contains(t, notification.Alerts[0].Annotations["description"], "test")
	require.NoError(t, json.Unmarshal((<-s.received).body, &notification))
	assert.Equal(t, "resolved", notification.Alerts[0].Status)
}

// An alert with sessions links the first of them; one without has no such annotation.
func TestTraceURL(t *testing.T) {
	t.Parallel()
	s := newSink(t, func() int { return http.StatusOK })
	f := begin(t, s.URL, func(c *Config) { c.TraceURL = "https://tempo.example.com/trace/{{trace_id}}" })
	const first, second = "5b8a1c0e9d3f4a62b7c81d2e3f405162", "6b8a1c0e9d3f4a62b7c81d2e3f405162"
	for _, traces := range [][]any{{first, second}, nil} {
		now := time.Now()
		record := drillRecord("id", map[string]string{wsevent.TenantID: strconv.Itoa(len(traces))}, wsevent.StatusFiring, now, now, time.Minute)
		body := record.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Map()
		if traces != nil {
			require.NoError(t, body.PutEmptySlice(wsevent.KeyAlertTraces).FromRaw(traces))
		}
		require.NoError(t, f.ConsumeLogs(t.Context(), record))
	}
	got := map[string]string{} // by tenant
	for len(got) < 2 {
		var notification struct {
			Alerts []struct{ Labels, Annotations map[string]string }
		}
		require.NoError(t, json.Unmarshal((<-s.received).body, &notification))
		for _, one := range notification.Alerts {
			got[one.Labels[wsevent.TenantID]] = one.Annotations["trace_url"]
		}
	}
	assert.Equal(t, map[string]string{"2": "https://tempo.example.com/trace/" + first, "0": ""}, got)
}

// What the receiver does with the alert is what the drill reports: retries, a refusal, and that
// nothing was sent, with the reason.
func TestDrill_NotDelivered(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	status.Store(http.StatusOK)
	s := newSink(t, func() int { return int(status.Load()) })
	f := begin(t, s.URL, nil)

	status.Store(http.StatusBadRequest)
	response := f.drill(t, "", "")
	assert.False(t, response.Delivered)
	assert.Contains(t, response.Deliveries[0].Error, "400")

	status.Store(http.StatusServiceUnavailable)
	response = f.drill(t, "?timeout=2s", `{"labels":{"alertname":"Unavailable"}}`)
	assert.False(t, response.Delivered)
	assert.Positive(t, response.Deliveries[0].Attempts)
	assert.Contains(t, response.Deliveries[0].Error, "503")
	status.Store(http.StatusOK)

	code, text := f.request(t, http.MethodPost, "/api/v2/silences", `{"matchers":[{"name":"drill","value":".+","isRegex":true,"isEqual":true}],
		"startsAt":"2020-01-01T00:00:00Z","endsAt":"2099-01-01T00:00:00Z","createdBy":"a","comment":"b"}`, nil)
	require.Equal(t, http.StatusOK, code, text)
	response = f.drill(t, "?timeout=1s", `{"labels":{"alertname":"Silenced"}}`)
	assert.False(t, response.Delivered)
	assert.Equal(t, "silenced", response.Deliveries[0].Error)
	assert.Zero(t, response.Deliveries[0].Attempts)
}

func TestDrill_NobodyToNotify(t *testing.T) {
	t.Parallel()
	f := begin(t, "http://127.0.0.1:1", func(c *Config) {
		c.ConfigFile = filepath.Join(t.TempDir(), "alertmanager.yml")
		require.NoError(t, os.WriteFile(c.ConfigFile, []byte(`
route:
  receiver: oncall
  group_wait: 0s
  routes: [{ matchers: [severity="warning"], receiver: team }, { matchers: [severity="info"], receiver: oncall, mute_time_intervals: [always] }]
receivers: [{ name: oncall }, { name: team }]
time_intervals: [{ name: always, time_intervals: [{ times: [{ start_time: "00:00", end_time: "24:00" }] }] }]
`), 0o600))
	})
	response := f.drill(t, "", `{"labels":{"severity":"warning"}}`)
	assert.False(t, response.Delivered)
	assert.Equal(t, []drillDelivery{{Receiver: "team", Error: "the receiver has no integration, and notifies nobody"}}, response.Deliveries)

	response = f.drill(t, "?timeout=1s", `{"labels":{"severity":"info"}}`)
	assert.Equal(t, "muted by the time interval always", response.Deliveries[0].Error)

	for query, body := range map[string]string{"?timeout=1h": "", "?timeout=x": "", "": `{"label":{}}`} {
		code, text := f.request(t, http.MethodPost, "/api/v1/drill"+query, body, nil)
		assert.Equal(t, http.StatusBadRequest, code, text)
	}
	code, _ := f.request(t, http.MethodPost, "/api/v1/drill", "", map[string]string{"Origin": "https://example.org"})
	assert.Equal(t, http.StatusForbidden, code)
}
