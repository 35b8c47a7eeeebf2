// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// editedRules has a rule that fires on each incomplete window and where two are missing, and one that changes.
const editedRules = `
rules:
  - { name: gaps, metric: ws.window.complete, severity: critical, threshold: { below: 1 }, no_data: 2 }
  - { name: edited_%d, metric: ws.messages, severity: warning, threshold: { above: %d } }
`

// A rules file that is edited 100 times under load costs no window, and leaves none incomplete; the last edit is
// in force. A broken one is reported, and the rules before it stay in force.
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
	page := func() (string, error) {
		_, text, err := get("http://" + scrape + "/metrics")
		return text, err
	}
	firing := func(rule, state string) func() error {
		return func() error {
			text, err := page()
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
	eventually(t, firing("gaps", "0")) // the first window of a stream is incomplete
	gaps := func() (n int) {
		for line := range strings.Lines(collector.output.String()) {
			if strings.Contains(line, `"Alert"`) || strings.Contains(line, "\tAlert\t") {
				if strings.Contains(line, `"rule": "gaps"`) && strings.Contains(line, `"status": "firing"`) {
					n++
				}
			}
		}
		return n
	}
	before := gaps()
	const edits = 100
	for i := range edits {
		write(fmt.Sprintf(editedRules, i+1, 1_000_000+i))
		time.Sleep(200 * time.Millisecond)
	}
	eventually(t, firing(fmt.Sprintf("edited_%d", edits), "0"))
	assert.Contains(t, collector.output.String(), "Rules file applied")
	write("rules: [")
	eventually(t, func() error {
		if !strings.Contains(collector.output.String(), "Rules file not valid; the last good rules stay in force") {
			return errors.New("the broken file is not reported")
		}
		return nil
	})
	require.NoError(t, firing(fmt.Sprintf("edited_%d", edits), "0")())
	require.NoError(t, firing("gaps", "0")())
	assert.Equal(t, before, gaps(), "an edit has left a window incomplete, or lost one")
}
