// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/cache"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/requestbody"
)

// startAlertmanager starts a page in front of an Alertmanager that responds with what it is asked.
func startAlertmanager(t *testing.T, respond http.HandlerFunc) *running {
	t.Helper()
	upstream := httptest.NewServer(respond)
	t.Cleanup(upstream.Close)
	config := withStore(t)
	config.Alertmanager.GetOrInsertDefault().Endpoint = upstream.URL
	return run(t, config)
}

const silenceID = "b3f1c1de-8a54-4d6e-9a43-0f5d4c1a2b3c"

var asJSON = http.Header{"Content-Type": {"application/json"}}

func TestAlertmanager_PassedOn(t *testing.T) {
	t.Parallel()
	r := startAlertmanager(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		assert.Empty(t, r.Header.Get("Cookie"))
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `"`+r.Method+" "+r.URL.RequestURI()+" "+string(body)+`"`)
	})
	for _, path := range []string{"/api/v2/alerts?filter=a%3D%22b%22", "/api/v2/alerts/groups", "/api/v2/silences", "/api/v2/silence/" + silenceID} {
		code, body := r.get(t, path)
		assert.Equal(t, http.StatusOK, code)
		assert.Equal(t, `"GET `+path+` "`, body)
	}
	for _, one := range [][3]string{{http.MethodPost, "/api/v2/silences", "{}"}, {http.MethodDelete, "/api/v2/silence/" + silenceID, ""}} {
		header := asJSON.Clone()
		header.Set("Cookie", "session=1")
		code, _, body := r.do(t, one[0], one[1], header, []byte(one[2]))
		assert.Equal(t, http.StatusOK, code, body)
		assert.Equal(t, `"`+one[0]+" "+one[1]+" "+one[2]+`"`, body)
	}
	for _, one := range [][2]string{{http.MethodPost, "/api/v2/alerts"}, {http.MethodGet, "/api/v2/status"}, {http.MethodGet, "/api/v2/receivers"}, {http.MethodPut, "/api/v2/silences"}} {
		code, _, _ := r.do(t, one[0], one[1], asJSON, nil)
		assert.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, code, one)
	}
	_, body := r.get(t, "/api/page")
	assert.Contains(t, body, `"alertmanager":true,"silence":true`)
}

// Silences are changed from the page's own origin only, as JSON, within a size, and where nobody
// else reaches the endpoint or it authenticates.
func TestAlertmanager_RefusedChanges(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	r := startAlertmanager(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			reached.Add(1)
		}
	})
	with := func(name, value string) http.Header {
		header := asJSON.Clone()
		header.Set(name, value)
		return header
	}
	for name, c := range map[string]struct {
		header http.Header
		body   string
		want   int
	}{
		"another origin":             {with("Origin", "https://example.org"), "{}", http.StatusForbidden},
		"another site":               {with("Sec-Fetch-Site", "cross-site"), "{}", http.StatusForbidden},
		"a sibling":                  {with("Sec-Fetch-Site", "same-site"), "{}", http.StatusForbidden},
		"a form":                     {http.Header{"Content-Type": {"text/plain"}}, "{}", http.StatusUnsupportedMediaType},
		"a reverse proxy":            {with("X-Forwarded-For", "192.0.2.1"), "{}", http.StatusForbidden},
		"a proxy's Via":              {with("Via", "1.1 proxy"), "{}", http.StatusForbidden},
		"a proxy's X-Real-IP":        {with("X-Real-IP", "192.0.2.1"), "{}", http.StatusForbidden},
		"a proxy's X-Forwarded-Host": {with("X-Forwarded-Host", "example.org"), "{}", http.StatusForbidden},
		"a proxy's Forwarded":        {with("Forwarded", "for=192.0.2.1"), "{}", http.StatusForbidden},
		"an empty X-Forwarded-For":   {with("X-Forwarded-For", ""), "{}", http.StatusForbidden},
		"too large":                  {asJSON, strings.Repeat(" ", maxSilenceBytes+1), http.StatusRequestEntityTooLarge},
	} {
		code, _, body := r.do(t, http.MethodPost, "/api/v2/silences", c.header, []byte(c.body))
		assert.Equal(t, c.want, code, "%s: %s", name, body)
	}
	code, _, _ := r.do(t, http.MethodGet, "/api/v2/alerts?filter="+strings.Repeat("a", maxFilterBytes), nil, nil)
	assert.Equal(t, http.StatusRequestURITooLong, code)
	assert.Zero(t, reached.Load())
}

// Whatever is in place of an id, nothing else of Alertmanager is reached.
func TestAlertmanager_NotASilence(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	r := startAlertmanager(t, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	for _, id := range []string{
		"..%2fstatus", "..%252fstatus", "%2e%2e%2fstatus", "..%2f..%2f..%2f-%2freload", "..%5cstatus", silenceID + "%2f..%2f..%2fstatus",
		silenceID + "%3ffilter=a", silenceID + "%23a", silenceID + "%0a", "id", "%2e%2e",
	} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			code, _, body := r.do(t, method, "/api/v2/silence/"+id, asJSON, nil)
			assert.Equal(t, http.StatusBadRequest, code, "%s %s: %s", method, id, body)
		}
	}
	assert.Zero(t, reached.Load())
}

// Answers are JSON, or none: what upstream says otherwise is cited as text in an error.
func TestAlertmanager_OnlyJSON(t *testing.T) {
	t.Parallel()
	r := startAlertmanager(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodDelete:
			return
		case strings.HasSuffix(r.URL.Path, "/silences"):
			http.Error(w, "more than 32 matchers", http.StatusBadRequest)
		default:
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<script>alert(1)</script>")
		}
	})
	for _, one := range []struct {
		method, path string
		code         int
		body         string
	}{
		{http.MethodGet, "/api/v2/alerts", http.StatusBadGateway, `content type \"text/html\", not application/json`},
		{http.MethodGet, "/api/v2/silences", http.StatusBadRequest, "more than 32 matchers"},
		{http.MethodDelete, "/api/v2/silence/" + silenceID, http.StatusOK, ""},
	} {
		code, header, body := r.do(t, one.method, one.path, asJSON, nil)
		assert.Equal(t, one.code, code, one.path)
		assert.Equal(t, "application/json", header.Get("Content-Type"), one.path)
		assert.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), one.path)
		assert.Contains(t, body, one.body)
		assert.NotContains(t, body, "script")
	}
}

func TestAlertmanager_MayChange(t *testing.T) {
	t.Parallel()
	request := func(host string) *http.Request {
		return httptest.NewRequest(http.MethodPost, "http://"+host+"/api/v2/silences", http.NoBody)
	}
	config := createDefaultConfig().(*Config)
	api := &alertmanagerAPI{config: config}
	assert.True(t, api.mayChange(request("localhost:3080")))
	config.AllowedHosts = []string{"estate.example.com"}
	assert.False(t, api.mayChange(request("estate.example.com")), "a reverse proxy, whose users are not known here")
	config.ServerConfig.NetAddr.Endpoint = "0.0.0.0:3080"
	assert.False(t, api.mayChange(request("estate.example.com")))
	assert.False(t, api.mayChange(request("localhost:3080")))
	config.ServerConfig.Auth = configoptional.Some(confighttp.AuthConfig{})
	assert.True(t, api.mayChange(request("estate.example.com")), "it has passed the auth")
}

// All viewers poll at the same time, and are one request; after a change nobody is given what was before.
func TestAlertmanager_SharedReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reads, changed atomic.Int64
		config := createDefaultConfig().(*Config)
		api := &alertmanagerAPI{
			config: config, timeout: time.Minute, logger: zap.NewNop(),
			receiving: requestbody.NewBudget(1 << 20), limiter: requestbody.NewLimiter(maxAlertReads, maxWaiting),
			proxy: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					changed.Add(1)
					return
				}
				now := changed.Load()
				time.Sleep(200 * time.Millisecond)
				_, _ = io.WriteString(w, strconv.FormatInt(now, 10))
				reads.Add(1)
			}),
			send: func(w http.ResponseWriter, _ *http.Request, answer cache.Answer) { _, _ = w.Write(answer.Body) },
		}
		mux := http.NewServeMux()
		api.register(mux)
		get := func() string {
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/api/v2/alerts/groups", http.NoBody))
			return w.Body.String()
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { assert.Equal(t, "0", get()) })
		}
		all.Wait()
		assert.Equal(t, "0", get())
		assert.Equal(t, int64(1), reads.Load())
		time.Sleep(2 * alertsFor)
		go get() // in flight during the change
		synctest.Wait()
		change := httptest.NewRequest(http.MethodPost, "http://localhost/api/v2/silences", strings.NewReader("{}"))
		change.Header.Set("Content-Type", "application/json")
		mux.ServeHTTP(httptest.NewRecorder(), change)
		assert.Equal(t, "1", get(), "the silence is seen at once")
		time.Sleep(alertsFor / 2)
		assert.Equal(t, "1", get())
		synctest.Wait()
	})
}

func TestAlertmanager_Unreachable(t *testing.T) {
	t.Parallel()
	config := withStore(t)
	config.Alertmanager.GetOrInsertDefault().Endpoint = "http://127.0.0.1:1"
	r := run(t, config)
	code, body := r.get(t, "/api/v2/alerts/groups")
	assert.Equal(t, http.StatusBadGateway, code)
	assert.Contains(t, body, `"error"`)

	none := run(t, withStore(t))
	code, _ = none.get(t, "/api/v2/alerts/groups")
	assert.Equal(t, http.StatusNotFound, code)
	_, body = none.get(t, "/api/page")
	assert.Contains(t, body, `"alertmanager":false,"silence":false`)
}

// More than the page can show is an error, not memory.
func TestAlertmanager_TooMuch(t *testing.T) {
	t.Parallel()
	r := startAlertmanager(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		chunk := make([]byte, 1<<20)
		for range maxAlertsBytes>>20 + 1 {
			_, _ = w.Write(chunk)
		}
	})
	code, body := r.get(t, "/api/v2/alerts")
	assert.Equal(t, http.StatusUnprocessableEntity, code)
	assert.Contains(t, body, "larger than")
}
