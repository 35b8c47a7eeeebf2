// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/base64"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// secrets are markers, one for each place that takes a secret. In a URL only the
// product's own components keep them to themselves.
var secrets = []string{
	"marked-client-secret", "marked-hub-secret", "marked-access-key", "marked-url-query", "marked-participant", "marked-session-body",
	"marked-on-open", "marked-keep-alive", "marked-proxy-password", "marked-bearer", "marked-oauth2client", "marked-webhook-header", "marked-webhook-path",
	"marked-template-variable", "marked-dashboard-header", "marked-otlp-header", "marked-remote-write", "marked-kafka-password",
	"marked-kafka-receiver", "marked-signature-00",
}

// No secret is written anywhere: not to a log of level debug, a status page, the
// collector's own metrics, a state, an archive, a dead letter or the dump of a crash.
func TestFaultSecrets(t *testing.T) {
	t.Parallel()
	v := startVault(t, t.TempDir(), "")
	eventually(t, v.busy)
	written := map[string]string{}
	for _, page := range []string{v.health, v.metrics, v.dashboard + "/", v.dashboard + "/api/v1/status/config", v.dashboard + "/api/v1/status/flags", v.dashboard + "/debug/pprof/cmdline"} {
		_, body, err := get(page)
		require.NoError(t, err)
		written[page] = body
	}
	require.NoError(t, v.Process.Signal(syscall.SIGQUIT)) // the dump of every goroutine
	_ = v.Wait()
	written["the log, with the dump of a crash"] = v.output.String()
	require.Contains(t, v.output.String(), "SIGQUIT: quit")
	require.Contains(t, v.output.String(), "\ngoroutine 1 ")
	size := 0
	require.NoError(t, filepath.WalkDir(v.data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		written[path] = string(text)
		return err
	}))
	places := len(written)
	for where, text := range written {
		size += len(text)
		for _, secret := range append(secrets, v.tokens()...) {
			for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))} {
				if at := strings.Index(text, strings.TrimRight(form, "=")); at >= 0 {
					t.Errorf("%s is in %s: %q", secret, where, text[max(0, at-200):min(len(text), at+100)])
				}
			}
		}
	}
	assert.Greater(t, places, 8)
	require.NotEmpty(t, v.tokens())
	measured(t, "%d configured secrets and %d tokens, searched for in %d files and pages of %d KiB together: not one is there", len(secrets), len(v.tokens()), places, size>>10)
}
