// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e && !windows

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// reloading is a collector whose configuration file the test replaces.
type reloading struct {
	*process
	path   string
	config string
}

func startReloading(t *testing.T, platform *sim.Server) *reloading {
	t.Helper()
	return startReloadingConfig(t, platform, reloadedConfig(platform))
}

func reloadedConfig(platform *sim.Server) string {
	return `
receivers:
  ccaas_ws:
    endpoint: ` + platform.URL() + `
    region: us-east-1
    tenant_id: acme_corp
    oauth2: { client_id: collector, client_secret: secret }
    limits: { requests_per_minute: 6000, dials_per_minute: 6000 }
exporters:
  debug:
service:
  telemetry:
    logs: { encoding: json }
    metrics: { level: none }
  pipelines:
    logs/events: { receivers: [ccaas_ws], exporters: [debug] }
`
}

func startReloadingConfig(t *testing.T, platform *sim.Server, config string) *reloading {
	t.Helper()
	r := &reloading{path: filepath.Join(t.TempDir(), "config.yaml"), config: config}
	r.write(t, r.config)
	r.process = start(t, "otelcol-ccaas", nil, "--config", r.path)
	connected(t, platform, 1)
	eventually(t, func() error { return r.logs("Everything is ready") })
	return r
}

func (r *reloading) write(t *testing.T, config string) {
	t.Helper()
	require.NoError(t, os.WriteFile(r.path, []byte(config), 0o600))
}

// hangUp asks for a reload with a configuration.
func (r *reloading) hangUp(t *testing.T, config string) {
	t.Helper()
	r.write(t, config)
	require.NoError(t, r.Process.Signal(syscall.SIGHUP))
}

func (r *reloading) logs(texts ...string) error {
	for line := range strings.Lines(r.output.String()) {
		found := true
		for _, text := range texts {
			found = found && strings.Contains(line, text)
		}
		if found {
			return nil
		}
	}
	return errors.New("no log line has " + strings.Join(texts, " and "))
}

func TestReload_InvalidConfigurationLeavesTheRunningOneInForce(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Silent = true })
	r := startReloading(t, platform)
	for _, broken := range []struct{ config, says string }{
		{"receivers: [", "yaml"},
		{strings.Replace(r.config, "  debug:", "  debugg:", 1), "debugg"},
		{strings.Replace(r.config, "tenant_id: acme_corp", "tenant_id: acme_corp\n    alive_interval: 15", 1), "alive_interval: 15: has no unit; write 15s"},
		{strings.Replace(r.config, "exporters: [debug]", "exporters: [debug, file]", 1), "file"},
	} {
		r.hangUp(t, broken.config)
		eventually(t, func() error {
			return r.logs("Configuration not reloaded", "the previous one stays in force", broken.says)
		})
	}
	require.NoError(t, os.Remove(r.path))
	require.NoError(t, r.Process.Signal(syscall.SIGHUP))
	eventually(t, func() error { return r.logs("Configuration not reloaded", "no such file") })
	assert.Equal(t, int64(1), platform.Truth().Sockets.Accepted, "the socket of the running configuration is kept")

	r.hangUp(t, strings.Replace(r.config, "acme_corp", "globex", 1))
	connected(t, platform, 2)
	require.NoError(t, r.logs("Configuration is valid"))
	r.hangUp(t, r.config) // a second reload works as the first
	connected(t, platform, 3)

	require.NoError(t, r.Process.Signal(syscall.SIGTERM))
	require.NoError(t, r.Wait(), "SIGTERM ends it without an error")
}

// A port in use shows at start only, when the running service is shut down already.
func TestReload_ConfigurationThatDoesNotStartIsReplacedByThePrevious(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Silent = true })
	r := startReloading(t, platform)
	used, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer used.Close()
	r.hangUp(t, strings.NewReplacer("ccaas_ws:\n", fmt.Sprintf("otlp: { protocols: { http: { endpoint: %q } } }\n  ccaas_ws:\n", used.Addr()),
		"[ccaas_ws]", "[ccaas_ws, otlp]").Replace(r.config))
	eventually(t, func() error {
		return r.logs("New configuration did not start; the previous one is started again", "address already in use")
	})
	eventually(t, func() error {
		if strings.Count(r.output.String(), "Everything is ready") < 2 {
			return errors.New("the previous configuration has not started")
		}
		return nil
	})
	require.NoError(t, platform.WaitConnected(t.Context()))
	accepted := platform.Truth().Sockets.Accepted

	r.hangUp(t, r.config) // the cause is removed
	connected(t, platform, accepted+1)
	require.NoError(t, r.Process.Signal(syscall.SIGTERM))
	require.NoError(t, r.Wait(), "SIGTERM ends it without an error")
}

// The files of the configuration in force have been damaged since they were read: what they
// held is still in force after a reload that fails, as it was before.
func TestReload_PreviousStartsWithFilesThatAreDamagedSince(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Silent = true })
	directory := t.TempDir()
	files := map[string]string{
		"rules.yaml": "rules: [{ name: drops, metric: ws.drop_rate, severity: critical, threshold: { above: 0.1 },\n" +
			"  mute: [{ ical: " + filepath.Join(directory, "holidays.ics") + ", timezone: UTC }] }]\n",
		"holidays.ics":     "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261225\nSUMMARY:Christmas\nEND:VEVENT\nEND:VCALENDAR\n",
		"texts.tmpl":       `{{ define "subject" }}{{ .Status }}{{ end }}`,
		"alertmanager.yml": "route: { receiver: none }\nreceivers: [{ name: none }]\ntemplates: [" + filepath.Join(directory, "texts.tmpl") + "]\n",
	}
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600))
	}
	without := reloadedConfig(platform)
	r := startReloadingConfig(t, platform, strings.NewReplacer(
		"exporters:\n  debug:\n", `exporters:
  debug:
  alertmanager: { config_file: `+filepath.Join(directory, "alertmanager.yml")+`, directory: `+filepath.Join(directory, "state")+`, reload_interval: 1s }
processors:
  ws_window:
connectors:
  alert: { rules_file: `+filepath.Join(directory, "rules.yaml")+` }
  ws_metrics:
`,
		"logs/events: { receivers: [ccaas_ws], exporters: [debug] }", `logs/events: { receivers: [ccaas_ws], processors: [ws_window], exporters: [ws_metrics, debug] }
    metrics: { receivers: [ws_metrics], exporters: [alert] }
    logs/alerts: { receivers: [alert], exporters: [alertmanager] }`).Replace(without))
	for name := range files {
		require.NoError(t, os.WriteFile(filepath.Join(directory, name), []byte("{{ damaged: ["), 0o600))
	}
	used, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer used.Close()
	r.hangUp(t, strings.NewReplacer("ccaas_ws:\n", fmt.Sprintf("otlp: { protocols: { http: { endpoint: %q } } }\n  ccaas_ws:\n", used.Addr()),
		"[ccaas_ws]", "[ccaas_ws, otlp]").Replace(without))
	eventually(t, func() error {
		return r.logs("New configuration did not start; the previous one is started again", "address already in use")
	})
	eventually(t, func() error {
		if strings.Count(r.output.String(), "Everything is ready") < 2 {
			return errors.New("the previous configuration has not started")
		}
		return nil
	})
	require.NoError(t, platform.WaitConnected(t.Context()))
	eventually(t, func() error {
		return errors.Join(r.logs("Rules file not valid; the last good rules stay in force"), r.logs("the last one of this process stays in force", "alertmanager.yml"))
	})
	for name, text := range files { // repaired
		require.NoError(t, os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600))
	}
	eventually(t, func() error {
		return errors.Join(r.logs("Rules file is valid again"), r.logs("Configuration applied", "alertmanager.yml"))
	})
	require.NoError(t, r.Process.Signal(syscall.SIGTERM))
	require.NoError(t, r.Wait(), "SIGTERM ends it without an error")
}

// SIGHUP at any moment, also while the service starts: what was written last is in force in the end.
func TestReload_AtAnyMoment(t *testing.T) {
	t.Parallel()
	platform := startPlatform(t, func(c *sim.Config) { c.Silent = true })
	r := startReloading(t, platform)
	const rounds = 20
	for round := range rounds {
		r.hangUp(t, strings.Replace(r.config, "telemetry:\n", fmt.Sprintf("telemetry:\n    resource: { round: number-%d }\n", round), 1))
		time.Sleep(rand.N(600 * time.Millisecond)) //nolint:gosec // any moment
	}
	eventually(t, func() error { return r.logs("Everything is ready", fmt.Sprintf("number-%d", rounds-1)) })
	require.NoError(t, platform.WaitConnected(t.Context()))
	require.NoError(t, r.Process.Signal(syscall.SIGTERM))
	require.NoError(t, r.Wait(), "SIGTERM ends it without an error")
}
