// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The runbook silences an alert on its list that a signed notification reports; it refuses a
// notification that is replayed, changed or not signed.
func TestRunbook(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "runbook")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../deploy/runbook").CombinedOutput()
	require.NoError(t, err, string(out))
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	target, err := url.Parse("http://" + listen)
	require.NoError(t, err)
	notifications := make(chan *http.Request, 10) // copies of what the collector sends
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		again := r.Clone(context.WithoutCancel(r.Context()))
		again.Body = io.NopCloser(bytes.NewReader(body))
		notifications <- again
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)

	g := startGrouping(t, `
route: { receiver: runbook, group_wait: 100ms, group_interval: 1s, repeat_interval: 1h }
receivers: [{ name: runbook }]
`, "--set", "exporters::alertmanager::webhooks::runbook::endpoint="+proxy.URL, "--set", "exporters::alertmanager::webhooks::runbook::secret="+webhookSecret)
	command := exec.CommandContext(context.Background(), binary)
	amtool, err := filepath.Abs(built(t, "amtool"))
	require.NoError(t, err)
	command.Env = append(os.Environ(), "PATH="+filepath.Dir(amtool), "RUNBOOK_LISTEN="+listen, "RUNBOOK_SECRET="+webhookSecret, "RUNBOOK_SILENCE=ws_clock_skew", "RUNBOOK_ALERTMANAGER="+g.api)
	startCommand(t, "runbook", command)
	require.NoError(t, g.send(
		outage{rule: "ws_clock_skew", tenant: "listed", region: "r", severity: "warning"},
		outage{rule: "ws_drop_rate", tenant: "unlisted", region: "r", severity: "critical"},
	))
	eventually(t, func() error {
		_, silences, err := get(g.api + "/api/v2/silences")
		if err == nil && !strings.Contains(silences, "listed") {
			err = errors.New("no silence")
		}
		return err
	})
	_, silences, err := get(g.api + "/api/v2/silences")
	require.NoError(t, err)
	assert.NotContains(t, silences, "unlisted")

	first := <-notifications
	body, err := io.ReadAll(first.Body)
	require.NoError(t, err)
	repeat := func(change func(header http.Header, body []byte) []byte) int {
		header := first.Header.Clone()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target.String(), bytes.NewReader(change(header, bytes.Clone(body))))
		require.NoError(t, err)
		request.Header = header
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	assert.Equal(t, http.StatusConflict, repeat(func(_ http.Header, body []byte) []byte { return body }), "a replay")
	assert.Equal(t, http.StatusUnauthorized, repeat(func(_ http.Header, body []byte) []byte {
		return bytes.ReplaceAll(body, []byte("listed"), []byte("anything"))
	}), "a changed body")
	assert.Equal(t, http.StatusUnauthorized, repeat(func(header http.Header, body []byte) []byte {
		header.Set("webhook-timestamp", "1")
		return body
	}), "an old timestamp")
	assert.Equal(t, http.StatusUnauthorized, repeat(func(header http.Header, body []byte) []byte {
		header.Del("webhook-signature")
		return body
	}), "no signature")
}
