// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

const clockRestartConfig = `
extensions:
  file_storage: { directory: %q, create_directory: true }
receivers:
  ccaas_ws:
    platform: genesys_cloud
    endpoint: %q
    tenant_id: acme_corp
    region: us-east-1
    oauth2: { client_id: collector, client_secret: secret }
processors:
  drift: { restart_after: 1s, reference: { ntp: %q } }
  ws_window: { size: 1s, overlap: 0s, allowed_lateness: 2s, idle_timeout: 2s, pass_through: false, storage: file_storage }
exporters:
  otlp_http: { logs_endpoint: %s/v1/logs, compression: none, sending_queue: { enabled: false } }
service:
  extensions: [file_storage]
  telemetry: { metrics: { level: none } }
  pipelines:
    logs/events: { receivers: [ccaas_ws], processors: [drift, ws_window], exporters: [otlp_http] }
`

// startChrony is Debian's NTP server. The file has the offset of its clock from this machine's.
func startChrony(t *testing.T) (address, offset string) {
	t.Helper()
	chronyd := installed(t, "chrony", "chronyd", "/usr/sbin/chronyd")
	faketime := installed(t, "faketime", "libfaketime.so.1", "/usr/lib/*/faketime/libfaketime.so.1")
	folder := t.TempDir()
	offset = filepath.Join(folder, "offset")
	require.NoError(t, os.WriteFile(offset, []byte("+0\n"), 0o600))
	port := freePort(t)
	config := filepath.Join(folder, "chrony.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil,
		"port %d\nbindaddress 127.0.0.1\nallow 127.0.0.1\nlocal stratum 8\ncmdport 0\nbindcmdaddress /\npidfile %s/pid\n", port, folder), 0o600))
	command := exec.CommandContext(context.Background(), chronyd, "-d", "-x", "-u", "root", "-f", config)
	command.Env = append(os.Environ(), "LD_PRELOAD="+faketime, "FAKETIME_TIMESTAMP_FILE="+offset, "FAKETIME_NO_CACHE=1")
	startCommand(t, "chronyd", command)
	return fmt.Sprintf("127.0.0.1:%d", port), offset
}

func everything(c sim.Counts) int64 {
	return c.ConnectionsOpened + c.ConnectionsClosed + c.MessagesSent + c.MessagesReceived
}

// By a real NTP server, the host's clock goes wrong by 90 seconds: the process ends with its own status, the supervisor sets the
// clock and starts it again, and the windows are right: none twice, and none missing beyond the gap, which is short.
func TestFaultClockRestart(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		skip(t, "chronyd runs as root only")
	}
	rounds := amount(3, 100)
	ntp, offset := startChrony(t)
	record := filepath.Join(t.TempDir(), "truth.jsonl")
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Sessions, c.Announce, c.Record = 200, 50, true, record
		c.Tenants, c.Regions, c.ChannelTypes = []string{"acme_corp"}, []string{"us-east-1"}, []string{"webmessaging"}
	})
	windows := startWindowSink(t)
	folder := t.TempDir()
	config, statuses := filepath.Join(folder, "config.yaml"), filepath.Join(folder, "statuses")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, clockRestartConfig, filepath.Join(folder, "state"), platform.URL(), ntp, windows.url), 0o600))
	supervisor := startCommand(t, "supervise.sh", exec.CommandContext(context.Background(), "sh", "testdata/ntp/supervise.sh",
		statuses, offset, built(t, "otelcol-ccaas"), "--config", config))

	ends := func() []string {
		text, err := os.ReadFile(statuses)
		if !os.IsNotExist(err) {
			require.NoError(t, err)
		}
		return strings.Fields(string(text))
	}
	longest := time.Duration(0)
	for round := range rounds {
		windows.waitForComplete(t, time.Now())
		wrong := time.Now()
		require.NoError(t, os.WriteFile(offset, []byte("+90s\n"), 0o600))
		eventually(t, func() error {
			if len(ends()) <= round {
				return fmt.Errorf("%d ends in round %d", len(ends()), round)
			}
			return nil
		})
		ended := time.Now()
		timed(t, "the end by the wrong clock", ended.Sub(wrong), 30*time.Second)
		windows.waitForComplete(t, ended)
		longest = max(longest, time.Since(ended))
	}
	require.NoError(t, platform.Trouble(func(trouble *sim.Trouble) { trouble.Silence = true }))
	windows.waitUntil(t, time.Now())
	supervisor.stop(t)
	assert.Equal(t, append(slices.Repeat([]string{"75"}, rounds), "0"), ends(), "exit statuses")
	assert.Equal(t, rounds, strings.Count(supervisor.output.String(), "STOPPING THE COLLECTOR"))

	windows.mutex.Lock()
	defer windows.mutex.Unlock()
	assert.Empty(t, windows.contradictions)
	assert.Equal(t, windows.distinct(), windows.reported, "no window is emitted twice")
	reported := storyOf(t, record)
	require.Len(t, windows.bySeries, 1)
	exact, gap, longestGap := 0, int64(0), int64(0)
	for series, all := range windows.bySeries {
		last, sum, expected := latest(all).totals, int64(0), int64(0)
		for _, start := range slices.Sorted(maps.Keys(all)) {
			w := all[start]
			sum += everything(simCounts(w.counts))
			missing := int64(0)
			if expected != 0 {
				missing = start - expected
			}
			expected = w.end
			if gap += missing; !w.complete {
				gap += w.end - w.start
				longestGap = max(longestGap, gap)
				continue
			}
			longestGap, gap = max(longestGap, gap), 0
			exact++
			if happened, counted := reported.between(series, w.start, w.end, everything), everything(simCounts(w.counts)); last.LateEvents == 0 {
				assert.Equalf(t, happened, counted, "the complete window that ends at %d", w.end)
			} else { // a machine that was suspended for longer than allowed_lateness
				assert.LessOrEqualf(t, counted, happened, "the complete window that ends at %d", w.end)
			}
		}
		assert.Equal(t, everything(simCounts(last)), sum+last.LateEvents, "what is in the totals is in a window, or late")
	}
	timed(t, "the longest gap", time.Duration(longestGap)*time.Millisecond, 30*time.Second)
	assert.GreaterOrEqual(t, exact, rounds)
	measured(t, "%d restarts by the clock, %d windows of which %d complete ones are exact; the longest gap is %v, and the longest time from an end to a complete window %v",
		rounds, windows.distinct(), exact, time.Duration(longestGap)*time.Millisecond, longest.Round(100*time.Millisecond))
}
