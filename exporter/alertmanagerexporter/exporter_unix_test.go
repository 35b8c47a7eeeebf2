// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package alertmanagerexporter

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
)

func TestExporter_PipeInPlaceOfTheConfiguration(t *testing.T) {
	t.Parallel()
	s := newSink(t, always(http.StatusOK))
	f := begin(t, s.URL, nil)
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.NoError(t, os.Rename(pipe, f.config.ConfigFile))
	event := f.host.Next()
	assert.Equal(t, componentstatus.StatusRecoverableError, event.Status())
	require.ErrorContains(t, event.Err(), "must be a regular file")
	f.send(t, "firing", "a")
	<-s.received // the last good configuration is in force
}

func TestExporter_ShutdownDoesNotWaitForAReload(t *testing.T) {
	t.Parallel()
	s := newSink(t, always(http.StatusOK))
	f := begin(t, s.URL, nil)
	pipe := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.NoError(t, os.WriteFile(f.config.ConfigFile, fmt.Appendf(nil, `
route: { receiver: oncall }
receivers:
  - name: oncall
    webhook_configs: [{ url: "http://localhost:1/", http_config: { tls_config: { ca_file: %q } } }]
`, pipe), 0o600))
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns when the reload reads
	require.NoError(t, err)
	require.NoError(t, f.Shutdown(t.Context()))
	require.NoError(t, writer.Close()) // the reload ends
}
