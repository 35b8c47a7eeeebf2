// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// editedRules has a rule that fires on each incomplete window, one that reports each window, and one that changes.
const editedRules = `
rules:
  - { name: gaps, metric: ws.window.complete, severity: critical, threshold: { below: 1 } }
  - { name: each, metric: ws.messages, severity: info, threshold: { above: 0 }, repeat_interval: 1s }
  - { name: edited_%d, metric: ws.messages, severity: warning, threshold: { above: %d } }
`

// A rules file that is edited under load costs no window, and leaves none incomplete: several edits that are put into
// force one after the other, and 100 in a row faster than the file is read, of which the last is in force. (The connector's own
// TestRulesFile_EditedUnderLoad puts 100 into force.) A broken one is reported, and the rules before it stay in force. At the end
// the stream is cut, so that it shows that an incomplete window would have been noticed.
func TestRulesFile_EditedUnderLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	write := func(text string) {
		t.Helper()
		require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
		require.NoError(t, os.Rename(path+".new", path))
	}
	write(fmt.Sprintf(editedRules, 0, 1_000_000))
	platform := startPlatform(t, func(c *sim.Config) {
		c.Rate, c.Sessions, c.Tenants, c.Regions, c.ChannelTypes = 2_000, 500, []string{"acme_corp", "globex"}, []string{"us-east-1", "eu-west-1"}, []string{"webmessaging"}
	})
	s := startSink(t, takes)
	scrape := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	collector := start(t, "otelcol-ccaas", []string{
		"ENDPOINT=" + strings.Replace(platform.URL(), "http", "ws", 1), "STATE=" + t.TempDir(), "SCRAPE=" + scrape, "SINK=" + s.url,
	}, "--config", "testdata/alerts.yaml", "--set", "connectors::alert::rules_file="+path)
	received := func(rule, status string) (alerts []alert) {
		for _, got := range s.taken() {
			if got.alert.Metric == rule && got.alert.Status == status {
				alerts = append(alerts, got.alert)
			}
		}
		return alerts
	}
	firing := func(rule, state string) func() error {
		return func() error {
			_, text, err := get("http://" + scrape + "/metrics")
			if err == nil && strings.Count(text, `rule="`+rule+`"`) == 0 {
				err = errors.New("no window under " + rule)
			}
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, "ws_alert_firing{") && strings.Contains(line, `rule="`+rule+`"`) && strings.Fields(line)[1] != state {
					err = fmt.Errorf("want %s: %s", state, line)
				}
			}
			return err
		}
	}
	// The first window of a stream is incomplete, and fires.
	eventually(t, func() error {
		if fired, resolved := received("gaps", "firing"), received("gaps", "resolved"); len(fired) < alertSeries || len(resolved) != len(fired) {
			return fmt.Errorf("%d fired and %d resolved of the first windows of %d series", len(fired), len(resolved), alertSeries)
		}
		return firing("gaps", "0")()
	})
	before, begin := len(received("gaps", "firing")), len(received("each", "firing"))
	const applied, burst = 5, 100
	for i := range applied {
		write(fmt.Sprintf(editedRules, i+1, 1_000_000+i))
		eventually(t, firing(fmt.Sprintf("edited_%d", i+1), "0"))
	}
	const edits = applied + burst
	for i := applied; i < edits; i++ {
		write(fmt.Sprintf(editedRules, i+1, 1_000_000+i))
		time.Sleep(50 * time.Millisecond)
	}
	eventually(t, firing(fmt.Sprintf("edited_%d", edits), "0"))
	assert.Greater(t, strings.Count(collector.output.String(), "Rules file applied"), applied)
	write("rules: [")
	eventually(t, func() error {
		if !strings.Contains(collector.output.String(), "Rules file not valid; the last good rules stay in force") {
			return errors.New("the broken file is not reported")
		}
		return nil
	})
	require.NoError(t, firing(fmt.Sprintf("edited_%d", edits), "0")())
	require.NoError(t, firing("gaps", "0")())
	assert.Len(t, received("gaps", "firing"), before, "an edit has left a window incomplete")
	assert.Empty(t, received("each", "resolved"), "an edit has ended an alert whose rule stays")
	assert.Greater(t, len(received("each", "firing")), begin+15*alertSeries, "windows while the file was edited")
	assertEachWindow(t, received("each", "firing"))

	platform.CloseSockets(1011, "going away")
	eventually(t, func() error {
		if len(received("gaps", "firing")) == before {
			return errors.New("the windows of a cut stream are not noticed")
		}
		return nil
	})
}

// assertEachWindow has one alert of every window of 1 s, from the first to the last of each series.
func assertEachWindow(t *testing.T, alerts []alert) {
	t.Helper()
	ends := map[string][]int64{}
	for _, one := range alerts {
		ends[one.series()] = append(ends[one.series()], one.WindowEnd)
	}
	assert.Len(t, ends, alertSeries)
	for series, all := range ends {
		slices.Sort(all)
		all = slices.Compact(all) // a notification may be sent twice
		for i := range all[1:] {
			assert.Equal(t, time.Second.Milliseconds(), all[i+1]-all[i], "%s: the window after %d", series, all[i])
		}
	}
}
