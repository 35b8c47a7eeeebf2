// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

const drillConfig = `
route:
  receiver: team
  group_wait: 100ms
  group_interval: 1s
  repeat_interval: 1h
  routes:
    - { matchers: [alertname="Watchdog"], receiver: deadman, repeat_interval: 1s }
    - { matchers: [severity="critical"], receiver: oncall }
receivers:
  - { name: team, webhook_configs: [{ url: "%[1]s" }] }
  - { name: oncall, webhook_configs: [{ url: "%[1]s" }] }
  - { name: deadman, webhook_configs: [{ url: "%[1]s" }] }
`

// alertreplay --drill reports the receiver that a drill of these labels is routed to, and fails where it does not arrive.
func TestAlertmanagerExporter_Drill(t *testing.T) {
	t.Parallel()
	replay := filepath.Join(t.TempDir(), "alertreplay")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", replay, "../cmd/alertreplay").CombinedOutput()
	require.NoError(t, err, string(out))
	pages := startPager(t)
	g := startGrouping(t, fmt.Sprintf(drillConfig, pages.URL))
	drill := func(arguments ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), replay, append([]string{"--drill", "--timeout", "60s", g.api}, arguments...)...).CombinedOutput()
		return string(out), err
	}
	for severity, receiver := range map[string]string{"critical": "oncall", "warning": "team"} {
		text, err := drill("severity="+severity, "region=eu-west-1")
		require.NoError(t, err, text)
		assert.Regexp(t, `^`+receiver+`/webhook\[0\] +delivered after [0-9.]+ s, attempt [0-9]+\n$`, text)
		assert.True(t, slices.ContainsFunc(pages.all(), func(one page) bool {
			return one.receiver == receiver && slices.Contains(one.alerts, "firing Drill  eu-west-1 "+severity)
		}), "%v", pages.groups())
	}
	eventually(t, func() error { // a drill leaves nothing firing
		if n := pages.count("resolved Drill  eu-west-1 critical"); n == 0 {
			return fmt.Errorf("not resolved: %v", pages.groups())
		}
		return nil
	})
	_, err = addSilence(g.api, "alertname", "Drill")
	require.NoError(t, err)
	text, err := drill("severity=critical", "region=us-east-1")
	require.Error(t, err)
	assert.Contains(t, text, "silenced")
	assert.Contains(t, text, "the drill has failed")
	assert.Zero(t, pages.count("firing Drill  us-east-1 critical"))
}

// The heartbeat arrives again and again at a receiver of the embedded Alertmanager while windows arrive. When they no
// longer do although the stream is up, it ends there.
func TestAlertmanagerExporter_Heartbeat(t *testing.T) {
	t.Parallel()
	platform := startCalmPlatform(t)
	pages := startPager(t)
	path := filepath.Join(t.TempDir(), "alertmanager.yml")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, drillConfig, pages.URL), 0o600))
	start(t, "otelcol-ccaas", []string{
		"ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1), "STATE=" + t.TempDir(),
		"SCRAPE=" + fmt.Sprintf("127.0.0.1:%d", freePort(t)), "SINK=http://127.0.0.1:1",
	}, "--config", "testdata/alerts.yaml",
		"--set", "connectors::alert::heartbeat::interval=10s",
		"--set", "exporters::alertmanager::config_file="+path,
		"--set", "exporters::alertmanager::directory="+filepath.Join(t.TempDir(), "alertmanager"),
		"--set", "exporters::alertmanager::api::enabled=false",
		"--set", "service::pipelines::logs/alerts::exporters=[alertmanager]")
	const beat = "Watchdog   none"
	eventually(t, func() error { // one notification a second, for longer than one heartbeat is valid (30 s)
		if n := pages.count("firing " + beat); n < 40 {
			return fmt.Errorf("%d notifications: %v", n, pages.groups())
		}
		return nil
	})
	assert.Zero(t, pages.count("resolved "+beat))
	require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.UpgradeFail = sim.Failure{Status: 503} }))
	platform.CloseSockets(1011, "going away")
	eventually(t, func() error {
		if pages.count("resolved "+beat) == 0 {
			return fmt.Errorf("the heartbeat goes on: %v", pages.groups())
		}
		return nil
	})
}
