// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
)

const fileRules = `
rules:
  - name: unusual
    metric: ws.active_connections
    severity: warning
    baseline: { quantile: 0.95, lookback: 2h, min_history: 0s }
    threshold: { percent_of_baseline: %d }
  - name: drops_%d
    metric: ws.drop_rate
    severity: critical
    threshold: { above: 0.5 }
    for: 2
`

// withRulesFile returns a configuration with a rules file, and a function that writes it.
func withRulesFile(t *testing.T, text string) (*Config, func(string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	write(text)
	config := createDefaultConfig().(*Config)
	config.RulesFile = path
	require.NoError(t, config.Validate())
	return config, write
}

// A rules file is edited 100 times under load, each time with another threshold and another
// name of a rule: each window is evaluated once under each rule, the baseline is that of
// rules that were never edited, and a rule that is removed while it fires is resolved.
func TestRulesFile_EditedUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config, write := withRulesFile(t, fmt.Sprintf(fileRules, 120, 0))
		d, at := owntest.NewStorage(), start()-day
		edited := begin(t, config, d, nil)
		constant, _ := withRulesFile(t, fmt.Sprintf(fileRules, 120, 0))
		never := begin(t, constant, nil, nil)
		window := int64(0)
		consume := func(rate, connections float64) {
			batch := windowOf(acme, at+window*9_000, map[string]float64{"ws.drop_rate": rate, "ws.active_connections": connections})
			window++
			edited.consume(t, batch)
			never.consume(t, batch)
			time.Sleep(time.Second)
		}
		const edits = 100
		for i := range edits {
			for n := range 12 { // twelve seconds: the change is read twice meanwhile
				if n == 1 {
					write(fmt.Sprintf(fileRules, 121+i, i+1))
				}
				consume(0.6, float64(100+(int(window)*7)%13))
			}
		}
		synctest.Wait()
		assert.Equal(t, edits, edited.log.FilterMessage("Rules file applied").Len())
		assert.Equal(t, baselines(never.metrics), baselines(edited.metrics), "no new baseline, and no window lost")
		assert.Len(t, baselines(edited.metrics), int(window)-1)
		assert.Empty(t, edited.e.engine.Stats().Skipped)
		assert.Equal(t, 2*window, edited.e.engine.Stats().Evaluations)

		fired := map[any]string{}
		for _, b := range edited.bodies() {
			if b["status"] == "firing" {
				assert.NotContains(t, fired, b["alert_id"])
				fired[b["alert_id"]] = b["metric"].(string)
			} else {
				assert.Equal(t, "rule or severity removed", b["reason"])
				assert.Equal(t, fired[b["alert_id"]], b["metric"])
				delete(fired, b["alert_id"])
			}
		}
		assert.Len(t, fired, 1, "the rule of the last edit fires")
		edited.end(t)
		never.end(t)

		// The state is that of the rules in force.
		again := begin(t, config, d.Copy(), nil)
		assert.Empty(t, again.bodies())
		assert.Equal(t, 1, again.log.FilterMessageSnippet("saved state").Len())
		again.end(t)
	})
}

// A file that is broken, cut off or missing leaves the last good rules in force: that is
// logged once, counted and reported; a file that is good again ends it.
func TestRulesFile_Broken(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no YAML":        "rules: [",
		"empty":          "",
		"unknown key":    "rules:\n  - { name: a, metric: m, severity: w, treshold: { above: 1 } }",
		"no unit":        "rules:\n  - { name: a, metric: m, severity: w, threshold: { above: 1 }, expire: 3600 }",
		"not valid":      "rules:\n  - { name: a, metric: m, severity: w }",
		"missing":        "",
		"calendar":       "rules:\n  - { name: a, metric: m, severity: w, threshold: { above: 1 }, mute: [{ ical: /nowhere.ics }] }",
		"name of config": "rules:\n  - { name: own, metric: m, severity: w, threshold: { above: 1 } }",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				good := fmt.Sprintf(fileRules, 120, 0)
				config, write := withRulesFile(t, good)
				config.Rules = configured(t, "rules:\n  - { name: own, metric: m, severity: w, threshold: { above: 1 } }").Rules
				r := begin(t, config, owntest.NewStorage(), nil)
				at := start()
				r.consume(t, drops(at, 0.6))
				if name == "missing" {
					require.NoError(t, os.Remove(config.RulesFile))
				} else {
					write(text)
				}
				time.Sleep(31 * time.Second)
				failures := r.log.FilterMessageSnippet("last good rules stay in force")
				require.Equal(t, 1, failures.Len())
				assert.Contains(t, fmt.Sprint(failures.All()[0].ContextMap()["error"]), config.RulesFile)
				host := r.e.hosts[0].(*owntest.Host)
				assert.Equal(t, componentstatus.StatusRecoverableError, host.LastStatus())
				r.consume(t, drops(at+9_000, 0.6))
				assert.Equal(t, []string{"firing"}, statuses(r.bodies()), "the run was not reset")
				write(good)
				time.Sleep(11 * time.Second)
				assert.Equal(t, 1, r.log.FilterMessage("Rules file is valid again").Len())
				assert.Equal(t, componentstatus.StatusOK, host.LastStatus())
				assert.Zero(t, r.log.FilterMessage("Rules file applied").Len())
				r.consume(t, drops(at+18_000, 0.1))
				assert.Equal(t, []string{"firing", "resolved"}, statuses(r.bodies()))
				r.end(t)
			})
		})
	}
}

// What is not a regular file is not opened as one, and leaves the rules as they are.
func TestRulesFile_NotARegularFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config, _ := withRulesFile(t, fmt.Sprintf(fileRules, 120, 0))
		r := begin(t, config, nil, nil)
		synctest.Wait()
		require.NoError(t, os.Remove(config.RulesFile))
		require.NoError(t, os.Symlink(os.DevNull, config.RulesFile))
		time.Sleep(31 * time.Second)
		failures := r.log.FilterMessageSnippet("last good rules stay in force")
		require.Equal(t, 1, failures.Len())
		assert.Contains(t, failures.All()[0].ContextMap()["error"], "is not a regular file")
		_, _, err := config.withRulesFile()
		require.ErrorContains(t, err, "is not a regular file")
		r.end(t)
	})
}

// Content that one read alone has returned is not applied: the file may be half written.
func TestRulesFile_HalfWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		good := fmt.Sprintf(fileRules, 120, 0)
		config, write := withRulesFile(t, good)
		r := begin(t, config, nil, nil)
		synctest.Wait()
		half := good[:len(good)/2]
		half = half[:len(half)-len("\n")]
		write(fmt.Sprintf(fileRules, 130, 0)[:len(half)])
		time.Sleep(5 * time.Second)
		write(good)
		time.Sleep(20 * time.Second)
		assert.Zero(t, r.log.FilterMessage("Rules file applied").Len())
		r.end(t)
	})
}

func TestRulesFile_Config(t *testing.T) {
	t.Parallel()
	config := createDefaultConfig().(*Config)
	config.RulesFile = filepath.Join(t.TempDir(), "none.yaml")
	require.ErrorContains(t, config.Validate(), "rules_file: open ")
	require.NoError(t, os.WriteFile(config.RulesFile, []byte("rules:\n  - { name: a, metric: m, severity: w, threshold: {}}"), 0o600))
	require.ErrorContains(t, config.Validate(), "rules_file: "+config.RulesFile+": rules[a]::threshold")
	const rule = "rules:\n  - { name: a, metric: m, severity: w, threshold: "
	for text, want := range map[string]string{
		rule + "{ abov: 1 } }":         "rules::0::threshold::abov: unknown key; did you mean above?",
		rule + "{ above: high } }":     "above",
		"rules:\n  - { name: a\n  - b": "not valid YAML: line ",
		"- a":                          "must be a map with the key rules",
		"text":                         "must be a map with the key rules",
	} {
		require.NoError(t, os.WriteFile(config.RulesFile, []byte(text), 0o600))
		err := config.Validate()
		require.ErrorContains(t, err, "rules_file: "+config.RulesFile+": ")
		require.ErrorContains(t, err, want)
		for _, not := range []string{"decoding failed", "invalid keys", "retrieved value", "''"} {
			assert.NotContains(t, err.Error(), not)
		}
	}
	config.RulesFile = ""
	require.ErrorContains(t, config.Validate(), "there must be at least one, or a rules_file")
}

// A file that was in force in this process stays in force when its pipeline is started again,
// as long as it cannot be read; what never was in force is an error.
func TestRulesFile_DamagedBeforeARestartInTheProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config, write := withRulesFile(t, fmt.Sprintf(fileRules, 120, 0))
		write("{{ damaged")
		require.ErrorContains(t, config.Validate(), "rules_file: ", "it was never in force")
		write(fmt.Sprintf(fileRules, 120, 0))
		d := begin(t, config, owntest.NewStorage(), nil)
		d.end(t)
		write("{{ damaged")
		require.NoError(t, config.Validate())
		again := begin(t, config, owntest.NewStorage(), nil)
		assert.Len(t, again.e.rules().rules, 2)
		again.end(t)
	})
}

func TestRulesFile_ItsRulesHaveWarnings(t *testing.T) {
	t.Parallel()
	config, _ := withRulesFile(t, fmt.Sprintf(fileRules, 1, 0)) // 1 %
	require.Len(t, config.Warnings(), 1)
	assert.Contains(t, config.Warnings()[0], "rules[unusual]::threshold::percent_of_baseline: 1: "+smallPercentageMessage)
}
