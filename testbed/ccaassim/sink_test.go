// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
)

func TestWebhooksAreRemembered(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	server := start(t, func(c *config.Config) { c.Silent, c.SinkLog = true, &log })
	c := newClient(t, server)
	for n := range webhooksKept + 2 {
		status, _, _ := c.do(t, http.MethodPost, "/sink/alerts/"+strconv.Itoa(n), "", `{"n": `+strconv.Itoa(n)+` }`)
		require.Equal(t, http.StatusNoContent, status)
	}
	status, _, body := c.do(t, http.MethodGet, "/sink", "", "")
	require.Equal(t, http.StatusOK, status)
	var shown struct {
		Received int       `json:"received"`
		Webhooks []Webhook `json:"webhooks"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &shown))
	assert.Equal(t, webhooksKept+2, shown.Received)
	require.Len(t, shown.Webhooks, webhooksKept)
	first := shown.Webhooks[0]
	assert.Equal(t, "/sink/alerts/2", first.Path, "the oldest are forgotten")
	assert.Equal(t, `{"n": 2 }`, first.Body, "to the byte")
	assert.Equal(t, "application/x-www-form-urlencoded", first.Header.Get("Content-Type"))
	assert.Equal(t, http.StatusNoContent, first.Status)
	assert.WithinDuration(t, time.Now(), time.UnixMilli(first.Time), time.Minute)

	require.NoError(t, server.Close()) // no more is written to the log
	assert.True(t, strings.HasPrefix(log.String(), "webhook /sink/alerts/0 204 {\"n\":0}\n"), log.String())
	assert.Equal(t, webhooksKept+2, strings.Count(log.String(), "\n"))
}

func TestLineOfAWebhook(t *testing.T) {
	t.Parallel()
	for body, line := range map[string]string{
		`{"alert_type":"critical","metric":"ws_connection_drop_rate","value":4.5454545,"threshold":2,"region":"eu-west-1",
			"tenant_id":"acme_corp","context":"Look.","status":"firing","snapshot":{"ws.drop_rate":4.5454545}}`: `firing critical ws_connection_drop_rate eu-west-1 acme_corp value 4.545 threshold 2 "Look."`,
		`{"alert_type":"warning","metric":"r","value":null,"threshold":null,"channel_type":"voice","context":"Look.","status":"resolved"}`:                                           `resolved warning r voice`,
		`{"status":"firing","groupLabels":{"region":"eu-west-1","alertname":"r"},"alerts":[{"labels":{"tenant_id":"b"}},{"labels":{"tenant_id":"a"}},{"labels":{"tenant_id":"b"}}]}`: `firing 3 alerts r eu-west-1 a,b`,
		`{"status": "firing"}`: `{"status":"firing"}`,
		"no\njson":             `"no\njson"`,
		"[1, 2]":               `[1,2]`,
	} {
		assert.Equal(t, line, lineOf([]byte(body)))
	}
}

func TestTroubleWithWebhooks(t *testing.T) {
	t.Parallel()
	server := start(t, func(c *config.Config) {
		c.Silent, c.Trouble.SinkFail = true, fault.Failure{Status: 503, Times: 1, RetryAfter: 2 * time.Second}
	})
	c := newClient(t, server)
	post := func(body string) (int, http.Header) {
		status, header, _ := c.do(t, http.MethodPost, "/sink", "", body)
		return status, header
	}
	status, header := post("one")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, "2", header.Get("Retry-After"))
	status, _ = post("two")
	assert.Equal(t, http.StatusNoContent, status)
	status, _ = post(strings.Repeat("x", webhookBytes+1))
	assert.Equal(t, http.StatusRequestEntityTooLarge, status)

	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.SinkReset = true }))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL()+"/sink", strings.NewReader("three"))
	require.NoError(t, err)
	response, err := c.http.Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
	require.Error(t, err)

	require.NoError(t, server.Trouble(func(t *fault.Trouble) { t.SinkReset, t.SinkHang = false, time.Hour }))
	request, err = http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL()+"/sink", strings.NewReader("four"))
	require.NoError(t, err)
	impatient := &http.Client{Transport: c.http.Transport, Timeout: 50 * time.Millisecond}
	response, err = impatient.Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
	require.ErrorContains(t, err, "Timeout")
	received, webhooks := server.Webhooks()
	assert.Equal(t, int64(4), received)
	statuses := map[string]int{}
	for _, w := range webhooks {
		statuses[w.Body] = w.Status
	}
	assert.Equal(t, map[string]int{"one": 503, "two": 204, "three": 0, "four": 0}, statuses)
}
