// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/extension/extensionauth"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
)

// bearer adds a token, as the auth extensions do.
type bearer struct {
	component.StartFunc
	component.ShutdownFunc
}

func (bearer) RoundTripper(base http.RoundTripper) (http.RoundTripper, error) {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		request.Header.Set("Authorization", "Bearer token")
		return base.RoundTrip(request)
	}), nil
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

var _ extensionauth.HTTPClient = bearer{}

// Over TLS, with an auth extension, headers of one's own, and the reference
// library at the other end.
func TestOverTheWire(t *testing.T) {
	t.Parallel()
	webhook, err := webhooks.NewWebhook(secret)
	require.NoError(t, err)
	verified := make(chan error, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, http.MethodPost, r.Method)
		assert.Equal(t, "Bearer token", r.Header.Get("Authorization"))
		assert.Equal(t, "gateway", r.Header.Get("X-Team"))
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		w.WriteHeader(http.StatusNoContent)
		verified <- webhook.Verify(body, r.Header)
	}))
	t.Cleanup(server.Close)
	auth := component.MustNewID("bearer")
	b := startOn(t, owntest.NewHostWith(map[component.ID]component.Component{auth: bearer{}}), nil, func(c *Config) {
		c.ClientConfig.Endpoint, c.Secret = server.URL, secret
		c.ClientConfig.Headers.Set("X-Team", "gateway")
		c.ClientConfig.Auth = configoptional.Some(configauth.Config{AuthenticatorID: auth})
		c.ClientConfig.TLS.CAPem = configopaque.String(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	})
	b.send(alerts([2]string{"a", "firing"}))
	require.NoError(t, <-verified)
	b.stop()
}

// A redirect could lead an alert, its signature and its token anywhere.
func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		var elsewhere atomic.Int64
		other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
		t.Cleanup(other.Close)
		server := httptest.NewServer(http.RedirectHandler(other.URL+"/T0P-SECRET", status))
		t.Cleanup(server.Close)
		b := startOn(t, owntest.NewHost(nil), nil, func(c *Config) { c.ClientConfig.Endpoint = server.URL })
		b.send(texts("hello"))
		require.Eventually(t, func() bool { return b.count("otelcol_webhook_dead_letters", "reason", "redirect") == 1 }, time.Minute, time.Millisecond)
		b.stop()
		assert.Zero(t, elsewhere.Load())
		text := b.logs.FilterMessageSnippet("payload logged").All()[0].ContextMap()["error"].(string)
		assert.Contains(t, text, strings.TrimPrefix(other.URL, "http://"))
		assert.NotContains(t, text, "T0P-SECRET")
	}
}

// Nobody listens, then somebody does who resets after reading, then all is well.
func TestAReceiverThatComesBack(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	b := startOn(t, owntest.NewHost(nil), nil, func(c *Config) {
		c.ClientConfig.Endpoint = "http://" + address + "/T0P-SECRET"
		c.RetryConfig.InitialInterval, c.RetryConfig.MaxInterval = 10*time.Millisecond, 10*time.Millisecond
	})
	b.send(texts("hello"))
	require.Eventually(t, func() bool { return b.count("otelcol_webhook_requests", "status_class", "none") > 1 }, time.Minute, time.Millisecond)

	listener, err = net.Listen("tcp", address)
	require.NoError(t, err)
	var attempts atomic.Int64
	ids := make(chan string, 10)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		ids <- r.Header.Get("webhook-id")
		if attempts.Add(1) <= 2 {
			panic(http.ErrAbortHandler)
		}
	}))
	require.NoError(t, server.Listener.Close())
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	first := <-ids
	assert.Equal(t, first, <-ids)
	assert.Equal(t, first, <-ids)
	b.stop()
	assert.Equal(t, int64(1), b.count("otelcol_webhook_requests", "outcome", "delivered"))
	for _, entry := range b.logs.All() {
		for _, value := range entry.ContextMap() {
			assert.NotContains(t, value, "T0P-SECRET", entry.Message)
		}
	}
}

func TestDeadLettersInAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, then(422), func(c *Config) { c.DeadLetter.Path = path })
		b.send(alerts([2]string{"a", "firing"}))
		synctest.Wait()
		b.stop()
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var letter struct {
			ID, Reason, Error string
			Status            int
			Body              map[string]any
		}
		require.NoError(t, json.Unmarshal(text, &letter))
		assert.Equal(t, b.receiver.all()[0].id(), letter.ID)
		assert.Equal(t, "refused", letter.Reason)
		assert.Equal(t, 422, letter.Status)
		assert.Equal(t, "a", letter.Body["alert_id"])
		entries := b.logs.FilterMessageSnippet("kept as a dead letter").All()
		require.Len(t, entries, 1)
		assert.Equal(t, path, entries[0].ContextMap()["path"])
		assert.NotContains(t, entries[0].ContextMap(), "body")
	})
}

// A file that cannot be written is no reason to lose an alert.
func TestADeadLetterFileThatGoesAway(t *testing.T) {
	t.Parallel()
	directory := filepath.Join(t.TempDir(), "letters")
	require.NoError(t, os.Mkdir(directory, 0o700))
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, then(422), func(c *Config) { c.DeadLetter.Path = filepath.Join(directory, "dead.jsonl") })
		require.NoError(t, b.deadLetters.file.Close())
		require.NoError(t, os.RemoveAll(directory))
		b.send(texts("hello"))
		synctest.Wait()
		b.stop()
		entries := b.logs.FilterMessageSnippet("payload logged").All()
		require.Len(t, entries, 1)
		assert.Equal(t, "hello", entries[0].ContextMap()["body"])
		metric, err := b.tel.GetMetric("otelcol_webhook_dead_letter_failures")
		require.NoError(t, err)
		assert.NotNil(t, metric)
	})
}

func TestDeadLetters_InvalidPath(t *testing.T) {
	t.Parallel()
	b := startExporter(t, always(200), nil)
	b.deadLetters = newDeadLetters(DeadLetterConfig{Path: filepath.Join(t.TempDir(), "nowhere", "x"), MaxMegabytes: 1}, b.logger, b.telemetry)
	require.ErrorContains(t, b.deadLetters.open(), "dead_letter::path: ")
	b.stop()
}
